"""Keys of records say row and field, come in order, and are found again; what is not ours is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixstore.engines.row_keys import items_of, key_of, masked, placed, require_all
from pixstore.errors import CorruptStoreError, InvalidInputError
from pixstore.testing import batch, packed_records

PATH = Path("a.leveldb")


def test_keys_come_in_order_without_missing_records() -> None:
    rows = batch(0, mask=packed_records([b"m0", None]), Image=packed_records([b"i0", b"i1"]))
    found = [(key, bytes(view)) for key, view in items_of(rows, ["mask", "Image"], 98, PATH)]
    assert found == [(b"00000098/Image", b"i0"), (b"00000098/mask", b"m0"), (b"00000099/Image", b"i1")]
    assert sorted(found) == found and key_of(98, "mask") == b"00000098/mask"


def test_more_rows_than_eight_digits_count_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="more than 100,000,000 rows"):
        list(items_of(batch(0, image=packed_records([b"x"])), ["image"], 10**8, PATH))


def test_places_are_those_that_were_found() -> None:
    places = placed(iter([(1, b"00000001/image", 7, 3), (0, b"00000000/image", 5, 0)]), ["image", "mask"], 3, PATH)
    extents = places["image"].extents(["one", "two"])
    assert (extents.file.tolist(), extents.offset.tolist(), extents.length.tolist()) == ([0, 1, 0], [5, 7, -1], [0, 3, 0])
    assert places["mask"].offset.tolist() == [-1] * 3
    require_all(places, 2, PATH)


@pytest.mark.parametrize("key", [b"00000003/image", b"00000001/depth", b"1/image", b"0000000x/image", b"", b"00000000/image"])
def test_a_key_that_is_not_ours_or_comes_twice_is_refused(key: bytes) -> None:
    with pytest.raises(CorruptStoreError, match="none of this shard's, or comes twice"):
        placed(iter([(0, b"00000000/image", 0, 1), (0, key, 1, 1)]), ["image"], 3, PATH)


def test_records_that_never_reached_the_disk_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="1 of 2 records reached the disk"):
        require_all(placed(iter([(0, b"00000000/image", 0, 1)]), ["image"], 2, tmp_path), 2, tmp_path)


def test_checksums_are_masked_as_leveldb_masks_them() -> None:
    # CRC-32C of "123456789" is E3069283 (RFC 3720); rotated by 15 bits, plus A282EAD8.
    assert masked(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF
    assert np.uint32(masked(b"")) == 0xA282EAD8
