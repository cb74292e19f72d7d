"""Every candidate's figures, within a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pixstore.bench.advice.figures import FULL, Situation
from pixstore.bench.advice.gather import gather
from pixstore.bench.advice.survey import Survey, survey


def situation(found: Survey, **others: object) -> Situation:
    return Situation("train", found.images, len(found.sample), **others)  # type: ignore[arg-type]


def clock(*seconds: float, then: float) -> Callable[[], float]:
    """Return what tells the seconds left: first what one round of measuring may take, and at most, then what is left to foretell."""
    given = iter(seconds)
    return lambda: next(given, then)


def test_every_candidate_has_speed_disk_and_time_to_convert(photos: Path, tmp_path: Path) -> None:
    found = survey(photos)
    ways, notes, differences = gather(found, situation(found), tmp_path, "out", clock(0.1, 60.0, then=60.0), print)
    assert (notes, differences) == ([], [])
    assert [way.is_source for way in ways] == [True, False, False, False, False, False]
    for way in ways:
        assert way.seconds and way.disk_bytes and way.convert_seconds is not None and way.error is None
        assert not way.cold_seconds
    assert not (tmp_path / "out").exists() and not list((tmp_path / "lab").iterdir())
    found.sample.close()


def test_what_there_is_no_time_for_is_scaled_from_the_sample_and_said(photos: Path, tmp_path: Path) -> None:
    found = survey(photos, most_images=6)
    ways, notes, _ = gather(found, situation(found), tmp_path, "out", clock(0.1, 60.0, then=0.0), print)
    assert len(notes) == 1 and "no time was left" in notes[0] and "packed + raw" in notes[0]
    packed = next(way for way in ways if way.way == "packed/keep")
    assert packed.convert_seconds is None and packed.disk_bytes is not None and packed.disk_bytes >= found.plan.bytes.sum()
    found.sample.close()


@pytest.mark.parametrize(("memory", "is_cold"), [(1, True), (1 << 40, False)])
def test_reads_from_the_medium_are_measured_where_memory_may_not_do(memory: int, is_cold: bool, arrays: Path, tmp_path: Path) -> None:
    found = survey(arrays)
    ways, _, _ = gather(found, situation(found, memory_bytes=memory), tmp_path, "out", clock(0.1, 60.0, then=0.0), print)
    assert all((FULL in way.cold_seconds) is is_cold for way in ways if not way.is_source)
    found.sample.close()
