"""Records into slots of memory, as they are stored or taken through steps: the core fills them, after Pillow where it must.

What the core decodes goes to it as it lies. Formats that Pillow decodes, and arrays of foreign byte order, are decoded here and handed
to the core as raw buffers. The steps are those of `load` in native/python/pixstore_native.pyi.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore import formats
from pixstore.core import core
from pixstore.errors import InvalidInputError
from pixstore.headers import JPEG, LZ4, OTHER, PNG, QOI, RAW, RAW_BGR, RAW_PLANAR, RAW_PLANAR_BGR, WEBP, ZSTD, RecordFailedError
from pixstore.probing import FETCHED_AT_ONCE
from pixstore.records import Failure, Io, checks, core_place, take
from pixstore.rows import Records
from pixstore.schema import ARRAY_CODECS, Format

Step: TypeAlias = tuple[Any, ...]
Way: TypeAlias = Literal["core", "python", "refused"]
Slots: TypeAlias = NDArray[np.uint8] | list[NDArray[np.uint8]]
"""One buffer of equal slots, or one buffer each, as bytes."""

NUMBERS = {
    "raw": RAW, "raw-planar": RAW_PLANAR, "raw-bgr": RAW_BGR, "raw-planar-bgr": RAW_PLANAR_BGR,
    "png": PNG, "jpeg": JPEG, "webp": WEBP, "qoi": QOI, "zstd": ZSTD, "lz4": LZ4,
}  # fmt: skip
ANY_SHAPE = ("raw", "zstd", "lz4")
"""Copied or inflated as they are where nothing is done with their pixels: the core looks at their size alone."""
ROWS = {"crop": (1, 2), "resample": (1, 2), "orient": (1,), "rotate": (1,), "jitter": (1, 2)}
"""Where each step has arrays with a row for each record; the step's name is at 0."""


@dataclass(frozen=True)
class _Job:
    steps: Sequence[Step] = ()
    exact: bool = False
    threads: int = 0
    verify: bool = True
    io: Io = "map"


@dataclass(frozen=True, eq=False)
class _Kind:
    """How records of one format come into their slots: what the core needs to know of each, and who reads them."""

    codec: NDArray[np.uint8]
    shape: NDArray[np.int32]
    sample_bytes: NDArray[np.uint8]
    way: Way


def fill(records: Records, slots: Slots, *, threads: int = 0, verify: bool = True, io: Io = "map") -> list[Failure]:
    """Decode the records into their slots, as they are stored; zero the slots of those that fail, and return these."""
    return _run(records, slots, _Job(threads=threads, verify=verify, io=io))


def load(
    records: Records,
    steps: Sequence[Step],
    out: NDArray[Any] | list[NDArray[Any]],
    *,
    exact: bool = False,
    threads: int | None = None,
    verify: bool = True,
    io: Io = "map",
) -> list[Failure]:
    """Take the records through the steps into their slots; return (record, kind, detail) of those that fail, ascending.

    `out` is one C-contiguous array of n equal slots along its first axis, of any dtype, or a list of n arrays; a slot has exactly the bytes
    of its result. The slot of a failed record is zeros. Arrays of steps have a row for each record, or one for all. Records must be
    probed; without steps any dtype is copied as `decode` does, through steps go uint8, bool (as 0 and 1) and uint16.
    Raises InvalidInputError where `out` does not fit the records.
    """
    return _run(records, _as_slots(out, len(records)), _Job(steps, exact, threads or 0, verify, io))


def take_steps(steps: Sequence[Step], rows: NDArray[np.int64]) -> list[Step]:
    """Return the steps of these records; arrays with one row for all stay as they are."""
    return [
        tuple(each[rows] if place in ROWS.get(step[0], ()) and len(each) > 1 else each for place, each in enumerate(step)) for step in steps
    ]


def stored_shapes(records: Records) -> NDArray[np.int32]:
    """Return (height, width, channels) of each record as stored, grey with 1 channel; zeros where it is unknown or no image."""
    numbers, of_record = _used_formats(records)
    if not len(numbers):
        return np.zeros((0, 3), np.int32)
    table = np.concatenate([_kind(records.formats[number], True).shape for number in numbers])
    return np.repeat(table, len(records), axis=0) if of_record is None else table[of_record]


# ---- which way each record goes ----


def _used_formats(records: Records) -> tuple[list[int], NDArray[np.int64] | None]:
    """Return the formats that occur, by number, and which of these each record has; None where all have one."""
    if not len(records):
        return [], None
    first = records.format[0]
    if len(records.formats) == 1 or (records.format == first).all():
        return [int(first)], None
    numbers, of_record = np.unique(records.format, return_inverse=True)
    return numbers.tolist(), of_record


@functools.lru_cache(4096)
def _kind(known: Format, has_steps: bool) -> _Kind:
    shape = (0, 0, 0) if known.shape is None or len(known.shape) not in (2, 3) else (*known.shape, 1)[:3]
    if known.codec in ANY_SHAPE and not has_steps:
        shape = (1, 1, 1)
    return _Kind(
        np.array([NUMBERS.get(known.codec or "", OTHER)], np.uint8),
        np.array([shape], np.int32),
        np.array([2 if known.dtype is not None and np.dtype(known.dtype).itemsize == 2 else 1], np.uint8),
        _way(known, has_steps),
    )


def _way(known: Format, has_steps: bool) -> Way:
    if has_steps:
        dtype = np.dtype(known.dtype or "V")
        if dtype.kind not in "bu" or dtype.itemsize > 2 or known.shape is None or len(known.shape) not in (2, 3):
            return "refused"
        if not dtype.isnative:
            return "python"
    return "core" if known.codec in NUMBERS else "python"


def _run(records: Records, slots: Slots, job: _Job) -> list[Failure]:
    numbers, of_record = _used_formats(records)
    if not numbers:
        return []
    kinds = [_kind(records.formats[number], bool(job.steps)) for number in numbers]
    if all(kind.way == "core" for kind in kinds):
        return _by_core(core_place(records.place), kinds, of_record, slots, job, checks(records, job.verify))
    ways = np.array([kind.way for kind in kinds])
    way = np.repeat(ways, len(records)) if of_record is None else ways[of_record]
    each_slot = slots if isinstance(slots, list) else list(slots.reshape(len(records), -1))
    failures = _run_rows(_run, records, each_slot, job, np.flatnonzero(way == "core"))
    failures += _run_rows(_refuse, records, each_slot, job, np.flatnonzero(way == "refused"))
    for part in _portions(np.flatnonzero(way == "python"), FETCHED_AT_ONCE):
        failures += _run_rows(_by_python, records, each_slot, job, part)
    return sorted(failures)


def _portions(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _run_rows(
    work: Callable[[Records, Slots, _Job], list[Failure]],
    records: Records,
    slots: list[NDArray[np.uint8]],
    job: _Job,
    rows: NDArray[np.int64],
) -> list[Failure]:
    chosen = rows.tolist()
    failed = work(take(records, rows), [slots[row] for row in chosen], replace(job, steps=take_steps(job.steps, rows)))
    return [(chosen[index], kind, reason) for index, kind, reason in failed]


def _by_core(place: Any, kinds: list[_Kind], of_record: Any, slots: Slots, job: _Job, checked: dict[str, Any]) -> list[Failure]:
    if of_record is None:
        codecs, shapes, sample_bytes = kinds[0].codec, kinds[0].shape, kinds[0].sample_bytes
    else:
        codecs = np.concatenate([kind.codec for kind in kinds])[of_record]
        shapes = np.concatenate([kind.shape for kind in kinds])[of_record]
        sample_bytes = np.concatenate([kind.sample_bytes for kind in kinds])[of_record]
    options = {**checked, "io": job.io, "threads": job.threads}
    if not job.steps:
        return list(core().decode(place, codecs, shapes, slots, **options))
    return list(core().load(place, codecs, shapes, sample_bytes, job.steps, slots, exact=job.exact, **options))


def _refuse(records: Records, slots: Slots, job: _Job) -> list[Failure]:
    for slot in slots:
        slot[:] = 0
    return [(index, "unsupported", _refusal(records.formats[number])) for index, number in enumerate(records.format.tolist())]


def _refusal(known: Format) -> str:
    if not known.is_known:
        return "its format is not known: nobody has looked at its header"
    return f"{known.dtype} of shape {known.shape} is no image that can be transformed: uint8 or uint16, H·W or H·W·C, is needed"


# ---- what the core does not read ----


def _by_python(records: Records, slots: Slots, job: _Job) -> list[Failure]:
    stored, failures = core().fetch(core_place(records.place), **checks(records, job.verify), io=job.io, threads=job.threads)
    failures = list(failures)
    unread = {index for index, _, _ in failures}
    to_rgb = bool(job.steps) and job.steps[0][0] == "color"
    pixels: dict[int, NDArray[Any]] = {}
    for index, (data, number) in enumerate(zip(stored, records.format.tolist(), strict=True)):
        if index not in unread:
            try:
                pixels[index] = _decoded(data, records.formats[number], to_rgb)
            except RecordFailedError as error:
                failures.append((index, error.kind, error.detail))
    for index, _, _ in failures:
        slots[index][:] = 0
    if pixels:
        rows = [*pixels]
        part = replace(job, steps=take_steps(job.steps, np.array(rows, np.int64)))
        failed = _by_core(*_as_raw([*pixels.values()]), [slots[index] for index in rows], part, {})
        failures.extend((rows[index], kind, reason) for index, kind, reason in failed)
    return sorted(failures)


def _as_raw(images: list[NDArray[Any]]) -> tuple[list[NDArray[np.uint8]], list[_Kind], NDArray[np.int64]]:
    kinds = [_kind(Format("raw", each.shape, each.dtype.name), True) for each in images]
    return [_as_bytes(each) for each in images], kinds, np.arange(len(images))


def _decoded(data: bytes, expected: Format, to_rgb: bool) -> NDArray[Any]:
    """Return the pixels of one record, contiguous and in native order; CMYK as RGB where colours are asked for."""
    if expected.codec in ARRAY_CODECS:
        return _decoded_raw(data, expected)
    pixels = formats.decode(data, expected.codec or "", cmyk_as_rgb=to_rgb)
    height, width, *channels = expected.shape or (0, 0)
    if expected.codec == "avif" and channels == [4] and pixels.shape[2:] == (3,):
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    found = [*pixels.shape[2:]]
    same_channels = found in (channels, [] if channels == [1] else channels, [3] if to_rgb and channels == [4] else channels)
    if pixels.shape[:2] != (height, width) or not same_channels or pixels.dtype.name != expected.dtype:
        reason = f"the image is {pixels.dtype} of shape {pixels.shape}, {expected.dtype} of shape {expected.shape} is expected"
        raise RecordFailedError("mismatch", reason)
    return np.ascontiguousarray(pixels)


def _decoded_raw(data: bytes, expected: Format) -> NDArray[Any]:
    if len(data) != expected.decoded_bytes:
        raise RecordFailedError("mismatch", f"the record has {len(data)} bytes, {expected.decoded_bytes} are expected")
    pixels = np.frombuffer(data, expected.dtype)
    height, width, channels = (*(expected.shape or (0, 0)), 1)[:3]
    if expected.codec in ("raw-planar", "raw-planar-bgr"):
        pixels = np.moveaxis(pixels.reshape(channels, height, width), 0, 2)
    pixels = pixels.reshape(height, width, channels)
    if expected.codec in ("raw-bgr", "raw-planar-bgr") and channels in (3, 4):
        pixels = pixels[:, :, [2, 1, 0, 3][:channels]]
    return np.ascontiguousarray(pixels, dtype=np.uint16)


def _as_slots(out: NDArray[Any] | list[NDArray[Any]], count: int) -> Slots:
    arrays = out if isinstance(out, list) else [out]
    if len(out) != count or not all(each.flags.c_contiguous and each.flags.writeable for each in arrays):
        what = f"{len(out)} slots for {count} records" if len(out) != count else "an array that is not writable and C-contiguous"
        raise InvalidInputError(f"'out' is {what}: one array of as many slots as records, or one array for each, is needed")
    return [_as_bytes(each) for each in out] if isinstance(out, list) else _as_bytes(out)


def _as_bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    return array.reshape(-1).view(np.uint8)
