"""The contract for engines: an engine keeps bytes and hands them back; it knows no codec and no store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixstore.rows import Buffer, Extents, Slices
from pixstore.schema import Format, Schema


@dataclass(frozen=True)
class FieldRecords:
    """The encoded records of one field for the rows of one batch."""

    slices: Slices
    formats: Sequence[Format]
    format: NDArray[np.int32]


@dataclass(frozen=True)
class RecordBatch:
    """Rows to append: their keys and, per field, their encoded records."""

    keys: Sequence[str]
    fields: Mapping[str, FieldRecords]

    def __len__(self) -> int:
        return len(self.keys)


class ShardWriter(ABC):
    """Writes the pixels of one shard. Nothing is visible before the store commits."""

    @abstractmethod
    def append(self, records: RecordBatch) -> None:
        """Append these rows after those already there."""

    @abstractmethod
    def seal(self) -> Mapping[str, Extents] | None:
        """Write everything to the file(s), close them, and return where each record lies.

        One Extents per field, rows in the order appended, a missing record with length 0 and offset -1;
        paths relative to the folder that holds the shard. None where the format keeps no plain bytes.
        With `durable`, everything is on disk (fsync) when this returns.
        """

    @abstractmethod
    def abort(self) -> None:
        """Close and remove what was written; may be called at any time, more than once."""


class ShardReader(ABC):
    """Reads a sealed shard through the engine's own library."""

    @abstractmethod
    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        """Return one record per row of the shard, in the order asked; repeats are allowed.

        Raises MissingRecordError for a row that has no record in this field.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the file; may be called more than once."""


class Engine(ABC):
    """One storage format. An instance has no state; a module under engines/ ends in `ENGINE = MyEngine()`."""

    name: str
    """As in `Writer(engine=name)`."""
    extension: str
    """Suffix of the shard's file or folder, with the dot."""

    @abstractmethod
    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        """Begin a shard at `path`, which does not exist yet.

        A field of `schema` with shape and dtype holds only such arrays in this shard. The shard will hold at most
        about `max_bytes` of records, one record more where a single record is larger.
        """

    @abstractmethod
    def open(self, path: Path, schema: Schema) -> ShardReader:
        """Open a sealed shard for reading; never creates anything. `schema` is the one the shard was created with."""
