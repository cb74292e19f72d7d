"""Arrow IPC files and streams of others: record batches, checked, and where the bytes of their values lie in the file.

A file begins with "ARROW1" and has a footer; a stream is a schema and batches one after the other, ended by FF FF FF FF 00 00 00 00.
Buffers that are not compressed lie in either as they are in memory. Format: arrow.apache.org/docs/format/Columnar.html.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixstore.errors import CorruptStoreError, StoreTruncatedError
from pixstore.rows import Indices
from pixstore.sources.archives.shard_files import Shard
from pixstore.sources.foreign_file import FileState, open_regular, read_head, state_of
from pixstore.sources.lookalike import describe
from pixstore.sources.tables.columns import ImageColumn, checked_names

FILE_MAGIC = b"ARROW1"
STREAM_MAGIC = b"\xff\xff\xff\xff"
END_OF_STREAM = STREAM_MAGIC + bytes(4)
MAX_SCHEMA_BYTES = 64 << 20


@dataclass(frozen=True)
class ArrowFile:
    """One shard, its state and its schema."""

    shard: Shard
    state: FileState
    schema: pa.Schema


@dataclass(frozen=True)
class Bytes:
    """Where the values of one column lie in the file, by batch; `offset` is None where they do not lie there as they are."""

    offset: Indices | None
    length: Indices
    is_null: Indices


def is_arrow(path: Path) -> bool:
    """Return whether a file begins as an Arrow file or stream does."""
    head = read_head(path, 8)
    size = int.from_bytes(head[4:8], "little")
    return head.startswith(FILE_MAGIC) or (head[:4] == STREAM_MAGIC and len(head) == 8 and 0 < size <= MAX_SCHEMA_BYTES and size % 8 == 0)


def arrow_file(shard: Shard) -> ArrowFile:
    """Return a shard with its schema read. Raises CorruptStoreError."""
    state = state_of(shard.path)
    if not is_arrow(shard.path):
        raise CorruptStoreError(f"{shard.path}: is no Arrow file or stream: {describe(shard.path)}")
    with _mapped(shard.path) as data, translated(shard.path):
        opened = pa.ipc.open_file(data) if _is_file(data) else pa.ipc.open_stream(data)
        schema = opened.schema
    checked_names(schema, str(shard.path))
    return ArrowFile(shard, state, schema)


def batches(file: ArrowFile, names: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, pa.Buffer]]:
    """Yield the batches of a file with these columns alone, each checked, and the mapped file that their buffers may lie in.

    A batch is not to be kept: its memory is the file. Raises CorruptStoreError, StoreTruncatedError for a stream without an end.
    """
    path, size = file.shard.path, file.state[1]
    with _mapped(path) as data, translated(path):
        # Not by included_fields: with them pyarrow copies the buffers, and they would lie nowhere in the file.
        for whole in _batches_of_file(data) if _is_file(data) else _batches_of_stream(data, path):
            batch = whole.select(list(names))
            batch.validate(full=True)
            # An image takes a byte at least: what states more rows than the file has bytes would have keys fill the memory.
            if batch.num_rows > size:
                raise CorruptStoreError(f"{path}: states {batch.num_rows} rows in {size} bytes; get the file again")
            yield batch, data


def read_batch(file: ArrowFile, number: int, column: ImageColumn) -> pa.Array:
    """Return the images of one batch of an Arrow file, decompressed."""
    options = pa.ipc.IpcReadOptions(included_fields=[file.schema.names.index(column.name)])
    with _mapped(file.shard.path) as data, translated(file.shard.path):
        batch = pa.ipc.open_file(data, options=options).get_batch(number)
        batch.validate(full=True)
        return values_of(batch, column)


def values_of(batch: pa.RecordBatch, column: ImageColumn, part: str = "bytes") -> pa.Array:
    """Return the bytes (or paths) of a column of images."""
    values = pc.struct_field(batch.column(column.name), part) if column.is_struct else batch.column(column.name)
    return values.cast(pa.large_binary()) if pa.types.is_binary_view(values.type) else values


def places_of(batch: pa.RecordBatch, column: ImageColumn, data: pa.Buffer) -> Bytes:
    """Return where the images of a batch lie in the file."""
    values = values_of(batch, column)
    is_null = values.is_null().to_numpy(zero_copy_only=False)
    kind = np.dtype(np.int64) if pa.types.is_large_binary(values.type) else np.dtype(np.int32)
    _, offsets, content = values.buffers()
    if not len(values) or offsets is None:
        return Bytes(np.zeros(len(values), np.int64), np.zeros(len(values), np.int64), is_null)
    ends = np.frombuffer(offsets, kind, len(values) + 1, values.offset * kind.itemsize).astype(np.int64)
    length = np.where(is_null, 0, np.diff(ends))
    if not length.any() or content is None:
        return Bytes(np.zeros(len(values), np.int64), length, is_null)
    if not data.address <= content.address <= data.address + data.size - content.size:
        return Bytes(None, length, is_null)
    return Bytes(content.address - data.address + ends[:-1], length, is_null)


def copied(table: pa.Table) -> pa.Table:
    """Return a table whose memory is its own, not that of a mapped file."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return pa.ipc.open_stream(sink.getvalue()).read_all()


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise CorruptStoreError, naming the file, for what pyarrow raises about its content."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise CorruptStoreError(f"{path}: is not readable as Arrow data: {error}; get the file again") from error


def _is_file(data: pa.Buffer) -> bool:
    return bool(data.slice(0, min(len(FILE_MAGIC), data.size)).to_pybytes() == FILE_MAGIC)


def _batches_of_file(data: pa.Buffer) -> Iterator[pa.RecordBatch]:
    reader = pa.ipc.open_file(data)
    for number in range(reader.num_record_batches):
        yield reader.get_batch(number)


def _batches_of_stream(data: pa.Buffer, path: Path) -> Iterator[pa.RecordBatch]:
    source = pa.BufferReader(data)
    yield from pa.ipc.open_stream(source)
    end = source.tell()
    # Without its end mark a stream that lost whole batches would look complete.
    if data.slice(max(end - len(END_OF_STREAM), 0), min(end, len(END_OF_STREAM))).to_pybytes() != END_OF_STREAM:
        raise StoreTruncatedError(f"{path}: the stream ends at byte {end} without its end mark: batches may be missing; get the file again")
    if end != data.size:
        raise CorruptStoreError(f"{path}: {data.size - end} bytes follow the end of the stream at byte {end}; write one stream a file")


@contextmanager
def _mapped(path: Path) -> Iterator[pa.Buffer]:
    descriptor = open_regular(path)
    try:
        if not os.fstat(descriptor).st_size:
            raise CorruptStoreError(f"{path}: is empty (0 bytes); get the file again")
        # What is yielded holds the map for as long as anything refers to it.
        yield pa.py_buffer(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ))
    finally:
        os.close(descriptor)
