"""Records to the pixels that are wanted of them: decoded in full, then taken through steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pixstore.headers import JPEG, Record, RecordFailedError
from pixstore.reference.buffers import Buffer, Bytes, slots_of
from pixstore.reference.pixels import MAX_PIXELS, decode_record
from pixstore.reference.places import MAX_BYTES, Failure, Io, Place, count_of, each_record, read_checked
from pixstore.reference.steps import Step, check_steps, through_steps

DTYPES = {1: np.uint8, 2: np.uint16}


def load(
    place: Place,
    codecs: Bytes,
    shapes: NDArray[np.int32],
    sample_bytes: Bytes,
    steps: Sequence[Step],
    out: Buffer | list[Buffer],
    *,
    exact: bool = False,
    checksums: NDArray[np.uint64] | None = None,
    seeds: NDArray[np.uint64] | None = None,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    io: Io = "map",
    threads: int = 0,
) -> list[Failure]:
    """Read, check and decode n records, take each through the steps, and put the results into their slots.

    `exact` has no effect: images are always decoded in full. Raises ValueError for arguments that do not fit together.
    """
    count = count_of(place)
    slots = slots_of(out, count)
    for name, rows in (("codecs", codecs), ("shapes", shapes), ("sample_bytes", sample_bytes)):
        if len(rows) not in (1, count):
            raise ValueError(f"{len(rows)} {name} for {count} records: one row, or one for each, is needed")
    if not np.isin(sample_bytes, [*DTYPES]).all():
        raise ValueError("samples have 1 or 2 bytes")
    check_steps(steps, count)

    def work(index: int, record: Record) -> None:
        data = read_checked(record, index, checksums, seeds, max_bytes)
        codec, depth = (int(each[index if len(each) > 1 else 0]) for each in (codecs, sample_bytes))
        height, width, channels = shapes[index if len(shapes) > 1 else 0].tolist()
        stored = decode_record(data, codec, (height, width, channels), height * width * channels * depth, max_pixels)
        pixels = stored.view(DTYPES[depth]).reshape(height, width, channels)
        _put(through_steps(pixels, steps, index, max_pixels, is_cmyk=codec == JPEG and channels == 4), slots[index])

    failures = each_record(place, work)
    for index, _, _ in failures:
        slots[index][:] = 0
    return failures


def _put(pixels: NDArray[np.uint8], slot: Bytes) -> None:
    if pixels.nbytes != slot.size:
        raise RecordFailedError("mismatch", f"the result is {pixels.dtype} of shape {pixels.shape}, the slot has {slot.size} bytes")
    slot[:] = np.ascontiguousarray(pixels).reshape(-1).view(np.uint8)
