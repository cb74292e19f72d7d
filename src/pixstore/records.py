"""Records as the core takes them, their stored bytes, and the errors of those that fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore import errors
from pixstore.core import core
from pixstore.errors import BadRow, InvalidInputError, RecordError
from pixstore.rows import Extents, JoinedPaths, Place, Records, Slices
from pixstore.schema import SOURCE_CODECS

Io: TypeAlias = Literal["map", "pread"]
Failure: TypeAlias = tuple[int, str, str]

ERRORS: dict[str, type[RecordError]] = {
    "missing": errors.MissingRecordError,
    "read": errors.ReadFailedError,
    "unsupported": errors.UnsupportedImageError,
    "limit": errors.LimitExceededError,
}


def core_place(place: Place) -> Any:
    """Return the place in the form that the core takes."""
    if isinstance(place, Extents):
        return core_paths(place.paths), place.file, place.offset, place.length
    if isinstance(place, Slices):
        return place.data, place.offset, place.length
    return place


def core_paths(paths: Sequence[str]) -> Any:
    """Return paths in the form that the core takes."""
    return paths.parts() if isinstance(paths, JoinedPaths) else paths


def take(records: Records, rows: NDArray[np.int64]) -> Records:
    """Return these rows of the records."""
    place = records.place
    taken: Place
    if isinstance(place, Extents):
        taken = Extents(place.paths, place.file[rows], place.offset[rows], place.length[rows])
    elif isinstance(place, Slices):
        taken = Slices(place.data, place.offset[rows], place.length[rows])
    else:
        taken = [place[row] for row in rows.tolist()]
    chosen = rows.tolist()
    return Records(
        taken,
        records.formats,
        records.format[rows],
        lambda index: records.name(chosen[index]),
        None if records.checksum is None else records.checksum[rows],
        None if records.seed is None else records.seed[rows],
    )


def in_source_order(records: Records) -> NDArray[np.bool_]:
    """Return which records are arrays in an order that only sources have: a store has their pixels otherwise."""
    return np.array([each.codec in SOURCE_CODECS for each in records.formats], np.bool_)[records.format]


def bad_rows(records: Records, failures: Sequence[Failure]) -> list[BadRow]:
    """Return the failures with the rows' numbers, keys and places."""
    return [BadRow(*records.name(index), reason) for index, _, reason in failures]


def record_error(records: Records, failures: Sequence[Failure]) -> RecordError:
    """Return one error that names every bad row; its class is that of the failures where they are of one kind."""
    classes = {ERRORS.get(kind, errors.CorruptRecordError) for _, kind, _ in failures}
    message = f"{len(failures)} of {len(records)} images cannot be read"
    return (classes.pop() if len(classes) == 1 else RecordError)(message, bad_rows(records, failures))


def checks(records: Records, verify: bool) -> dict[str, NDArray[np.uint64] | None]:
    """Return the arguments by which the core checks the records, none where it shall not."""
    return {"checksums": records.checksum, "seeds": records.seed} if verify and records.checksum is not None else {}


def fetch(records: Records, *, threads: int | None = None, verify: bool = True, io: Io = "map") -> list[bytes]:
    """Return the stored bytes of each record, checked against its checksum where there is one.

    Raises one RecordError that names every record that cannot be read.
    """
    stored, failures = core().fetch(core_place(records.place), **checks(records, verify), io=io, threads=threads or 0)
    if failures:
        raise record_error(records, failures)
    return list(stored)


def fetch_masked(
    records: Records, *, threads: int | None = None, verify: bool = True, io: Io = "map"
) -> tuple[list[bytes], NDArray[np.bool_], list[BadRow]]:
    """Return what `fetch` returns, b"" where a record is bad, which are good, and why the others are not."""
    stored, failures = core().fetch(core_place(records.place), **checks(records, verify), io=io, threads=threads or 0)
    return list(stored), good_mask(len(records), failures), bad_rows(records, failures)


def check(records: Records, *, threads: int | None = None, io: Io = "pread") -> list[Failure]:
    """Return which records, of any size, are not those that their checksums say; their bytes never reach Python.

    Raises InvalidInputError for records without checksums.
    """
    if records.checksum is None or records.seed is None:
        raise InvalidInputError("these records have no checksums to be compared with: sources have none, stores do")
    place = core_place(records.place)
    return list(core().check(place, checksums=records.checksum, seeds=records.seed, io=io, threads=threads or 0))


def check_masked(records: Records, *, threads: int | None = None, io: Io = "pread") -> tuple[NDArray[np.bool_], list[BadRow]]:
    """Return which records are those that their checksums say, and why the others are not."""
    failures = check(records, threads=threads, io=io)
    return good_mask(len(records), failures), bad_rows(records, failures)


def stat_files(paths: Sequence[str], *, threads: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Failure]]:
    """Return size and modification time (nanoseconds since 1970) of each file, -1 where there is none, and why.

    `JoinedPaths` cost no Python object per path. Links are followed, as they are where files are read.
    """
    size, mtime_ns, failures = core().stat_files(core_paths(paths), threads=threads or 0)
    return size, mtime_ns, list(failures)


def good_mask(count: int, failures: Sequence[Failure]) -> NDArray[np.bool_]:
    """Return which of `count` records did not fail."""
    good = np.ones(count, np.bool_)
    good[[index for index, _, _ in failures]] = False
    return good
