"""Exported as TFRecord: protobuf with the published schema reads the same pixels, labels and columns, and so do we."""

from __future__ import annotations

import importlib
import io
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import pixstore
from pixstore.errors import PixstoreError

sys.path.append(str(Path(__file__).parents[1]))
foreign = importlib.import_module("foreign_tables")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    table = foreign.table(
        foreign.encoded(9), key=[f"k{n}" for n in range(9)], age=[n / 4 for n in range(9)], box=[[n, -n, 3] for n in range(9)]
    )
    pq.write_table(table, tmp_path / "made.parquet")
    return tmp_path / "made.parquet"


def examples(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the features of every record, its checksums compared."""
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        place = 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            assert data[place + 8 : place + 12] == foreign.checksum(data[place : place + 8])
            record = data[place + 12 : place + 12 + length]
            assert data[place + 12 + length : place + 16 + length] == foreign.checksum(record)
            place += 16 + length
            message = foreign.example_class().FromString(record)
            yield {name: list(getattr(feature, feature.WhichOneof("kind")).value) for name, feature in message.features.feature.items()}


def test_protobuf_reads_images_labels_and_columns(photos: Path, tmp_path: Path) -> None:
    pixstore.export(photos, tmp_path / "out", to="tfrecord", check=True)
    rows = list(examples(tmp_path / "out"))
    for number, row in enumerate(rows):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(row.pop("image/encoded")[0]))), foreign.pixels(number))
        assert row == {
            "image/format": [b"png"],
            "image/class/label": [number % 2],
            "image/class/text": [(b"cat", b"dog")[number % 2]],
            "key": [b"k%d" % number],
            "age": [number / 4],
            "box": [number, -number, 3],
        }
    assert len(rows) == 9


def test_we_read_back_what_was_there(photos: Path, tmp_path: Path) -> None:
    pixstore.export(photos, tmp_path / "out", to="tfrecord")
    before, after = pixstore.open(photos), pixstore.open(tmp_path / "out")
    assert after.table.select(before.table.column_names).to_pydict() == before.table.to_pydict() and after.classes == before.classes
    assert after.encoded_many(slice(None)) == before.encoded_many(slice(None))


def test_shards_are_cut_by_bytes(photos: Path, tmp_path: Path) -> None:
    pixstore.export(photos, tmp_path / "out", to="tfrecord", shard_bytes=700)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(names) > 2 and names[0] == f"data-00000-of-{len(names):05}.tfrecord"
    assert len(pixstore.open(tmp_path / "out")) == 9


def test_what_float32_does_not_hold_is_a_loss(tmp_path: Path) -> None:
    pq.write_table(foreign.table(foreign.encoded(2), age=[0.1, 0.2], flag=[True, False]), tmp_path / "x.parquet")
    with pytest.raises(PixstoreError, match="age, flag"):
        pixstore.export(tmp_path / "x.parquet", tmp_path / "out", to="tfrecord")


def test_classes_without_samples_are_a_loss(tmp_path: Path) -> None:
    table = foreign.described(foreign.table(foreign.encoded(2)), names=["cat", "dog", "horse"])
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(PixstoreError, match="horse"):
        pixstore.export(tmp_path / "x.parquet", tmp_path / "out", to="tfrecord")
