"""Parquet files of others: footers, and columns read by row group.

Format: parquet.apache.org/docs/file-format. Numbers in a footer are checked before memory is taken for what they say. What a footer says
of a chunk is met by reading first, whose errors are exceptions: Arrow ends the process where the same lies are met by asking for them.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pixstore.errors import CorruptStoreError, LimitExceededError
from pixstore.sources.archives.shard_files import Shard
from pixstore.sources.foreign_file import FileState, open_regular, read_head, state_of
from pixstore.sources.lookalike import describe
from pixstore.sources.tables.columns import ImageColumn, checked_names
from pixstore.sources.tables.samples import refuse_lost

MAGIC = b"PAR1"
MAX_GROUP_BYTES = 4 << 30
MAX_TABLE_BYTES = 4 << 30
PEEKED_ROWS = 16
BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class ParquetFile:
    """One shard and its footer."""

    shard: Shard
    state: FileState
    metadata: pq.FileMetaData
    schema: pa.Schema

    @property
    def group_counts(self) -> list[int]:
        return [self.metadata.row_group(group).num_rows for group in range(self.metadata.num_row_groups)]


def footer(shard: Shard) -> ParquetFile:
    """Return a shard with its footer read. Raises CorruptStoreError for counts that cannot be."""
    state = state_of(shard.path)
    if read_head(shard.path, len(MAGIC)) != MAGIC:
        raise CorruptStoreError(f"{shard.path}: is no Parquet file: {describe(shard.path)}")
    with _translated(shard.path), _opened(shard.path) as file:
        opened = pq.ParquetFile(file)
        metadata, schema = opened.metadata, opened.schema_arrow
        _refuse_unsound_chunks(metadata, state[1])
    checked_names(schema, str(shard.path))
    counts = [metadata.row_group(each).num_rows for each in range(metadata.num_row_groups)]
    # An image takes a byte at least: what states more rows than the file has bytes would have keys fill the memory.
    if sum(counts) != metadata.num_rows or not 0 <= metadata.num_rows <= state[1]:
        raise CorruptStoreError(
            f"{shard.path}: states {metadata.num_rows} rows in {state[1]} bytes and {metadata.num_row_groups} groups; get it again"
        )
    return ParquetFile(shard, state, metadata, schema)


def _refuse_unsound_chunks(metadata: pq.FileMetaData, size: int) -> None:
    """Raise the error of Arrow for a chunk that the footer describes wrongly; reads go as far as the first byte that is asked for."""
    unread = pq.ParquetFile(pa.PythonFile(_Unread(size), mode="r"), metadata=metadata, buffer_size=BUFFER_BYTES, pre_buffer=False)
    for group in range(metadata.num_row_groups):
        with suppress(_SoundError):
            next(unread.iter_batches(1, row_groups=[group], use_threads=False), None)
        chunks = metadata.row_group(group)
        for number in range(chunks.num_columns):
            stated, expected = chunks.column(number).physical_type, metadata.schema.column(number).physical_type
            if stated != expected:
                raise pa.ArrowInvalid(f"row group {group} states {stated} for a column of {expected}")


class _SoundError(Exception):
    """All chunks of a row group were looked at, and the first is to be read."""


class _Unread(io.RawIOBase):
    """A file of so many bytes that ends every read before it begins."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1) -> bytes:
        raise _SoundError


@contextmanager
def _opened(path: Path) -> Iterator[pa.PythonFile]:
    with os.fdopen(open_regular(path), "rb") as file, pa.PythonFile(file, mode="r") as opened:
        yield opened


@contextmanager
def _reading(file: ParquetFile) -> Iterator[pq.ParquetFile]:
    with _translated(file.shard.path), _opened(file.shard.path) as opened:
        yield pq.ParquetFile(opened, metadata=file.metadata, buffer_size=BUFFER_BYTES, pre_buffer=False)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise CorruptStoreError(f"{path}: is not readable as Parquet: {error}; get the file again") from error


def first_value(file: ParquetFile, column: ImageColumn) -> bytes | None:
    """Return the first bytes of a column that are not null, among its first rows."""
    with _reading(file) as opened:
        for batch in opened.iter_batches(PEEKED_ROWS, columns=[column.leaf], use_threads=False):
            values = _values(pa.Table.from_batches([batch]), column).drop_null()
            if len(values):
                return bytes(values[0].as_py())
            if not pa.types.is_struct(batch.schema.field(0).type):
                return None
    return None


def _values(table: pa.Table, column: ImageColumn) -> pa.ChunkedArray:
    return pc.struct_field(table[column.name], "bytes") if column.is_struct else table[column.name]


def read_group(file: ParquetFile, group: int, column: ImageColumn) -> pa.ChunkedArray:
    """Return the images of one row group. Raises LimitExceededError for a group of more than 4 GiB."""
    size = sum(chunk.total_uncompressed_size for chunk in _chunks(file, group, column.leaf))
    if size > MAX_GROUP_BYTES:
        raise LimitExceededError(
            f"{file.shard.path}: row group {group} has {size} bytes of images, the limit is {MAX_GROUP_BYTES};"
            " write it again with fewer rows in a group (row_group_size=1000)"
        )
    with _reading(file) as opened:
        return _values(opened.read_row_group(group, columns=[column.leaf]), column)


def groups_with_nulls(file: ParquetFile, leaf: str) -> list[int]:
    """Return the row groups that have nulls in a column, or do not say."""
    return [
        group
        for group in range(file.metadata.num_row_groups)
        for chunk in _chunks(file, group, leaf)
        if not chunk.is_stats_set or not chunk.statistics.has_null_count or chunk.statistics.null_count
    ]


def refuse_lost_images(file: ParquetFile, column: ImageColumn) -> None:
    """Raise InvalidInputError for rows that name an image by path and do not hold it; groups without nulls are not read."""
    for group in groups_with_nulls(file, column.leaf) if column.has_path else ():
        with _reading(file) as opened:
            read = opened.read_row_group(group, columns=[f"{column.name}.path"])[column.name]
        refuse_lost(column, str(file.shard.path), read_group(file, group, column), pc.struct_field(read, "path"))


def _chunks(file: ParquetFile, group: int, leaf: str) -> list[pq.ColumnChunkMetaData]:
    with _translated(file.shard.path):
        described = file.metadata.row_group(group)
        chunks = [described.column(number) for number in range(described.num_columns)]
        return [chunk for chunk in chunks if chunk.path_in_schema == leaf]


def read_columns(files: Sequence[ParquetFile], names: Sequence[str]) -> pa.Table:
    """Return the columns without pixels of all files.

    Raises LimitExceededError for more than fits into memory, CorruptStoreError where a file has more or fewer rows than it states.
    """
    parts, total = [], 0
    for file in files if names else ():
        rows = 0
        with _reading(file) as opened:
            for batch in opened.iter_batches(1 << 16, columns=list(names)):
                # Text that is not UTF-8 would be an error wherever it is looked at later.
                batch.validate(full=True)
                total += batch.nbytes
                if total > MAX_TABLE_BYTES:
                    raise LimitExceededError(
                        f"{file.shard.path}: columns beside the images take more than {MAX_TABLE_BYTES} bytes; drop the large ones"
                    )
                parts.append(batch)
                rows += len(batch)
        _check_rows(file, rows, names)
    schema = pa.schema([files[0].schema.field(name) for name in names], files[0].schema.metadata)
    return pa.Table.from_batches([batch.cast(schema) for batch in parts], schema)


def paths_of(files: Sequence[ParquetFile], image: ImageColumn) -> pa.ChunkedArray | None:
    """Return the paths that the structs of the first image column name. Raises CorruptStoreError as `read_columns` does."""
    if not image.has_path:
        return None
    parts = []
    for file in files:
        with _reading(file) as opened:
            read = opened.read(columns=[f"{image.name}.path"])
            read.validate(full=True)
            parts += pc.struct_field(read[image.name], "path").cast(pa.string()).chunks
        _check_rows(file, len(read), [f"{image.name}.path"])
    return pa.chunked_array(parts, pa.string())


def _check_rows(file: ParquetFile, rows: int, names: Sequence[str]) -> None:
    if rows != file.metadata.num_rows:
        raise CorruptStoreError(
            f"{file.shard.path}: {rows} rows of {', '.join(names)[:200]} are there, {file.metadata.num_rows} are stated; get the file again"
        )
