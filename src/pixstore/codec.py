"""Bytes to arrays and back: the only door to pixels.

PNG, JPEG and raw go to the core (pixstore.core), every other format to Pillow (pixstore.formats). `decode` and `load` take the same way
(pixstore.slots): the one makes the arrays, the other fills slots and takes pixels through steps on their way. What fails is reported
for all rows at once, by row, key and place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore.core import (
    addresses,
    checksums,
    core_info,
    core_name,
    hash_bytes,
    hash_file_tiles,
    hash_keys,
    hash_tiles,
    release,
    seeds,
    usable_cpus,
)
from pixstore.encoding import encode
from pixstore.errors import BadRow, InvalidInputError, LimitExceededError
from pixstore.ingest import Ingested, ingest
from pixstore.probing import describe_encoded, orientations, probe, probe_all, probe_masked
from pixstore.records import (
    Failure,
    Io,
    bad_rows,
    check,
    check_masked,
    fetch,
    fetch_masked,
    good_mask,
    in_source_order,
    record_error,
    stat_files,
    take,
)
from pixstore.rows import Records
from pixstore.schema import Format
from pixstore.slots import fill, load, stored_shapes, take_steps

__all__ = [
    "Ingested",
    "addresses",
    "bad_rows",
    "check",
    "check_masked",
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
    "hash_file_tiles",
    "hash_keys",
    "hash_tiles",
    "in_source_order",
    "ingest",
    "load",
    "orientations",
    "probe",
    "probe_all",
    "probe_masked",
    "record_error",
    "release",
    "seeds",
    "stat_files",
    "stored_shapes",
    "take",
    "take_steps",
    "usable_cpus",
]

Arrays: TypeAlias = NDArray[Any] | list[NDArray[Any]]

NOTHING = Format(None, (0, 0, 3), "uint8")
"""What a bad record decodes to where nothing is known of its shape."""


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
        return arrays, fill(records, slots, threads=threads, verify=verify, io=io)
    each_slot = _each_slot(slots, len(records))
    for index, _, _ in failures:
        each_slot[index][:] = 0
    good = np.flatnonzero(good_mask(len(records), failures))
    more = fill(take(records, good), [each_slot[index] for index in good.tolist()], threads=threads, verify=verify, io=io)
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
