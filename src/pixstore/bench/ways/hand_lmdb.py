"""LMDB by hand: one environment in one file, batches of puts, and for each image a small header and its bytes, without pickle.

Keys are big-endian numbers, so they are appended in order. Readers take no lock (nobody writes any more), and look at values in place
(`buffers=True`); what is read is copied once, before the transaction ends.
"""

from __future__ import annotations

import io
import mmap
import struct
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import lmdb
import numpy as np
from numpy.typing import NDArray

from pixstore.bench.ways.base import Found, Image, Reader, Work
from pixstore.bench.ways.by_hand import HandWay, decoded, require_pillow, run_of
from pixstore.errors import CorruptStoreError

FILE = "images.lmdb"
IMAGES_PER_TRANSACTION = 1000
HEADER = struct.Struct("<q4s3I")
"""Label, dtype as NumPy writes it ("|u1", or "" for encoded bytes), height, width, channels (0 for H·W)."""
ROW_HEADER: list[Any] = [("label", "<i8"), ("kind", "S4"), ("shape", "<u4", 3)]
ENCODED = b""


class HandLmdb(HandWay):
    """Batches of 1,000 images per transaction, and one sync to the disk at the end, as for any bulk load.

    per_transaction: how many images are put between two commits. sync: "commit" is LMDB's own default, "never" leaves the disk to
    the system.
    """

    name = "hand-lmdb"

    def __init__(self, *, per_transaction: int = IMAGES_PER_TRANSACTION, sync: Literal["commit", "end", "never"] = "end") -> None:
        self._per_transaction = per_transaction
        self._sync = sync

    def store_many(self, folder: Path, work: Work) -> None:
        require_pillow(work, self.name)
        values = records(work)
        with lmdb.open(str(folder / FILE), subdir=False, map_size=map_bytes(work), sync=self._sync == "commit") as environment:
            for start in range(0, len(work), self._per_transaction):
                with environment.begin(write=True) as transaction:
                    for number, value in enumerate(islice(values, self._per_transaction), start):
                        transaction.put(key_of(number), value, append=True)
            if self._sync == "end":
                environment.sync(True)

    def reader(self, folder: Path, work: Work) -> Reader:
        return HandLmdbReader(folder)


class HandLmdbReader(Reader):
    """An open environment; one transaction per call, which any thread may make.

    readahead=False tells the system to read no more from the disk than is asked. has_buffers=False has py-lmdb copy every value.
    """

    def __init__(self, folder: Path, *, readahead: bool = True, has_buffers: bool = True) -> None:
        self._has_buffers = has_buffers
        self._environment: Any = lmdb.open(str(folder / FILE), subdir=False, readonly=True, lock=False, readahead=readahead)

    def read(self, rows: NDArray[np.int64]) -> Found:
        with self._environment.begin(buffers=self._has_buffers) as transaction:
            return assemble(values_of(transaction, rows))

    def close(self) -> None:
        self._environment.close()


def key_of(number: int) -> bytes:
    """Return the key of an image: its number, so that keys sort as numbers do."""
    return number.to_bytes(4, "big")


def records(work: Work) -> Iterator[bytes]:
    """Yield what is kept of each image: the header, then its pixels or its encoded bytes."""
    for number, label in enumerate(work.labels.tolist()):
        if work.encoded is not None:
            yield HEADER.pack(label, ENCODED, 0, 0, 0) + work.encoded[number]
            continue
        image = np.ascontiguousarray(work.images[number])
        height, width, channels = (*image.shape, 0)[:3]
        yield HEADER.pack(label, image.dtype.str.encode(), height, width, channels) + image.data


def map_bytes(work: Work) -> int:
    """Return a map size that surely suffices: the images in whole pages, keys and inner pages, and room for changed pages."""
    kept = work.pixel_bytes if work.encoded is None else sum(map(len, work.encoded))
    return 2 * (kept + len(work) * 2 * mmap.PAGESIZE) + (16 << 20)


def values_of(transaction: Any, rows: NDArray[np.int64]) -> list[Any]:
    """Return the value of each row: by a cursor where rows follow each other, else by their keys."""
    if len(rows) > 1 and (run := run_of(rows)):
        cursor = transaction.cursor()
        values = list(islice(cursor.iternext(keys=False), len(run))) if cursor.set_key(key_of(run[0])) else []
    else:
        values = [transaction.get(key_of(number)) for number in rows.tolist()]
    if len(values) < len(rows) or None in values:
        raise CorruptStoreError(f"only {sum(value is not None for value in values)} of {len(rows)} images are in the environment")
    return values


def assemble(values: list[Any]) -> Found:
    """Return copies of the images in these values: one array where all are alike, else one each."""
    alike = _alike(values)
    if alike is not None:
        return alike
    found = [_single(value) for value in values]
    return Found([image for image, _ in found], [label for _, label in found])


def _alike(values: list[Any]) -> Found | None:
    if not values or len(set(map(len, values))) > 1:
        return None
    _, kind, *shape = HEADER.unpack_from(values[0])
    kind = kind.rstrip(b"\0")
    if kind == ENCODED:
        return None
    # One join copies every value out of the map; labels and pixels are views of it, until the pixels are put side by side.
    rows = np.frombuffer(b"".join(values), _row_type(kind.decode(), tuple(shape if shape[2] else shape[:2])))
    if len(values) > 1 and not bool((rows["shape"] == shape).all() and (rows["kind"] == kind).all()):
        return None
    return Found(np.ascontiguousarray(rows["pixels"]), rows["label"])


@cache
def _row_type(kind: str, shape: tuple[int, ...]) -> np.dtype[Any]:
    """Return the type of a whole value: header and pixels of this dtype and shape."""
    return np.dtype([*ROW_HEADER, ("pixels", kind, shape)])


def _single(value: Any) -> tuple[Image, int]:
    label, kind, height, width, channels = HEADER.unpack_from(value)
    kind = kind.rstrip(b"\0")
    if kind == ENCODED:
        return decoded(io.BytesIO(value[HEADER.size :])), label
    shape = (height, width, channels) if channels else (height, width)
    return np.frombuffer(value, kind.decode(), offset=HEADER.size).reshape(shape).copy(), label


WAY = HandLmdb()
