"""Whole jobs as questions measure them: storing everything in a fresh folder, and reading everything in random order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pixstore.bench.lab.lab import Lab, kept_bytes
from pixstore.bench.lab.question import Observed
from pixstore.bench.timing import timed
from pixstore.bench.ways.base import Found, Way, Work

MEGABYTES = "megabytes_per_second"
CPU = "cpu_seconds"


def store(lab: Lab, way: Way, work: Work, look: Callable[[Path], Mapping[str, float]]) -> Observed:
    """Return what storing took, with what `look` measures in the folder afterwards; the folder is removed."""
    place = lab.fresh(way.name, kept_bytes(way, work))
    try:
        timing, _ = timed(lambda: way.store_many(place, work), work.pixel_bytes)
        measures = look(place)
    finally:
        lab.remove(place)
    return Observed(timing.seconds, {MEGABYTES: work.pixel_bytes / 1e6 / timing.seconds, CPU: timing.cpu_seconds, **measures})


def nothing(found: Found) -> Mapping[str, float]:
    """Return no further measure."""
    return {}


def read(lab: Lab, way: Way, work: Work, look: Callable[[Found], Mapping[str, float]] = nothing) -> Observed:
    """Return what opening and reading in the order of `work.order` took, with what `look` measures in the images.

    Raises DifferenceError where other images or labels came back.
    """
    place = lab.stored(way, work)
    timing, found = timed(lambda: way.read_shuffled(place, work), work.pixel_bytes)
    lab.check(way, found, work, work.order)
    return Observed(timing.seconds, {MEGABYTES: work.pixel_bytes / 1e6 / timing.seconds, CPU: timing.cpu_seconds, **look(found)})
