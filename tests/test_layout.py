"""What every layout is handed: samples in order, in parts that fit memory, stored bytes untouched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore import layout
from pixstore.layout import Export


@pytest.fixture
def store(tmp_path: Path) -> pixstore.Dataset:
    """Forty images of forty sizes, every third without a mask."""
    with pixstore.Writer(tmp_path / "a.pixstore", codec="png") as writer:
        for number in range(40):
            image = np.full((5 + number, 7, 3), number, np.uint8)
            mask = None if number % 3 == 2 else np.full((5 + number, 7), number, np.uint8)
            writer.add(image, mask=mask, label=number)
    return pixstore.open(tmp_path / "a.pixstore")


@pytest.mark.parametrize("most", [1, 600, 32 << 20], ids=["one at a time", "some", "all"])
def test_all_samples_come_once_and_in_order_however_small_the_parts(
    store: pixstore.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(layout, "READ_BYTES", most)
    told: list[int] = []
    export = Export(store, tmp_path / "out", progress=lambda done, total, count: told.append(done))
    for name in ("image", "mask"):
        rows, records = [], []
        for part in export.encoded(name):
            rows += part.rows.tolist()
            records += part.records
            assert part.keys == store.keys.take(part.rows).to_pylist()
        assert rows == list(range(40)) and told[-1] == 40
        absent = store.absent(name, slice(None)).tolist()
        assert [row for row, record in enumerate(records) if record is None] == absent
        assert all(record == store.encoded(row, field=name) for row, record in enumerate(records) if record is not None)


def test_pixels_come_with_their_rows(store: pixstore.Dataset, tmp_path: Path) -> None:
    for rows, images in Export(store, tmp_path / "out").pixels():
        assert all(np.array_equal(image, store[int(row)].image) for row, image in zip(rows, images, strict=True))
