from __future__ import annotations

import gc
import time

from pixstore.bench.timing import timed


def test_the_action_runs_once_and_its_result_and_times_come_back() -> None:
    calls = []

    def action() -> str:
        calls.append(gc.get_freeze_count())
        time.sleep(0.01)
        return "result"

    timing, result = timed(action, pixel_bytes=1000)
    gc.unfreeze()
    assert result == "result"
    # What the bench holds is frozen before the action begins.
    assert len(calls) == 1 and calls[0] > 0
    assert timing.seconds >= 0.01
    # Sleeping costs no CPU.
    assert timing.cpu_seconds < timing.seconds


def test_work_costs_cpu() -> None:
    timing, _ = timed(lambda: sum(range(300_000)), pixel_bytes=0)
    gc.unfreeze()
    assert timing.cpu_seconds > 0
