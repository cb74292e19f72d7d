"""The figures the rules decide on."""

from __future__ import annotations

from pixstore.bench.advice.figures import Figures


def test_what_has_no_engine_is_the_data_as_it_lies() -> None:
    assert Figures("source", "as it lies").is_source
    assert not Figures("packed/raw", "packed + raw", "packed", "raw").is_source
