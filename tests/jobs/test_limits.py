"""Limits: a number, a share that forgives a few, or none."""

from __future__ import annotations

import pytest

from pixstore.errors import InvalidInputError
from pixstore.jobs.limits import DEFAULT, FEW, most_bad


@pytest.mark.parametrize(
    ("limit", "samples", "most"),
    [
        (0, 10, 0),
        ("7", 10, 7),
        ("1%", 50_000, 500),
        ("1%", 500, FEW),
        ("0.5%", 1_000_000, 5000),
        ("100%", 3000, 3000),
        ("0%", 10_000, 0),
        ("0.0%", 10, 0),
        (DEFAULT, 20_000, 200),
        ("none", 5, None),
    ],
)
def test_limit_is_a_number_of_samples(limit: str | int, samples: int, most: int | None) -> None:
    assert most_bad(limit, samples) == most


@pytest.mark.parametrize("limit", ["", "few", "-1", -1, "1.5", "101%", "%", "1 %", "3%%"])
def test_anything_else_is_refused(limit: str | int) -> None:
    with pytest.raises(InvalidInputError, match="bad_limit"):
        most_bad(limit, 100)
