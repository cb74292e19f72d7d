"""Findings in words, shares of records, reports."""

from __future__ import annotations

import pytest

from pixstore.errors import InvalidInputError
from pixstore.trust.findings import Finding, in_order, parse_share


@pytest.mark.parametrize(("given", "share"), [(None, 1.0), ("1%", 0.01), ("100 %", 1.0), (0.25, 0.25), ("0.5", 0.5), (1, 1.0)])
def test_a_share_is_a_percentage_or_a_fraction(given: str | float | None, share: float) -> None:
    assert parse_share(given) == pytest.approx(share)


@pytest.mark.parametrize("given", ["0%", "101%", "many", -0.1, 0, 2, "nan", ""])
def test_what_is_no_share_is_refused(given: str | float) -> None:
    with pytest.raises(InvalidInputError, match="is no share"):
        parse_share(given)


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        (Finding("record", "is wrong", "shards/a.bin", "a", 7, ("k",), 1), "shards/a.bin at byte 7: is wrong ('k')"),
        (Finding("manifest", "is wrong", "manifest.json"), "manifest.json: is wrong"),
        (Finding("place", "is wrong", "a", "a", None, tuple("abcd"), 1000), "a: is wrong ('a', 'b', 'c' and 997 more)"),
        (Finding("missing", "is gone", "a", "a", rows=1000), "a: is gone (1,000 samples)"),
    ],
)
def test_a_finding_says_where_what_and_which_samples(finding: Finding, words: str) -> None:
    assert str(finding) == words


def test_findings_come_by_file_and_place_each_once() -> None:
    first, second, third = Finding("pixels", "x", "a", offset=0), Finding("record", "x", "a", offset=9), Finding("split", "x", "b")
    assert in_order(iter([third, second, first, second])) == (first, second, third)
