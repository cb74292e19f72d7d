"""Records on their way into a store: read in one piece, looked at, checked and hashed in one pass of the core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixstore.core import core
from pixstore.errors import BadRow
from pixstore.probing import Check, formats_of, probe_all
from pixstore.records import Failure, bad_rows, core_place, good_mask, take
from pixstore.rows import Records, Slices


@dataclass(frozen=True)
class Ingested:
    """n records in memory. Those of `records.place` (Slices) with a negative length are bad, as `good` and `bad_rows` say too.

    `records` has the format of each good record and, where there are seeds, checksum and seed of each. `trailing` is the number of bytes
    after each image's end, which are kept; 0 where they were not looked for.
    """

    records: Records
    trailing: NDArray[np.int64]
    good: NDArray[np.bool_]
    bad_rows: list[BadRow]
    failures: list[Failure]

    @property
    def slices(self) -> Slices:
        """Where the records lie in memory."""
        assert isinstance(self.records.place, Slices), "made so by `ingest`"
        return self.records.place


def ingest(
    records: Records,
    *,
    seeds: NDArray[np.uint64] | None = None,
    check: Check = "structure",
    stamps: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    out: NDArray[np.uint8] | None = None,
    threads: int | None = None,
) -> Ingested:
    """Read these records into one buffer: their formats found, their checksums compared where they have some, and made with `seeds`.

    check: "header" or "structure", of images whose format is not known yet. stamps: size and mtime_ns of each record's file, as
    `codec.stat_files` returned them: a file that is another now is bad. out: the buffer to fill, a new one otherwise. Nothing is raised for
    bad records.
    """
    is_unknown = not any(each.is_known for each in records.formats)
    hashed_with = records.seed if records.checksum is not None else seeds
    data, offset, length, checksum, headers, failures = core().ingest(
        core_place(records.place),
        seeds=hashed_with,
        check=check if is_unknown else "none",
        size=None if stamps is None else stamps[0],
        mtime_ns=None if stamps is None else stamps[1],
        out=out,
        threads=threads or 0,
    )
    here = replace(records, place=Slices(data, offset, length))
    failures = [*failures, *_differing(records, checksum, length)]
    here, failures = _described(here, headers[:3] if is_unknown else None, failures, check)
    good = good_mask(len(records), failures)
    place = Slices(data, offset, np.where(good, length, -1))
    if seeds is not None and hashed_with is not seeds:
        checksum = core().checksum(core_place(place), seeds, threads=threads or 0)[0]
    here = replace(here, place=place, checksum=checksum, seed=hashed_with if seeds is None else seeds)
    return Ingested(here, headers[4], good, bad_rows(records, failures), failures)


def _differing(records: Records, found: NDArray[np.uint64] | None, length: NDArray[np.int64]) -> list[Failure]:
    """Return the records that were read, but are not those that their checksums say."""
    if records.checksum is None or found is None:
        return []
    wrong = np.flatnonzero((found != records.checksum) & (length >= 0))
    return [
        (row, "checksum", f"checksum is {int(found[row]):016x}, {int(records.checksum[row]):016x} was written") for row in wrong.tolist()
    ]


def _described(
    records: Records, headers: Sequence[NDArray[Any]] | None, failures: list[Failure], check: Check
) -> tuple[Records, list[Failure]]:
    """Return the records with their formats, and all failures; `headers` are those of records none of which had a format before."""
    if headers is not None:
        found, number, failures = formats_of(records, headers, failures)
        return replace(records, formats=found, format=number), failures
    good = np.flatnonzero(good_mask(len(records), failures))
    probed, more = probe_all(take(records, good), check=check)
    number = np.zeros(len(records), np.int32)
    number[good] = probed.format
    failures = sorted([*failures, *((int(good[index]), kind, reason) for index, kind, reason in more)])
    return replace(records, formats=probed.formats, format=number), failures
