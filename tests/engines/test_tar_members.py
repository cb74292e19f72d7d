"""Members of tar archives are those that Python's tarfile writes, byte for byte; names tell keys apart."""

from __future__ import annotations

import tarfile
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.engines.tar_members import MODE, ending_of, header, padding, sample_of


@pytest.mark.parametrize("name", ["a.png", "x" * 100, "y" * 101, "z" * 250])
@pytest.mark.parametrize("size", [0, 1, 7**9, (8 << 30) - 1, 8 << 30])
def test_a_header_is_the_one_that_tarfile_writes(name: str, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, MODE
    assert header(name, size) == info.tobuf(tarfile.PAX_FORMAT)


@given(st.text(), st.text())
def test_samples_of_different_keys_differ_and_hold_no_dot(one: str, other: str) -> None:
    names = [sample_of(each) for each in (one, other)]
    assert (names[0].lower() == names[1].lower()) == (one == other)
    assert all(name and name.isascii() and not set(name) & set("./\\ ") for name in names)
    assert all(unquote(name, errors="surrogatepass") == key for name, key in zip(names, (one, other), strict=True) if "~" not in name)


def test_fields_but_image_are_named() -> None:
    assert (ending_of("image", ".png"), ending_of("mask", ".npy"), ending_of("Image", ".jpg")) == (".png", ".mask.npy", ".%49mage.jpg")


@pytest.mark.parametrize(("size", "filled"), [(0, 0), (1, 511), (512, 0), (513, 511)])
def test_blocks_are_filled(size: int, filled: int) -> None:
    assert padding(size) == filled
