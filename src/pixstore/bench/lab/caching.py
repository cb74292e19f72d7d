"""A timing from cold or from warm files, with the proof: what lay in memory before and after it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from pixstore.bench.lab.lab import Lab
from pixstore.bench.residency import Residency, files_below, make_cold, make_warm, read_from_disk, residency
from pixstore.bench.timing import Timing, timed
from pixstore.bench.ways.base import Way, Work
from pixstore.errors import PixstoreError
from pixstore.rows import Extents

COLD: Literal["cold"] = "cold"
WARM: Literal["warm"] = "warm"
Cache: TypeAlias = Literal["cold", "warm"]
WARM_PART = 0.99
"""Files of which at least this part lies in memory count as warm."""
Result = TypeVar("Result")


class CacheStateError(PixstoreError):
    """Files could not be made as cold, or as warm, as the cell says."""


@dataclass(frozen=True)
class CacheRead(Generic[Result]):
    """A timed read: its result, the bytes that the disk gave for it (None where not counted), and the proof of the cache's state."""

    timing: Timing
    result: Result
    disk_bytes: int | None
    proof: dict[str, Any]

    @property
    def measures(self) -> dict[str, float]:
        disk = {} if self.disk_bytes is None else {"disk_read_bytes": float(self.disk_bytes)}
        return {"cpu_seconds": self.timing.cpu_seconds, **disk}


def files_of(lab: Lab, way: Way, work: Work) -> list[str]:
    """Return the files that this way reads the work from. Raises CacheStateError where they cannot be named."""
    if way.stores:
        return files_below(lab.stored(way, work))
    dataset = lab.sample.dataset
    records = None if dataset is None or work.rows is None else dataset.extents(lab.sample.image_field, work.rows)
    if records is None or not isinstance(records.place, Extents):
        raise CacheStateError("which files the source's images lie in cannot be told: they are in memory, or its own library finds them")
    return [str(path) for path in records.place.paths]


def read_from(cache: Cache, files: Sequence[str], action: Callable[[], Result], pixel_bytes: int) -> CacheRead[Result]:
    """Make the files cold or warm, time the action, and say what lay in memory right before and after.

    Raises CacheStateError where they would not become so: a cell never shows a cold read that was not cold.
    """
    # What an earlier reader left to the garbage collector may still have the files mapped, and mapped pages do not leave.
    gc.collect()
    before = make_cold(files) if cache == COLD else make_warm(files)
    _check(cache, before)
    disk_before = read_from_disk()
    timing, result = timed(action, pixel_bytes)
    disk_after = read_from_disk()
    after = residency(files)
    disk_bytes = None if disk_before is None or disk_after is None else disk_after - disk_before
    proof = {
        "resident_before_pages": before.resident,
        "resident_after_pages": after.resident,
        "pages": before.pages,
        "method": before.method,
        "stayed": list(before.stayed),
    }
    return CacheRead(timing, result, disk_bytes, proof)


def _check(cache: Cache, found: Residency) -> None:
    if not found.pages:
        raise CacheStateError("no file holds these images: nothing can be cold or warm")
    if found.part is None:
        raise CacheStateError("this system does not tell what of these files lies in memory: cold and warm cannot be told apart")
    if cache == COLD and not found.is_cold:
        raise CacheStateError(f"not cold: {found.resident:,} of {found.pages:,} pages stayed in memory; {found.stayed[0]}")
    if cache == WARM and found.part < WARM_PART:
        raise CacheStateError(
            f"not warm: only {found.resident:,} of {found.pages:,} pages stay in memory; it may be too small for these images"
        )
