"""Whole records on their way into a store: read end to end, looked at, hashed."""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from pixstore.headers import OTHER, Header, Record, RecordFailedError
from pixstore.reference.buffers import Buffer, Bytes, as_bytes
from pixstore.reference.files import stamp_of
from pixstore.reference.hashes import hash_bytes
from pixstore.reference.pixels import MAX_PIXELS, Check, look
from pixstore.reference.places import MAX_BYTES, Failure, FileRecord, Place, count_of, each_record, read_checked

Headers = tuple[Bytes, NDArray[np.int32], Bytes, Bytes, NDArray[np.int64]]


def ingest(
    place: Place,
    *,
    seeds: NDArray[np.uint64] | None = None,
    check: Check = "structure",
    size: NDArray[np.int64] | None = None,
    mtime_ns: NDArray[np.int64] | None = None,
    out: Buffer | None = None,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    threads: int = 0,
) -> tuple[Buffer, NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64] | None, Headers, list[Failure]]:
    """Return data, offset, length, checksums, headers and failures of n records read end to end."""
    count = count_of(place)
    if check not in get_args(Check):
        raise ValueError(f"check {check!r} is none of {', '.join(get_args(Check))}")
    if (size is None) != (mtime_ns is None):
        raise ValueError("`size` and `mtime_ns` go together; pass both or none")
    stored = [b""] * count
    looked = [(Header(OTHER), 0)] * count

    def work(index: int, record: Record) -> None:
        known = None if size is None or mtime_ns is None else (int(size[index]), int(mtime_ns[index]))
        _require_same(record, known)
        data = read_checked(record, index, None, None, max_bytes)
        _require_same(record, known)
        looked[index] = look(record, check, max_pixels)
        stored[index] = data

    failures = each_record(place, work)
    length = np.array([len(each) for each in stored], np.int64)
    offset = np.cumsum(length) - length
    length[[index for index, _, _ in failures]] = -1
    checksums = (
        None if seeds is None else np.array([hash_bytes(each, int(seed)) for each, seed in zip(stored, seeds, strict=True)], np.uint64)
    )
    return _laid_out(b"".join(stored), out), offset, length, checksums, _columns(looked), failures


def _require_same(record: Record, known: tuple[int, int] | None) -> None:
    if known is None or not isinstance(record, FileRecord):
        return
    now = stamp_of(record.descriptor)
    if now != known:
        raise RecordFailedError("changed", f"has {now[0]} bytes of time {now[1]} now, had {known[0]} of time {known[1]} when it was listed")


def _laid_out(data: bytes, out: Buffer | None) -> Buffer:
    if out is None:
        return np.frombuffer(data, np.uint8)
    room = as_bytes(out)
    if len(room) < len(data):
        raise ValueError(f"`out` has {len(room)} bytes, {len(data)} are needed for these records")
    room[: len(data)] = np.frombuffer(data, np.uint8)
    return out


def _columns(looked: list[tuple[Header, int]]) -> Headers:
    headers = [header for header, _ in looked]
    return (
        np.array([each.codec for each in headers], np.uint8),
        np.array([(each.height, each.width, each.channels) for each in headers], np.int32).reshape(-1, 3),
        np.array([each.sample_bytes for each in headers], np.uint8),
        np.array([each.orientation for each in headers], np.uint8),
        np.array([trailing for _, trailing in looked], np.int64),
    )
