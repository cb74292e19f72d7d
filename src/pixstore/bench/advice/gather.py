"""Every candidate's figures: measured on the sample, and foretold for the whole source, within a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pixstore.bench import machine
from pixstore.bench.advice.candidates import Candidate, candidates
from pixstore.bench.advice.costs import cost
from pixstore.bench.advice.figures import Figures, Situation
from pixstore.bench.advice.forecast import forecast
from pixstore.bench.advice.measure import Measured, Wanted, measure
from pixstore.bench.advice.survey import Survey
from pixstore.bench.lab.lab import Lab
from pixstore.errors import PixstoreError

MEASURING_PART, MOST_MEASURING_PART = 0.6, 0.8
"""Of what is left after opening: usually, and where every candidate's first time takes longer."""
FORECAST_SECONDS = 0.4
LEAST_FORECAST_SECONDS = 1.5
"""With less time left, or less than twice what the one before took, no other is begun."""


def gather(
    found: Survey, situation: Situation, folder: Path, name: str, left: Callable[[], float], tell: Callable[[str], None]
) -> tuple[list[Figures], list[str], list[str]]:
    """Return the figures of every candidate, notes on what could not be measured, and what was read back other than it was stored."""
    cpus = machine.usable_cpus()
    chosen = candidates(found.sample, situation.use, cpus)
    largest = found.disk_bytes if found.sample.is_encoded else max(found.disk_bytes, int(found.pixel_bytes))
    lab = Lab(found.sample, [each.way for each in chosen], folder / "lab", cpus)
    wanted = Wanted(situation.use, situation.edit, largest > situation.memory_bytes, cpus)
    measured, differences = measure(lab, chosen, wanted, MEASURING_PART * left(), MOST_MEASURING_PART * left(), tell)
    lab.clear()
    ways = [_as_figures(found, candidate, each) for candidate, each in zip(chosen, measured, strict=True)]
    notes = [note for each in measured for note in each.notes]
    return _foretold(found, ways, situation, folder / name, left, tell, notes), notes, differences


def _as_figures(found: Survey, candidate: Candidate, measured: Measured) -> Figures:
    is_source = candidate.engine is None
    scaled = None if measured.sample_bytes is None else int(measured.sample_bytes * found.images / len(found.sample))
    return Figures(
        candidate.way.name, candidate.title, candidate.engine, candidate.codec, candidate.level, measured.seconds, measured.cold_seconds,
        found.opening_seconds if is_source else measured.opening_seconds, found.disk_bytes if is_source else scaled,
        0.0 if is_source else None, measured.edit_seconds, measured.verify_seconds, candidate.is_decoded, measured.error,
        measured.differs,
    )  # fmt: skip


def _foretold(
    found: Survey,
    ways: Sequence[Figures],
    situation: Situation,
    place: Path,
    left: Callable[[], float],
    tell: Callable[[str], None],
    notes: list[str],
) -> list[Figures]:
    """Return the figures with time and disk of converting everything, the best ways first as long as there is time."""
    known = {way.way: value.median for way in ways if (value := cost(way, situation)) is not None}
    skipped, needed = [], LEAST_FORECAST_SECONDS
    for way in sorted((way for way in ways if way.way in known and not way.is_source), key=lambda each: known[each.way]):
        before = left()
        if before < needed:
            skipped.append(way.title)
            continue
        tell(f"foretelling the conversion to {way.title}")
        ways = [_with_forecast(found, each, place, notes) if each is way else each for each in ways]
        needed = max(LEAST_FORECAST_SECONDS, 2 * (before - left()))
    if skipped:
        notes.append(f"no time was left to foretell the conversion to {', '.join(skipped)}: disk by the sample alone")
    return list(ways)


def _with_forecast(found: Survey, way: Figures, place: Path, notes: list[str]) -> Figures:
    assert way.engine is not None and way.codec is not None
    try:
        expected = forecast(found, place, way.engine, way.codec, way.level, cpus=machine.usable_cpus(), seconds=FORECAST_SECONDS)
    except (PixstoreError, OSError) as error:
        notes.append(f"{way.title}: the conversion cannot be foretold: {error}")
        return way
    return replace(way, disk_bytes=expected.allocated, convert_seconds=expected.seconds)
