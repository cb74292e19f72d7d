"""One Parquet file: a column of keys, and of bytes for each field, null without a record; plain, uncompressed pages with checksums.

A row group has about 1 MiB of records, because Parquet's readers take a row group at a time. Values lie in pages among other things, so
records have no extents: they are read by row group.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pixstore.engine import Engine, PlannedBytes, PlannedShard, RecordBatch, ShardReader, ShardWriter
from pixstore.engines.arrow_columns import column_schema, columns_of, value_of
from pixstore.engines.arrow_size import GROUP_BYTES, parquet_bytes
from pixstore.engines.reading import missing_records, refusals, require
from pixstore.engines.writing import GuardedWriter, claim
from pixstore.errors import CorruptStoreError, InvalidInputError, PixstoreError
from pixstore.rows import Buffer
from pixstore.schema import Schema

MOST_RECORD_BYTES = (1 << 31) - (1 << 20)
"""A page has less than 2 GiB."""


class ParquetWriter(GuardedWriter):
    def __init__(self, path: Path, schema: Schema, *, durable: bool) -> None:
        super().__init__(path, schema, durable=durable)
        self._waiting: Any = column_schema(schema.field_names).empty_table()
        self._descriptor = claim(path)
        with self._guarded():
            self._file = pa.OSFile(os.fspath(path), "wb")
            self._writer = pq.ParquetWriter(
                self._file, self._waiting.schema, compression="NONE", use_dictionary=False, write_statistics=False, write_page_checksum=True
            )

    def _append(self, records: RecordBatch) -> None:
        for each in records.fields.values():
            if each.slices.length.max(initial=0) > MOST_RECORD_BYTES:
                longest = int(each.slices.length.max())
                raise InvalidInputError(f"{self.path}: a record of {longest:,} bytes; Parquet takes {MOST_RECORD_BYTES:,} at most")
        rows = pa.Table.from_batches([columns_of(records, self.schema.field_names)])
        start = 0
        for stop in self._ends(records):
            self._write(pa.concat_tables([self._waiting, rows.slice(start, stop - start)]))
            self._waiting, start = self._waiting.slice(0, 0), stop
        # What waits is copied: the caller's memory is the caller's again.
        rest = rows.slice(start).take(pa.array(np.arange(len(rows) - start)))
        self._waiting = pa.concat_tables([self._waiting, rest])

    def _ends(self, records: RecordBatch) -> list[int]:
        """Return after which of these rows a row group ends: those with which it reaches its size."""
        sizes = sum((each.slices.length.clip(0) for each in records.fields.values()), np.zeros(len(records), np.int64))
        sums = np.cumsum(sizes)
        waiting = sum(self._waiting[name].nbytes for name in self.schema.field_names) if len(self._waiting) else 0
        ends, spent = [], -waiting
        while (end := int(np.searchsorted(sums, spent + GROUP_BYTES))) < len(records):
            ends.append(end + 1)
            spent = int(sums[end])
        return ends

    def _write(self, group: Any) -> None:
        # One chunk a column is one page, or a few: those of many small batches would each be written by themselves.
        self._writer.write_table(group.combine_chunks(), row_group_size=len(group))

    def _seal(self) -> None:
        if len(self._waiting):
            self._write(self._waiting)
        self._close()

    def _close(self) -> None:
        try:
            self._writer.close()
        finally:
            # What could not be closed would be tried again, and told to nobody, when it is forgotten.
            self._writer.is_open = False
            self._file.close()

    @contextmanager
    def _library_errors(self) -> Iterator[None]:
        with parquet_errors(self.path):
            yield


@contextmanager
def parquet_errors(path: Path) -> Iterator[None]:
    """Turn Arrow's errors into ours, but for those of the system."""
    try:
        yield
    except PixstoreError:
        raise
    except OSError as error:
        # Arrow says so, too, where the file is not what it should be.
        if error.errno is not None:
            raise
        raise CorruptStoreError(f"{path}: Parquet refuses it: {error}; restore it from a copy") from error
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise CorruptStoreError(f"{path}: Parquet refuses it: {error}; restore it from a copy") from error


class ParquetReader(ShardReader):
    """Keeps the row group read last of each field: rows are mostly asked for in order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        require(path.is_file(), path)
        with refusals(path), parquet_errors(path):
            # Without threads and without reading ahead nothing of it is lost in a fork. Each record has a checksum of its own: that of a
            # page would take all its records for one.
            self._file = pq.ParquetFile(os.fspath(path), pre_buffer=False)
            metadata = self._file.metadata
            self._begins = np.cumsum([0, *(metadata.row_group(number).num_rows for number in range(metadata.num_row_groups))])
        self._groups: dict[str, tuple[int, Any]] = {}

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        wanted = np.asarray(rows, np.int64)
        numbers = np.searchsorted(self._begins, wanted, "right") - 1
        found: list[Buffer | None] = [None] * len(wanted)
        for place in np.argsort(numbers, kind="stable").tolist():
            column, row = self._group(field, int(numbers[place])), int(wanted[place] - self._begins[numbers[place]])
            if column[row].is_valid:
                found[place] = value_of(column, row)
        missing = [row for row, value in zip(rows, found, strict=True) if value is None]
        if missing:
            raise missing_records(self._path, field, missing)
        return [value for value in found if value is not None]

    def _group(self, field: str, number: int) -> Any:
        """Return a field's values in a row group."""
        if field not in self._groups or self._groups[field][0] != number:
            with refusals(self._path), parquet_errors(self._path):
                column = self._file.read_row_group(number, columns=[field], use_threads=False)[field].combine_chunks()
            if column.type != pa.large_binary() or len(column) != self._begins[number + 1] - self._begins[number]:
                raise CorruptStoreError(f"{self._path}: row group {number} has no bytes of {field!r} for its rows; restore it from a copy")
            self._groups[field] = (number, column)
        return self._groups[field][1]

    def close(self) -> None:
        self._groups.clear()
        self._file.close()


class ParquetEngine(Engine):
    name = "parquet"
    extension = ".parquet"

    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        return ParquetWriter(path, schema, durable=durable)

    def open(self, path: Path, schema: Schema) -> ShardReader:
        return ParquetReader(path)

    def predicted_bytes(self, shard: PlannedShard) -> PlannedBytes:
        return PlannedBytes.in_one_file(parquet_bytes(shard.keys, [shard.lengths[name] for name in shard.schema.field_names]), shard)


ENGINE = ParquetEngine()
