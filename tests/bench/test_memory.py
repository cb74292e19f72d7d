"""Memory handed out before the clock starts."""

from __future__ import annotations

import tracemalloc

import pytest

from pixstore.bench import memory
from pixstore.bench.memory import hand_out_memory


@pytest.mark.parametrize(("pixel_bytes", "touched"), [(0, 0), (1_000_000, 3_000_000), (50_000_000, 100_000_000)])
def test_as_much_as_the_job_needs_is_taken_and_given_back(monkeypatch: pytest.MonkeyPatch, pixel_bytes: int, touched: int) -> None:
    monkeypatch.setattr(memory, "MOST_BYTES", 100_000_000)
    tracemalloc.start()
    try:
        hand_out_memory(pixel_bytes)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert touched <= peak < touched + 1_000_000
    assert now < 1_000_000
