"""Chunks are cut into batches whose records stay theirs, and bad rows keep their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore import codec
from pixstore.dataset import Dataset
from pixstore.errors import RecordError
from pixstore.loader.feed import GROUP_BYTES, Feed, Reading, has_alpha, part
from pixstore.loader.recipe import Recipe
from pixstore.rows import Extents, Records, Slices
from pixstore.schema import Format

DATA = bytes(range(40))
OFFSETS, LENGTHS = np.arange(0, 40, 4), np.full(10, 4)


def places(tmp_path: Path) -> list[Any]:
    (tmp_path / "data.bin").write_bytes(DATA)
    extents = Extents([str(tmp_path / "data.bin")], np.zeros(10, np.uint32), OFFSETS, LENGTHS)
    return [extents, Slices(DATA, OFFSETS, LENGTHS), [DATA[start : start + 4] for start in OFFSETS.tolist()]]


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["extents", "slices", "buffers"])
def test_part_has_the_records_checksums_and_names_of_its_rows(kind: int, tmp_path: Path) -> None:
    seeds = np.arange(10, dtype=np.uint64)
    checksums = np.array([codec.hash_bytes(DATA[start : start + 4], seed) for seed, start in enumerate(OFFSETS.tolist())], np.uint64)
    whole = Records(
        places(tmp_path)[kind],
        [Format("raw", (2, 2), "uint8"), Format("raw", (4, 1), "uint8")],
        np.arange(10, dtype=np.int32) % 2,
        lambda record: (record, f"k{record}", "here"),
        checksums,
        seeds,
    )
    some = part(whole, 3, 7)
    assert len(some) == 4 and some.name(1) == (4, "k4", "here") and some.format.tolist() == [1, 0, 1, 0]
    assert codec.fetch(some) == [DATA[start : start + 4] for start in range(12, 28, 4)]


def feed(ds: Any, **reading: Any) -> Feed:
    recipe = Recipe([], ds.schema.fields)
    return Feed(ds._rows, None, recipe=recipe, fields=ds.schema.field_names, columns=ds.schema.columns.names, reading=Reading(**reading))


def test_batches_of_a_chunk_are_its_rows_in_order(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s.pixstore", codec="raw") as writer:
        writer.add_batch(np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8), label=range(20))
    source = feed(pixstore.open(tmp_path / "s.pixstore"))
    chunk = source.chunk(np.array([5, 19, 0, 5, 7]))
    first, second = source.read(source.plan(chunk, [(0, 2), (2, 5)], seed=0, epoch=0))
    assert first["image"][:, 0, 0, 0].tolist() == [5, 19] == first["label"].tolist()
    assert second["image"][:, 0, 0, 0].tolist() == [0, 5, 7] and list(second["key"]) == ["00000000", "00000005", "00000007"]
    assert (source.counts.rows, source.counts.bad_rows) == (5, 0)


@pytest.mark.parametrize("shapes_differ", [False, True])
def test_rows_that_are_no_images_keep_their_places_when_masked(shapes_differ: bool, tmp_path: Path) -> None:
    for row in range(5):
        Image.new("RGB", (4 + row * shapes_differ, 4), (row, 0, 0)).save(tmp_path / f"{row}.png")
    for row in (1, 3):
        (tmp_path / f"{row}.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    ds = pixstore.open(tmp_path)
    masking = feed(ds, masks_errors=True)
    batch = masking.read(masking.plan(masking.chunk(np.arange(5)), [(0, 5)], seed=0, epoch=0))[0]
    assert batch.ok.tolist() == [True, False, True, False, True] and [each.key for each in batch.bad] == ["1.png", "3.png"]
    images = batch["image"]
    if shapes_differ:
        assert [None if each is None else (each.shape, each[0, 0, 0]) for each in images][:3] == [((4, 4, 3), 0), None, ((4, 6, 3), 2)]
    else:
        assert images[:, 0, 0, 0].tolist() == [0, 0, 2, 0, 4] and not images[1].any()
    raising = feed(ds)
    with pytest.raises(RecordError, match=r"1\.png") as caught:
        raising.read(raising.plan(raising.chunk(np.arange(5)), [(0, 5)], seed=0, epoch=0))[0]
    assert len(caught.value.bad_rows) == 2


def test_batch_of_bad_rows_alone_has_none_that_is_good(tmp_path: Path) -> None:
    for row in range(2):
        (tmp_path / f"{row}.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    masking = feed(pixstore.open(tmp_path), masks_errors=True)
    batch = masking.read(masking.plan(masking.chunk(np.arange(2)), [(0, 2)], seed=0, epoch=0))[0]
    assert batch.ok.tolist() == [False, False] and len(batch["image"]) == 2


@pytest.mark.parametrize(
    ("known", "alpha"),
    [
        (Format("png", (2, 2, 4), "uint8"), True),
        (Format("png", (2, 2, 2), "uint8"), True),
        (Format("jpeg", (2, 2, 4), "uint8"), False),
        (Format("png", (2, 4), "uint8"), False),
        (Format("png", None, None), False),
    ],
)
def test_alpha_is_two_or_four_channels_but_for_cmyk(known: Format, alpha: bool) -> None:
    assert has_alpha(known) is alpha


class Noting:
    """Rows that are those of a source, and note how many are read at a time."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self.read_at_once: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, field: str, rows: Any) -> Records:
        self.read_at_once.append(len(rows))
        return self._rows.read(field, rows)  # type: ignore[no-any-return]


def test_what_only_a_library_finds_is_not_read_for_thousands_of_rows_at_once(tmp_path: Path) -> None:
    count, pixels = 300, np.zeros((256, 256, 3), np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        images = file.create_dataset("images", (count, *pixels.shape), "u1", chunks=(1, *pixels.shape), compression="gzip")
        images[:] = pixels
        file.create_dataset("meta", data=np.arange(count) % 10)
    ds = pixstore.open(tmp_path / "a.h5")
    rows = Noting(ds._rows)
    batches = list(Dataset(rows, lambda: rows).loader(4))
    assert sum(rows.read_at_once) == count == sum(map(len, batches))
    assert max(rows.read_at_once) * pixels.nbytes <= GROUP_BYTES
