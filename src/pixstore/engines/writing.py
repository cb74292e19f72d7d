"""What the shard writers of all engines share: failing clean, writing runs of bytes, reaching the medium, proving extents."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixstore.disk import remove, sync_file, sync_folder, translated
from pixstore.engine import RecordBatch, ShardReader, ShardWriter
from pixstore.errors import CorruptStoreError, DestinationExistsError, SchemaError, WriterClosedError
from pixstore.rows import Buffer, Extents, Indices, Slices
from pixstore.schema import Schema

MOST_BUFFERS = 1024
"""IOV_MAX on Linux and macOS: how many buffers one writev takes."""
MOST_BYTES = 1 << 20
"""Of one write. Linux caches a larger one in pages of up to 2 MiB, which it must first find in a piece: 30 MB took 7 ms in writes of 1 MiB
and 85 ms in writes of 4 MiB, on a virtual machine whose free memory was in small pieces."""

BLOCK_BYTES = 4096
"""What a file system gives out at least, so what is needed at least where it gives nothing."""


PROBE_BYTES = 16 << 20
"""Written to learn why a library could not write."""


class GuardedWriter(ShardWriter):
    """A shard writer that fails clean: after any error nothing of the shard is left, and it takes no more rows.

    An engine fills in `_append`, `_seal` and `_close`, and `_library_errors` where its library has errors of its own. `_descriptor` is the
    shard's file or folder, opened before the first write: a sync through it tells of every write to the medium that failed since, which
    one through a descriptor opened later may not.
    """

    def __init__(self, path: Path, schema: Schema, *, durable: bool) -> None:
        self.path = path
        self.schema = schema
        self.durable = durable
        self._accepts = True
        self._bytes = 0
        self._descriptor = -1

    def append(self, records: RecordBatch) -> None:
        """Append these rows. Raises StoreFullError, ReadOnlyError; after any error the shard is gone."""
        size = sum(int(each.slices.length.clip(0).sum()) for each in records.fields.values())
        self._bytes += size
        with self._guarded(size):
            if set(records.fields) != set(self.schema.field_names):
                raise SchemaError(f"rows with fields {sorted(records.fields)} for a shard with {sorted(self.schema.field_names)}")
            self._append(records)

    def seal(self) -> Mapping[str, Extents] | None:
        with self._guarded(self._bytes):
            extents = self._seal()
            if self.durable:
                self._sync()
                sync_folder(self.path.parent)
            self._let_go()
            self._accepts = False
        return extents

    def abort(self) -> None:
        self._accepts = False
        # A library that could not write may not be able to close either; the file goes all the same.
        with suppress(Exception):
            self._close()
        with suppress(OSError):
            self._let_go()
        # What cannot be removed is left to gc: it must not hide the error that brought us here.
        with suppress(OSError):
            remove(self.path)

    @contextmanager
    def _guarded(self, size: int = 0) -> Iterator[None]:
        if not self._accepts:
            raise WriterClosedError(f"{self.path}: this shard is sealed, or an earlier error stopped it; begin a new one")
        try:
            with translated(self.path, needed=max(size, BLOCK_BYTES)), self._library_errors():
                yield
        except BaseException:
            self.abort()
            raise

    @contextmanager
    def _library_errors(self) -> Iterator[None]:
        """Turn the library's own errors into OSError or a PixstoreError."""
        yield

    @abstractmethod
    def _append(self, records: RecordBatch) -> None: ...

    @abstractmethod
    def _seal(self) -> Mapping[str, Extents] | None:
        """Write the rest, close, return the extents; what is written may still be in the system's cache."""

    def _close(self) -> None:
        """Close whatever is open besides `_descriptor`."""

    def _sync(self) -> None:
        os.fsync(self._descriptor)

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def claim(path: Path) -> int:
    """Return the descriptor of a new empty file. Raises DestinationExistsError where there is something."""
    try:
        with translated(path, needed=BLOCK_BYTES):
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except FileExistsError as error:
        raise DestinationExistsError(f"{path}: something is already there; shards are never written over") from error


def raise_refusal(path: Path) -> None:
    """Raise the system's reason for not writing to a file or into a folder, where a library has none; return where it writes."""
    place = path / "more" if path.is_dir() else path
    with open(place, "ab") as file:
        file.write(bytes(PROBE_BYTES))
    if place != path:
        place.unlink()


def view_of(data: Buffer | NDArray[np.uint8]) -> memoryview:
    """Return the bytes of a buffer without a copy."""
    view = data.data if isinstance(data, np.ndarray) else memoryview(data)
    # A view without elements cannot be cast.
    return view.cast("B") if view.nbytes else memoryview(b"")


def runs(slices: Slices) -> list[memoryview]:
    """Return the records as few views as possible: one where they lie end to end; missing and empty ones take none."""
    filled = slices.length > 0
    offset, length = slices.offset[filled], slices.length[filled]
    if not len(offset):
        return []
    breaks = np.flatnonzero(offset[1:] != offset[:-1] + length[:-1]) + 1
    first = np.concatenate(([0], breaks))
    last = np.concatenate((breaks, [len(offset)])) - 1
    whole = view_of(slices.data)
    return [whole[start:stop] for start, stop in zip(offset[first].tolist(), (offset + length)[last].tolist(), strict=True)]


def write_all(descriptor: int, views: Sequence[memoryview]) -> None:
    """Write all these bytes, however few the system takes at a time."""
    rest = [each[start : start + MOST_BYTES] for each in views for start in range(0, len(each), MOST_BYTES)]
    place = 0
    while place < len(rest):
        written = os.writev(descriptor, rest[place : place + _count_at_once(rest, place)])
        while place < len(rest) and written >= len(rest[place]):
            written -= len(rest[place])
            place += 1
        if written:
            rest[place] = rest[place][written:]


def _count_at_once(buffers: Sequence[memoryview], place: int) -> int:
    """Return how many of the buffers from `place` on one call takes: at least one, MOST_BYTES and MOST_BUFFERS at most."""
    count, size = 1, len(buffers[place])
    while count < MOST_BUFFERS and place + count < len(buffers) and size + len(buffers[place + count]) <= MOST_BYTES:
        size += len(buffers[place + count])
        count += 1
    return count


def views(slices: Slices) -> list[memoryview | None]:
    """Return one view per record, None where it is missing; nothing is copied."""
    whole = view_of(slices.data)
    return [
        None if length < 0 else whole[offset : offset + length]
        for offset, length in zip(slices.offset.tolist(), slices.length.tolist(), strict=True)
    ]


def sync_tree(path: Path, descriptor: int) -> None:
    """Return when every file and folder below is on the medium: one syncfs where it tells of failed writes, else one by one.

    `descriptor` is that of `path`, opened before anything below it was written.
    """
    if sys.platform == "linux" and tuple(int(each) for each in re.findall(r"\d+", os.uname().release)[:2]) >= (5, 8):
        sync_file_system(path, descriptor)
    else:
        sync_each(path)


def sync_file_system(path: Path, descriptor: int) -> None:
    """Return when all written to this file system is on the medium. Raises OSError where a write failed since `path` was opened."""
    if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), os.fspath(path))


def sync_each(path: Path) -> None:
    """Return when every file and folder below is on the medium."""
    for folder, _, names in os.walk(path, topdown=False):
        for name in names:
            sync_file(Path(folder, name))
        sync_folder(Path(folder))


def extents_in(path: Path, offset: Indices, length: Indices) -> Extents:
    """Return the extents of one field in the shard's only file; a negative length is a missing record."""
    missing = length < 0
    return Extents([path.name], np.zeros(len(length), np.uint32), np.where(missing, -1, offset), np.where(missing, 0, length))


def prove(path: Path, extents: Mapping[str, Extents], reader: ShardReader, samples: int = 16) -> None:
    """Compare a sample of each field's extents, read as plain bytes, with what the engine's library returns.

    Raises CorruptStoreError where they differ: the library then keeps bytes in a way this engine does not know.
    """
    for field, each in extents.items():
        present = np.flatnonzero(each.offset >= 0)
        rows = present[np.linspace(0, len(present) - 1, min(samples, len(present))).astype(np.int64)].tolist()
        for row, expected in zip(rows, reader.read(field, rows), strict=True):
            if _plain_bytes(path.parent, each, row) != bytes(expected):
                problem = f"record {row} of {field!r} is not where its library put it"
                raise CorruptStoreError(f"{path}: {problem}; report this with what `pixstore --version` says")


def _plain_bytes(folder: Path, extents: Extents, row: int) -> bytes:
    length = int(extents.length[row])
    if not length:
        return b""
    with open(folder / extents.paths[extents.file[row]], "rb") as file:
        file.seek(int(extents.offset[row]))
        return file.read(length)
