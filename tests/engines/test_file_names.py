from __future__ import annotations

import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pixstore.engines.file_names import MOST_NAME_BYTES, RESERVED, escape, npy_header, suffix_of
from pixstore.schema import Format

# Letters that fold or normalise onto each other, and what file systems forbid, come up often.
TRICKY = st.text(st.sampled_from("aAbBxX.-_~%/\\: 0é\u0301eE\u212aKkſsß\0İıiI"), min_size=1, max_size=8)
KEYS = st.one_of(TRICKY, st.text(st.characters(), min_size=1, max_size=40), st.text("aA鹿", min_size=200, max_size=400))
SUFFIX = st.sampled_from([".png", ".jpg", ".npy", ".bin"])


def on_any_file_system(name: str) -> set[str]:
    """Return the names that some file system takes this one for."""
    return {unicodedata.normalize(form, name.casefold()) for form in ("NFC", "NFD", "NFKC", "NFKD")}


@given(KEYS, KEYS, SUFFIX, SUFFIX)
@example("a", "A", ".png", ".png")
@example("a.png", "a", ".jpg", ".png")
@example("x" * 300, "x" * 301, ".png", ".png")
@example("x" * 251, "x" * 252, ".png", ".png")
@example("é", "e\u0301", ".png", ".png")
@example("é" * 200, "e\u0301" * 200, ".png", ".png")
@example("\ud800", "\ud801", ".png", ".png")
@example("\ud800", "%ED%A0%80", ".png", ".png")
@example("a.", "a", ".png", ".png")
@example("aux", "AUX", ".png", ".png")
def test_different_keys_have_different_names_on_every_file_system(first: str, second: str, one: str, other: str) -> None:
    if (first, one) == (second, other):
        return
    assert not on_any_file_system(escape(first, one)) & on_any_file_system(escape(second, other))


@given(KEYS, SUFFIX, st.sampled_from(["", "~7", "~99999999"]))
@example("CON", ".png", "")
@example("con", ".png", "")
@example("com1.x", ".png", "")
@example("..", ".png", "")
@example("鹿" * 300, ".png", "~1")
@example("\udcff" * 300, ".png", "")
@example(".", ".png", "")
@example("LPT9.txt", ".png", "")
def test_names_are_good_on_every_file_system(key: str, suffix: str, mark: str) -> None:
    name = escape(key, suffix, mark)
    assert name.isascii() and not set(name) & set('<>:"/\\|?* ') and name.isprintable()
    assert 0 < len(name) <= MOST_NAME_BYTES
    assert not name.startswith(".") and not name.endswith((".", " "))
    assert not RESERVED.match(name)


@given(st.one_of(TRICKY, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)))
def test_unquote_gives_the_key_back(key: str) -> None:
    assert unquote(escape(key, ".png").removesuffix(".png")) == key


@pytest.mark.parametrize("key", ["00000001", "cat-001", "n01440764_10026.jpg"])
def test_plain_keys_stay_as_they_are(key: str) -> None:
    assert escape(key, ".png") == f"{key}.png"


@pytest.mark.parametrize(
    ("form", "suffix"),
    [
        (Format("raw", (2,), "uint8"), ".npy"),
        (Format("raw", None, None), ".raw"),
        (Format("jpeg", None, None), ".jpg"),
        (Format("png", None, None), ".png"),
        (Format("webp", None, None), ".webp"),
        (Format("zstd", (2,), "uint8"), ".zst"),
        (Format("lz4", (2,), "uint8"), ".lz4"),
        (Format("../x", None, None), ".x"),
        (Format(None, None, None), ".bin"),
    ],
)
def test_suffixes_say_the_codec(form: Format, suffix: str) -> None:
    assert suffix_of(form) == suffix


def test_only_arrays_have_a_header() -> None:
    assert npy_header(Format("png", (2, 2), "uint8")) == b""
    assert npy_header(Format("raw", (2, 2), "uint16")).startswith(b"\x93NUMPY\x01\x00")
