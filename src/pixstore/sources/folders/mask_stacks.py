"""Many mask files of one sample, read as one array N·H·W."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pixstore import codec
from pixstore.errors import BadRow, CorruptRecordError, LimitExceededError, RecordError
from pixstore.rows import WHOLE_FILE, Buffer, Extents, Records
from pixstore.schema import Format

UNKNOWN = Format(None, None, None)
EMPTY_DTYPE = "uint8"
MOST_STACK_BYTES = 1 << 30


def whole_files(paths: Sequence[str], row: int, key: str) -> Records:
    """Return files of one sample as records, of which nothing is known before they are looked at."""
    count = len(paths)
    place = Extents(paths, np.arange(count, dtype=np.uint32), np.zeros(count, np.int64), np.full(count, WHOLE_FILE, np.int64))
    return Records(place, (UNKNOWN,), np.zeros(count, np.int32), lambda record: (row, key, paths[record]))


def read_stack(image: str, masks: Sequence[str], row: int, key: str) -> tuple[Buffer, Format]:
    """Return the masks of one image, one after the other, and the format of the whole: raw, (N, H, W), of the masks' own dtype.

    Without masks it has the shape (0, H, W). Raises a RecordError that names the row and the first file that is wrong: one that does not
    decode, has more than one channel, or is not as large as the image; LimitExceededError above 1 GiB.
    """
    size = _formats(whole_files([image], row, key))[0].shape or ()
    if not masks:
        return b"", Format("raw", (0, *size[:2]), EMPTY_DTYPE)
    records = codec.probe(whole_files(masks, row, key))
    formats = [records.formats[number] for number in records.format.tolist()]
    for path, found in zip(masks, formats, strict=True):
        reason = _why_unfit(found, formats[0], size)
        if reason is not None:
            raise CorruptRecordError("", [BadRow(row, key, path, reason)])
    shape = (len(masks), *(formats[0].shape or ())[:2])
    dtype = np.dtype(formats[0].dtype)
    needed = math.prod(shape) * dtype.itemsize
    if needed > MOST_STACK_BYTES:
        reason = f"{len(masks)} masks are {needed:,} bytes together, the limit is {MOST_STACK_BYTES:,}"
        raise LimitExceededError("", [BadRow(row, key, masks[0], reason)])
    pixels: NDArray[np.generic] = np.ascontiguousarray(codec.decode(records)).reshape(shape)
    return memoryview(cast(Buffer, pixels.view(np.uint8))).cast("B"), Format("raw", shape, dtype.name)


def _formats(records: Records) -> list[Format]:
    probed = codec.probe(records)
    return [probed.formats[number] for number in probed.format.tolist()]


def _why_unfit(found: Format, first: Format, image: Sequence[int]) -> str | None:
    shape = found.shape or ()
    if len(shape) != 2 and shape[2:] != (1,):
        return f"has {shape[2] if len(shape) == 3 else 'no'} channels; a mask has one, so save it in grey"
    if tuple(shape[:2]) != tuple(image[:2]):
        return f"is {shape[0]} × {shape[1]} pixels, its image {image[0]} × {image[1]}"
    return f"is of {found.dtype}, the mask before it of {first.dtype}" if found.dtype != first.dtype else None


def one_error(failures: Sequence[RecordError], asked: int) -> RecordError:
    """Return one error for all stacks that cannot be read; its class is theirs where they are of one kind."""
    bad = [each for failure in failures for each in failure.bad_rows[:1]]
    kinds = {type(each) for each in failures}
    return (kinds.pop() if len(kinds) == 1 else CorruptRecordError)(f"{len(bad)} of {asked} stacks of masks cannot be read", bad)
