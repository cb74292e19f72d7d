"""What the machine can do at best, measured in the same run: copying, inflating, writing; the ways are held against it."""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixstore import codec
from pixstore.bench import machine
from pixstore.bench.ways.base import Work
from pixstore.rows import Buffer, Records
from pixstore.schema import Format

MEASURED_IMAGES = 5_000
"""Inflating and decoding are measured on so many images at most and scaled up."""
WRITE_CHUNK_BYTES = 8 << 20
REPEATS = 3
PNG_HEADER_BYTES = 8


def measure(work: Work, folder: Path) -> dict[str, float]:
    """Return the least seconds this work can take.

    "copy" and "gather" (shuffled) of the decoded pixels into one new block of memory; "inflate" of the same images as PNG, by
    zlib, on one CPU divided by the CPUs in use; "decode" of the source's own encoded bytes, which lie in memory; "write" of the
    decoded pixels end to end into one file, "write-synced" until they are on the disk. "images" and "bytes" say how many.
    """
    limits = {"images": float(len(work)), "bytes": float(work.pixel_bytes)}
    limits["copy"] = _best(lambda: _gather(work, np.arange(len(work))))
    limits["gather"] = _best(lambda: _gather(work, work.order))
    limits["write"] = _best(lambda: _write(work, folder, is_synced=False))
    limits["write-synced"] = _best(lambda: _write(work, folder, is_synced=True))
    if work.encoded is None:
        limits["inflate"] = _inflate(work)
    else:
        limits["decode"] = _decode(work.encoded)
    return limits


def _best(action: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def _gather(work: Work, order: NDArray[np.int64]) -> object:
    if isinstance(work.images, np.ndarray):
        return np.take(work.images, order, axis=0)
    return [work.images[row].copy() for row in order.tolist()]


def _write(work: Work, folder: Path, *, is_synced: bool) -> None:
    path = folder / "sequential"
    with open(path, "wb", buffering=WRITE_CHUNK_BYTES) as file:
        if isinstance(work.images, np.ndarray):
            flat = np.ascontiguousarray(work.images).data.cast("B")
            for start in range(0, len(flat), WRITE_CHUNK_BYTES):
                file.write(flat[start : start + WRITE_CHUNK_BYTES])
        else:
            for image in work.images:
                file.write(np.ascontiguousarray(image).data)
        if is_synced:
            file.flush()
            os.fsync(file.fileno())
    path.unlink()


def _inflate(work: Work) -> float:
    count = min(len(work), MEASURED_IMAGES)
    records = codec.encode(work.images[:count], "png").slices.views()
    bodies = [_png_data(bytes(record)) for record in records if record is not None]
    sizes = [image.nbytes + image.shape[0] for image in work.images[:count]]
    pairs = list(zip(bodies, sizes, strict=True))
    seconds = _best(lambda: [zlib.decompress(body, bufsize=size) for body, size in pairs])
    return seconds / machine.usable_cpus() * len(work) / count


def _png_data(record: bytes) -> bytes:
    """Return the compressed pixels of a PNG that we have just made: its IDAT chunks, end to end."""
    found = []
    start = PNG_HEADER_BYTES
    while start < len(record):
        length, kind = struct.unpack_from(">I4s", record, start)
        if kind == b"IDAT":
            found.append(record[start + 8 : start + 8 + length])
        start += length + 12
    return b"".join(found)


def _decode(encoded: Sequence[bytes]) -> float:
    count = min(len(encoded), MEASURED_IMAGES)
    unknown = [Format(None, None, None)]
    place: list[Buffer] = list(encoded[:count])
    records = codec.probe(Records(place, unknown, np.zeros(count, np.int32), lambda row: (row, str(row), "memory")))
    return _best(lambda: codec.decode(records)) * len(encoded) / count
