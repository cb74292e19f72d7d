"""One LMDB environment in one file: a named database per field, key = row, zero-padded to 8 digits, value = record.

A shard is written without locks and without syncing, in transactions of at most 64 MB, and never through a writable map. Values
lie whole in the file, so each has an extent: page number × page size + place in the page.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from pixstore import codec
from pixstore.disk import is_network
from pixstore.engine import Engine, PlannedBytes, PlannedShard, RecordBatch, ShardReader, ShardWriter
from pixstore.engines.lmdb_size import environment_bytes
from pixstore.engines.reading import missing_records, refusals, require
from pixstore.engines.writing import GuardedWriter, claim, extents_in, prove, views
from pixstore.errors import CorruptStoreError, InvalidInputError, StoreBusyError, StoreTruncatedError
from pixstore.rows import Buffer, Extents, Indices
from pixstore.schema import Schema

MOST_ROWS = 10**8
"""What 8 digits count. Keys of one width sort as their rows do, and appending in order is what makes writing fast."""
MOST_VALUE_BYTES = (1 << 32) - 1
TRANSACTION_BYTES = 64 << 20
SPARE_BYTES = 16 << 20
VALUES_AT_ONCE = 1 << 14


class LmdbWriter(GuardedWriter):
    def __init__(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> None:
        super().__init__(path, schema, durable=durable)
        self._lengths: dict[str, list[Indices]] = {name: [] for name in schema.field_names}
        self._rows = 0
        if is_network(path.parent):
            warnings.warn(
                f"{path.parent}: lies on a network file system, which LMDB does not vouch for; engine 'packed' is safe there", stacklevel=2
            )
        self._descriptor = claim(path)
        self._map_bytes = max_bytes + max_bytes // 4 + SPARE_BYTES
        with self._guarded():
            self._environment = lmdb.open(
                os.fspath(path), subdir=False, lock=False, sync=False, map_size=self._map_bytes, max_dbs=len(schema.fields), readahead=False
            )
            self._databases = {name: self._environment.open_db(name.encode()) for name in schema.field_names}

    def _append(self, records: RecordBatch) -> None:
        if self._rows + len(records) > MOST_ROWS:
            raise InvalidInputError(f"{self.path}: more than {MOST_ROWS:,} rows in one shard; choose a smaller shard size")
        for name in self.schema.field_names:
            slices = records.fields[name].slices
            if slices.length.max(initial=0) > MOST_VALUE_BYTES:
                raise InvalidInputError(f"{self.path}: a record of {slices.length.max():,} bytes; LMDB takes {MOST_VALUE_BYTES:,} at most")
            self._lengths[name].append(np.array(slices.length, np.int64))
            keys = (b"%08d" % row for row in range(self._rows, self._rows + len(records)))
            self._put(name, [(key, view) for key, view in zip(keys, views(slices), strict=True) if view is not None])
        self._rows += len(records)

    def _put(self, name: str, items: list[tuple[bytes, memoryview]]) -> None:
        start = size = 0
        for place, (_, view) in enumerate(items):
            if size + len(view) > TRANSACTION_BYTES:
                self._commit(name, items[start:place])
                start, size = place, 0
            size += len(view)
        self._commit(name, items[start:])

    def _commit(self, name: str, items: list[tuple[bytes, memoryview]]) -> None:
        """Store these items in one transaction, as often as it takes to make the map large enough."""
        while items:
            try:
                with self._environment.begin(write=True, db=self._databases[name]) as transaction:
                    stored = transaction.cursor().putmulti(items, append=True)[1]
                    if stored != len(items):
                        raise CorruptStoreError(f"{self.path}: LMDB took {stored} of {len(items)} records; report this with its version")
                return
            except lmdb.MapFullError:
                self._map_bytes *= 2
                self._environment.set_mapsize(self._map_bytes)

    def _seal(self) -> Mapping[str, Extents]:
        extents = {}
        with self._environment.begin(buffers=True) as transaction:
            for name, parts in self._lengths.items():
                lengths = np.concatenate([np.zeros(0, np.int64), *parts])
                offset = np.zeros(len(lengths), np.int64)
                filled = lengths > 0
                offset[filled] = self._places(transaction.cursor(self._databases[name]), int(filled.sum()))
                extents[name] = extents_in(self.path, offset, lengths)
        size = (self._environment.info()["last_pgno"] + 1) * self._environment.stat()["psize"]
        self._close()
        # Pages freed at the end are never written; with them the size says whether a copy is whole.
        if self.path.stat().st_size < size:
            os.truncate(self.path, size)
        prove(self.path, extents, LmdbReader(self.path))
        return extents

    def _places(self, cursor: Any, count: int) -> Indices:
        """Return the place in the file of each value that has bytes."""
        page_bytes = self._environment.stat()["psize"]
        values = (value for value in cursor.iternext(keys=False, values=True) if len(value))
        parts = [np.zeros(0, np.int64)]
        while chunk := list(islice(values, VALUES_AT_ONCE)):
            parts.append(codec.addresses(chunk).astype(np.int64))
            give_back(parts[-1], page_bytes)
        addresses = np.concatenate(parts)
        if len(addresses) != count:
            raise CorruptStoreError(f"{self.path}: LMDB kept {len(addresses)} of {count} records; report this with its version")
        if not count:
            return addresses
        # A value begins in the page that says its own number in its first 8 bytes; from there the map's first byte is known.
        page = int(addresses[0]) // page_bytes * page_bytes
        number = ctypes.c_uint64.from_address(page).value
        return addresses - (page - number * page_bytes)

    def _close(self) -> None:
        self._environment.close()

    @contextmanager
    def _library_errors(self) -> Iterator[None]:
        try:
            with lmdb_errors(self.path):
                yield
        except OSError as error:
            if error.errno in {errno.EIO, errno.ENOSPC}:
                self._write_a_little()
            raise

    def _write_a_little(self) -> None:
        """Raise the system's reason where LMDB has none: it calls a write that was cut short an input/output error, or a full disk."""
        with open(self.path, "ab") as file:
            file.write(bytes(SPARE_BYTES))


def give_back(addresses: Indices, page_bytes: int) -> None:
    """Let go of the mapped pages between these addresses: they stay in the system's cache, and no longer count as this process's memory."""
    start = int(addresses.min()) // page_bytes * page_bytes
    length = int(addresses.max()) - start + 1
    advised = ctypes.CDLL(None, use_errno=True).madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), mmap.MADV_DONTNEED)
    if advised != 0:
        raise OSError(ctypes.get_errno(), "madvise refused pages that LMDB has mapped")


@contextmanager
def lmdb_errors(path: Path) -> Iterator[None]:
    """Turn LMDB's errors into OSError where the system has the cause, into ours where not."""
    try:
        yield
    except lmdb.Error as error:
        code = getattr(error, "code", 0)
        # The system's own numbers are positive; these two it gives for a file too short to map.
        if code > 0 and code not in {errno.EBADF, errno.EINVAL}:
            raise OSError(code, os.strerror(code), os.fspath(path)) from error
        if "already open in this process" in str(error):
            raise StoreBusyError(f"{path}: this process has it open through lmdb already; close that first") from error
        raise CorruptStoreError(f"{path}: LMDB refuses it: {error}; restore it from a copy") from error


class Turn:
    """Lets one reader at a time open a file: LMDB opens each once per process, and none that is open survives a fork.

    So a read opens, copies and closes, and a fork waits for it; not for ever, because what holds up the reader may be what forks.
    """

    FORK_WAIT_SECONDS = 5.0

    def __init__(self) -> None:
        self._renew()
        os.register_at_fork(before=self._wait, after_in_parent=self._go_on, after_in_child=self._renew)

    def _renew(self) -> None:
        # Who has to wait stands at the gate, so that a reader that comes back at once does not pass it for ever.
        self._gate, self._inside = threading.Lock(), threading.Lock()
        self._held: list[threading.Lock] = []

    def _wait(self) -> None:
        self._held = [lock for lock in (self._gate, self._inside) if lock.acquire(timeout=self.FORK_WAIT_SECONDS)]

    def _go_on(self) -> None:
        while self._held:
            self._held.pop().release()

    def __enter__(self) -> None:
        with self._gate:
            self._inside.acquire()

    def __exit__(self, *_: object) -> None:
        self._inside.release()


turn = Turn()


class LmdbReader(ShardReader):
    def __init__(self, path: Path) -> None:
        self._path = path
        require(path.is_file(), path)
        with self._environment() as environment:
            needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
            if path.stat().st_size < needed:
                raise StoreTruncatedError(f"{path}: needs {needed:,} bytes, has {path.stat().st_size:,}; restore it from a copy")

    @contextmanager
    def _environment(self) -> Iterator[Any]:
        with turn, refusals(self._path), lmdb_errors(self._path):
            environment = lmdb.open(os.fspath(self._path), subdir=False, lock=False, readonly=True, create=False, max_dbs=1)
            try:
                yield environment
            finally:
                environment.close()

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        with self._environment() as environment:
            database = environment.open_db(field.encode(), create=False)
            with environment.begin(db=database) as transaction:
                found: list[Buffer | None] = [transaction.get(b"%08d" % row) for row in rows]
        missing = [row for row, value in zip(rows, found, strict=True) if value is None]
        if missing:
            raise missing_records(self._path, field, missing)
        return [value for value in found if value is not None]

    def close(self) -> None:
        """Nothing is held open between reads."""


class LmdbEngine(Engine):
    name = "lmdb"
    extension = ".lmdb"

    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        return LmdbWriter(path, schema, durable=durable, max_bytes=max_bytes)

    def open(self, path: Path, schema: Schema) -> ShardReader:
        return LmdbReader(path)

    def predicted_bytes(self, shard: PlannedShard) -> PlannedBytes:
        return PlannedBytes.in_one_file(environment_bytes(list(shard.lengths.values())), shard)


ENGINE = LmdbEngine()
