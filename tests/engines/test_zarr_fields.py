"""Which fields become one array, what nodes are named, and where chunks lie."""

from __future__ import annotations

import pytest

from pixstore.engines.zarr_fields import bytes_path, chunk_path, is_array, node_name
from pixstore.schema import Field


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (Field("image", "raw", (4, 4, 3), "uint8"), True),
        (Field("image", "raw", (), "complex128"), True),
        (Field("image", "raw", (0, 3), "uint8"), False),
        (Field("image", "raw"), False),
        (Field("image", "png", (4, 4, 3), "uint8"), False),
        (Field("image", "raw", (2,), "float128"), False),
    ],
)
def test_raw_fields_of_one_shape_and_a_known_type_are_arrays(field: Field, expected: bool) -> None:
    assert is_array(field) == expected


def test_names_that_zarr_keeps_for_itself_are_escaped() -> None:
    assert [node_name(each) for each in ("image", "zarr.json", "__a", "Image")] == ["image", "%7Aarr.json", "%5F_a", "%49mage"]


def test_chunks_lie_where_zarr_puts_them() -> None:
    assert (chunk_path("image", 12, 3), bytes_path("mask", 2)) == ("image/c/12/0/0/0", "mask/bytes/00002/c/0")
