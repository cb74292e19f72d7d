"""Exported as MDS: a reading of the published layout finds the same samples, and so do we; streaming itself reads in test_mds_streaming."""

from __future__ import annotations

import hashlib
import importlib
import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import pixstore
from pixstore.errors import PixstoreError

sys.path.append(str(Path(__file__).parents[1]))
foreign = importlib.import_module("foreign_tables")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    table = foreign.table(foreign.encoded(9), key=[f"k{n}" for n in range(9)], age=np.arange(9, dtype=np.float32), site=["ä"] * 9)
    pq.write_table(table.replace_schema_metadata(None), tmp_path / "made.parquet")
    return tmp_path / "made.parquet"


def samples(folder: Path) -> list[dict[str, bytes]]:
    """Return the values of every sample, found as the format's description says."""
    found = []
    for shard in json.loads((folder / "index.json").read_text())["shards"]:
        data = (folder / shard["raw_data"]["basename"]).read_bytes()
        assert len(data) == shard["raw_data"]["bytes"]
        assert hashlib.sha1(data).hexdigest() == shard["raw_data"]["hashes"]["sha1"]
        (count,) = struct.unpack_from("<I", data)
        assert count == shard["samples"]
        offsets = struct.unpack_from(f"<{count + 1}I", data, 4)
        assert offsets[-1] == len(data)
        for begin in offsets[:-1]:
            sizes: list[Any] = list(shard["column_sizes"])
            for number, size in enumerate(sizes):
                if size is None:
                    (sizes[number],) = struct.unpack_from("<I", data, begin)
                    begin += 4
            row = {}
            for name, size in zip(shard["column_names"], sizes, strict=True):
                row[name] = data[begin : begin + size]
                begin += size
            found.append(row)
    return found


def test_samples_lie_as_the_format_says(photos: Path, tmp_path: Path) -> None:
    pixstore.export(photos, tmp_path / "out", to="mds", check=True)
    images = foreign.encoded(9)
    for number, row in enumerate(samples(tmp_path / "out")):
        assert row == {
            "image": images[number],
            "label": struct.pack("<q", number % 2),
            "key": f"k{number}".encode(),
            "age": struct.pack("<f", number),
            "site": "ä".encode(),
        }


def test_we_read_back_what_was_there(photos: Path, tmp_path: Path) -> None:
    pixstore.export(photos, tmp_path / "out", to="mds", shard_bytes=900)
    before, after = pixstore.open(photos), pixstore.open(tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.mds"))) > 2
    assert after.table.select(before.table.column_names).to_pydict() == before.table.to_pydict()
    assert after.encoded_many(slice(None)) == before.encoded_many(slice(None))


def test_names_of_classes_and_columns_with_nothing_in_them_are_losses(tmp_path: Path) -> None:
    pq.write_table(foreign.table(foreign.encoded(2), age=[1, None]), tmp_path / "x.parquet")
    with pytest.raises(PixstoreError, match=r"(?s)cat, dog.*age"):
        pixstore.export(tmp_path / "x.parquet", tmp_path / "out", to="mds")
    report = pixstore.export(tmp_path / "x.parquet", tmp_path / "out", to="mds", accept=("classes", "columns"))
    assert report.samples == 2


def test_the_encoding_is_jpeg_where_all_images_are(tmp_path: Path) -> None:
    for kind, expected in (("jpeg", "jpeg"), ("png", "png")):
        images = [foreign.png(foreign.pixels(1), "jpeg"), foreign.png(foreign.pixels(2), kind)]
        pq.write_table(foreign.table(images).drop_columns("label"), tmp_path / f"{kind}.parquet")
        pixstore.export(tmp_path / f"{kind}.parquet", tmp_path / kind, to="mds")
        shard = json.loads((tmp_path / kind / "index.json").read_text())["shards"][0]
        assert dict(zip(shard["column_names"], shard["column_encodings"], strict=True))["image"] == expected
        assert pixstore.open(tmp_path / kind).encoded_many(slice(None)) == images
