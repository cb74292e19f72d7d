"""Bytes to arrays and back: the only door to pixels.

PNG, JPEG and raw go to the core (pixstore.core), every other format to Pillow (pixstore.formats). What fails is reported
for all rows at once, by row, key and place.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore import formats
from pixstore.core import addresses, checksums, core, core_info, core_name, hash_bytes, hash_keys, hash_tiles, release, seeds, usable_cpus
from pixstore.encoding import encode
from pixstore.errors import BadRow, InvalidInputError, LimitExceededError
from pixstore.headers import JPEG, OTHER, PNG, RAW, RAW_PLANAR, RecordFailedError
from pixstore.probing import FETCHED_AT_ONCE, describe_encoded, probe, probe_all, probe_masked
from pixstore.records import Failure, Io, bad_rows, checks, core_place, fetch, fetch_masked, good_mask, record_error, take
from pixstore.rows import Records
from pixstore.schema import Format

__all__ = [
    "addresses",
    "checksums",
    "core_info",
    "core_name",
    "decode",
    "decode_masked",
    "describe_encoded",
    "encode",
    "fetch",
    "fetch_masked",
    "hash_bytes",
    "hash_keys",
    "hash_tiles",
    "probe",
    "probe_masked",
    "release",
    "seeds",
    "usable_cpus",
]

Arrays: TypeAlias = NDArray[Any] | list[NDArray[Any]]

NOTHING = Format(None, (0, 0, 3), "uint8")
"""What a bad record decodes to where nothing is known of its shape."""
NUMBERS = {"raw": RAW, "raw-planar": RAW_PLANAR, "png": PNG, "jpeg": JPEG}


def decode(records: Records, *, threads: int | None = None, verify: bool = True, out: NDArray[Any] | None = None, io: Io = "map") -> Arrays:
    """Return the arrays of the records: one of shape N·H·W·C, or a list of arrays where shapes or dtypes differ.

    Grey images give N·H·W, raw records N arrays of the shape they were stored with. `out` is filled and returned where given.
    Raises one RecordError that names every record that cannot be read or decoded.
    """
    arrays, failures = _decode(records, threads or 0, verify, out, io)
    if failures:
        raise record_error(records, failures)
    return arrays


def decode_masked(
    records: Records, *, threads: int | None = None, verify: bool = True, out: NDArray[Any] | None = None, io: Io = "map"
) -> tuple[Arrays, NDArray[np.bool_], list[BadRow]]:
    """Return what `decode` returns, zeros where a record is bad, which are good, and why the others are not."""
    arrays, failures = _decode(records, threads or 0, verify, out, io)
    return arrays, good_mask(len(records), failures), bad_rows(records, failures)


def _decode(records: Records, threads: int, verify: bool, out: NDArray[Any] | None, io: Io) -> tuple[Arrays, list[Failure]]:
    records, failures = probe_all(records)
    try:
        arrays, slots = _allocate(records, out)
    except MemoryError as error:
        raise LimitExceededError(f"{len(records)} images do not fit into memory ({error}); read fewer rows at a time") from error
    if not failures:
        return arrays, _fill(records, slots, threads, verify, io)
    each_slot = _each_slot(slots, len(records))
    for index, _, _ in failures:
        each_slot[index][:] = 0
    good = np.flatnonzero(good_mask(len(records), failures))
    more = _fill(take(records, good), [each_slot[index] for index in good.tolist()], threads, verify, io)
    return arrays, sorted([*failures, *((int(good[index]), kind, reason) for index, kind, reason in more)])


def _as_bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    return array.reshape(-1).view(np.uint8)


def _each_slot(slots: Any, count: int) -> list[NDArray[np.uint8]]:
    return slots if isinstance(slots, list) else list(slots.reshape(count, -1))


def _used(records: Records) -> Sequence[Format]:
    """Return the formats that occur; the first one where there are no records."""
    if len(records.formats) == 1:
        return records.formats
    if not len(records):
        return records.formats[:1]
    return [records.formats[number] for number in np.flatnonzero(np.bincount(records.format)).tolist()]


def _allocate(records: Records, out: NDArray[Any] | None) -> tuple[Arrays, Any]:
    """Return the arrays to fill, and the same memory as the core takes it: one buffer of equal slots, or one buffer each."""
    layouts = {(each.shape, each.dtype) for each in _used(records) if each.is_known}
    if len(layouts) == 1:
        shape, dtype = layouts.pop()
        array = _prepared((len(records), *(shape or ())), np.dtype(dtype), out)
        return array, _as_bytes(array)
    if out is not None:
        raise InvalidInputError("these images differ in shape or dtype: 'out' takes only equal ones; leave it away to get a list")
    chosen = [each if each.is_known else NOTHING for each in records.formats]
    arrays = [np.empty(chosen[number].shape or (), chosen[number].dtype) for number in records.format.tolist()]
    return arrays, [_as_bytes(array) for array in arrays]


def _prepared(shape: tuple[int, ...], dtype: np.dtype[Any], out: NDArray[Any] | None) -> NDArray[Any]:
    if out is None:
        return np.empty(shape, dtype)
    if out.shape != shape or out.dtype != dtype or not out.flags.c_contiguous or not out.flags.writeable:
        raise InvalidInputError(f"'out' is {out.dtype} of shape {out.shape}: writable C-contiguous {dtype} of shape {shape} is needed")
    return out


def _fill(records: Records, slots: Any, threads: int, verify: bool, io: Io) -> list[Failure]:
    if not len(records):
        return []
    used = _used(records)
    if any(each.codec not in NUMBERS for each in used):
        others = np.array([each.codec not in NUMBERS for each in records.formats], np.bool_)
        return _fill_mixed(records, slots, others[records.format], threads, verify, io)
    if len(used) == 1:
        codecs, shapes = _core_format(used[0])
    else:
        each_format = [_core_format(each) for each in records.formats]
        codecs = np.concatenate([codec for codec, _ in each_format])[records.format]
        shapes = np.concatenate([shape for _, shape in each_format])[records.format]
    options = {**checks(records, verify), "io": io, "threads": threads}
    return list(core().decode(core_place(records.place), codecs, shapes, slots, **options))


@functools.lru_cache(4096)
def _core_format(known: Format) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return codec number and (height, width, channels) as the core takes them for one record, and for all of this format.

    Raw records have any shape; the core looks at their size alone.
    """
    shape = (1, 1, 1) if known.codec == "raw" or known.shape is None else (*known.shape, 1, 1)[:3]
    return np.array([NUMBERS.get(known.codec or "", OTHER)], np.uint8), np.array([shape], np.int32)


def _fill_mixed(records: Records, slots: Any, others: NDArray[np.bool_], threads: int, verify: bool, io: Io) -> list[Failure]:
    """Fill the slots of records of which some are for Pillow."""
    each_slot = _each_slot(slots, len(records))
    failures: list[Failure] = []
    for_core, for_pillow = np.flatnonzero(~others), np.flatnonzero(others)
    if len(for_core):
        failed = _fill(take(records, for_core), [each_slot[index] for index in for_core.tolist()], threads, verify, io)
        failures.extend((int(for_core[index]), kind, reason) for index, kind, reason in failed)
    for start in range(0, len(for_pillow), FETCHED_AT_ONCE):
        rows = for_pillow[start : start + FETCHED_AT_ONCE]
        failed = _fill_by_pillow(take(records, rows), [each_slot[index] for index in rows.tolist()], threads, verify, io)
        failures.extend((int(rows[index]), kind, reason) for index, kind, reason in failed)
    return sorted(failures)


def _fill_by_pillow(records: Records, slots: list[NDArray[np.uint8]], threads: int, verify: bool, io: Io) -> list[Failure]:
    stored, failures = core().fetch(core_place(records.place), **checks(records, verify), io=io, threads=threads)
    failures = list(failures)
    unread = {index for index, _, _ in failures}
    for index, (data, number) in enumerate(zip(stored, records.format.tolist(), strict=True)):
        if index not in unread:
            try:
                slots[index][:] = _as_bytes(np.ascontiguousarray(_decode_by_pillow(data, records.formats[number])))
                continue
            except RecordFailedError as error:
                failures.append((index, error.kind, error.detail))
        slots[index][:] = 0
    return failures


def _decode_by_pillow(data: bytes, expected: Format) -> NDArray[Any]:
    pixels = formats.decode(data, expected.codec or "")
    height, width, *channels = expected.shape or (0, 0)
    same_shape = pixels.shape[:2] == (height, width) and [*pixels.shape[2:]] in (channels, [] if channels == [1] else channels)
    if not same_shape or pixels.dtype.name != expected.dtype:
        reason = f"the image is {pixels.dtype} of shape {pixels.shape}, {expected.dtype} of shape {expected.shape} is expected"
        raise RecordFailedError("mismatch", reason)
    return pixels
