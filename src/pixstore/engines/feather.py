"""One Arrow IPC file (Feather 2), uncompressed: a column of keys, and of bytes (large_binary) for each field; null without a record.

Each batch of rows is as large as what was handed in at once. The values of a column lie end to end in each batch, so each record has an
extent: where the buffer lies in the file, and the value's offset in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pixstore.engine import Engine, PlannedBytes, PlannedShard, RecordBatch, ShardReader, ShardWriter
from pixstore.engines.arrow_columns import column_schema, columns_of, places_in, value_of
from pixstore.engines.arrow_size import ipc_bytes
from pixstore.engines.reading import missing_records, refusals, require
from pixstore.engines.writing import GuardedWriter, claim, extents_in, prove
from pixstore.errors import CorruptStoreError, PixstoreError
from pixstore.rows import Buffer, Extents, Indices
from pixstore.schema import Schema

BUFFERED_BYTES = 1 << 16


class FeatherWriter(GuardedWriter):
    def __init__(self, path: Path, schema: Schema, *, durable: bool) -> None:
        super().__init__(path, schema, durable=durable)
        self._descriptor = claim(path)
        with self._guarded():
            self._medium = pa.OSFile(os.fspath(path), "wb")
            # Without it Arrow writes each of a batch's small pieces by itself.
            self._file = pa.BufferedOutputStream(self._medium, BUFFERED_BYTES)
            self._writer = pa.ipc.new_file(self._file, column_schema(schema.field_names))

    def _append(self, records: RecordBatch) -> None:
        if len(records):
            self._writer.write_batch(columns_of(records, self.schema.field_names))

    def _seal(self) -> Mapping[str, Extents]:
        self._writer.close()
        self._close()
        reader = FeatherReader(self.path)
        try:
            extents = {name: extents_in(self.path, *reader.places(name)) for name in self.schema.field_names}
            prove(self.path, extents, reader)
        finally:
            reader.close()
        return extents

    def _close(self) -> None:
        self._file.close()
        self._medium.close()

    @contextmanager
    def _library_errors(self) -> Iterator[None]:
        with arrow_errors(self.path):
            yield


@contextmanager
def arrow_errors(path: Path) -> Iterator[None]:
    """Turn Arrow's errors into ours, but for those of the system."""
    try:
        yield
    except PixstoreError:
        raise
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise CorruptStoreError(f"{path}: Arrow refuses it: {error}; restore it from a copy") from error


class FeatherReader(ShardReader):
    def __init__(self, path: Path) -> None:
        self._path = path
        require(path.is_file(), path)
        with refusals(path), arrow_errors(path):
            self._map = pa.memory_map(os.fspath(path))
            self._file = pa.ipc.open_file(self._map)
            self._batches = [self._file.get_batch(number) for number in range(self._file.num_record_batches)]
            for batch in self._batches:
                # Who damages a file does not keep its offsets within it.
                batch.validate(full=True)
        self._begins = np.cumsum([0, *(len(batch) for batch in self._batches)])

    def places(self, field: str) -> tuple[Indices, Indices]:
        """Return where each record begins in the file, and its length, -1 where it is missing."""
        self._map.seek(0)
        start = self._map.read_buffer().address
        parts = [places_in(column) for column in self._columns(field)]
        # A buffer without bytes lies nowhere.
        offsets = [offset + (data.address - start if data is not None and data.size else 0) for offset, _, data in parts]
        nothing = np.zeros(0, np.int64)
        return np.concatenate([nothing, *offsets]), np.concatenate([nothing, *(length for _, length, _ in parts)])

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        columns = self._columns(field)
        wanted = np.asarray(rows, np.int64)
        numbers = np.searchsorted(self._begins, wanted, "right") - 1
        places = list(zip(numbers.tolist(), (wanted - self._begins[numbers]).tolist(), strict=True))
        missing = [row for row, (number, place) in zip(rows, places, strict=True) if not columns[number][place].is_valid]
        if missing:
            raise missing_records(self._path, field, missing)
        return [value_of(columns[number], place) for number, place in places]

    def _columns(self, field: str) -> list[Any]:
        with arrow_errors(self._path):
            return [batch.column(field) for batch in self._batches]

    def close(self) -> None:
        self._batches = []
        self._map.close()


class FeatherEngine(Engine):
    name = "feather"
    extension = ".feather"

    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        return FeatherWriter(path, schema, durable=durable)

    def open(self, path: Path, schema: Schema) -> ShardReader:
        return FeatherReader(path)

    def predicted_bytes(self, shard: PlannedShard) -> PlannedBytes:
        return PlannedBytes.in_one_file(ipc_bytes(shard.keys, [shard.lengths[name] for name in shard.schema.field_names]), shard)


ENGINE = FeatherEngine()
