"""Sizes, times and foreign names, as people read and write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.cli.words import as_count, as_duration, as_size, by_reason, parse_size, printable
from pixstore.errors import InvalidInputError


@given(st.text())
def test_printable_text_is_one_line_that_steers_nothing(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize(("text", "shown"), [("Zürich 猫", "Zürich 猫"), ("a\nb", "a\\nb"), ("\x1b[2J", "\\x1b[2J"), ("\udc80", "\\udc80")])
def test_printable_keeps_letters_and_escapes_the_rest(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_949, "99.9 kB"), (150_000, "150 kB"), (999_600, "1.0 MB"), (3 * 10**15, "3000 TB")],
)
def test_size_in_words(count: int, shown: str) -> None:
    assert as_size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0123, "12 ms"), (0.9999, "1.0 s"), (59.9, "59.9 s"), (59.99, "1 min 00 s"), (125, "2 min 05 s"), (7_500, "2 h 05 min")],
)
def test_duration_in_words(seconds: float, shown: str) -> None:
    assert as_duration(seconds) == shown


def test_count_in_words() -> None:
    assert (as_count(1, "image"), as_count(12_000, "image"), as_count(0, "image")) == ("1 image", "12,000 images", "0 images")


@pytest.mark.parametrize(
    ("text", "count"), [("4096", 4096), ("512MB", 512_000_000), ("1GiB", 1 << 30), ("1.5 kb", 1500), ("2k", 2000), (" 3TiB ", 3 << 40)]
)
def test_size_is_read(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "much", "-1", "0", "0.1", "1EB", "1 G B", "1e9", "i"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="512MB"):
        parse_size(text)


def test_reasons_are_counted_with_their_first_names() -> None:
    lines = by_reason([("a", "empty"), ("b", "text"), ("c", "empty"), ("d", "empty"), ("e\n", "empty"), ("f", "empty")])
    assert lines == ["  5 × empty: a, c, d and 2 more", "  1 × text: b"]
