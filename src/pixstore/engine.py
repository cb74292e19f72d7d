"""The contract for engines: an engine keeps bytes and hands them back; it knows no codec and no store."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.rows import Buffer, Extents, Indices, Slices
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


@dataclass(frozen=True)
class PlannedShard:
    """What a shard will hold, as far as its size depends on it.

    `schema` is the one `Engine.create` will get; `lengths` has the bytes of each record per field, -1 where it is missing; `formats` how
    most of a field's records are kept. `folder` exists and lies on the file system that will hold the shard.
    """

    schema: Schema
    lengths: Mapping[str, Indices]
    formats: Mapping[str, Format]
    keys: pa.StringArray
    folder: Path

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def block_bytes(self) -> int:
        """What the file system gives a file at a time."""
        return os.statvfs(self.folder).f_frsize

    def in_blocks(self, size: int) -> int:
        """Return what the file system sets aside for a file of this size."""
        return -(-size // self.block_bytes) * self.block_bytes


@dataclass(frozen=True)
class PlannedBytes:
    """What a shard's pixels will take: the bytes of its files, and what the file system sets aside for them.

    `paths` are the files its extents will name, `path_bytes` the length of all these names.
    """

    apparent: int
    allocated: int
    paths: int = 1
    path_bytes: int = 0

    @classmethod
    def in_one_file(cls, size: int, shard: PlannedShard) -> PlannedBytes:
        return cls(size, shard.in_blocks(size))


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
    file_per_record: bool = False
    """Whether each record is a file of its own: then the records' checksums prove a shard's files, else digests of all of them do."""

    @abstractmethod
    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        """Begin a shard at `path`, which does not exist yet.

        A field of `schema` with shape and dtype holds only such arrays in this shard. The shard will hold at most
        about `max_bytes` of records, one record more where a single record is larger.
        """

    @abstractmethod
    def open(self, path: Path, schema: Schema) -> ShardReader:
        """Open a sealed shard for reading; never creates anything. `schema` is the one the shard was created with."""

    def predicted_bytes(self, shard: PlannedShard) -> PlannedBytes:
        """Return what the pixels of this shard will take, within 3 % where that is more than a few pages.

        Unless an engine knows better: the records end to end in one file.
        """
        return PlannedBytes.in_one_file(sum(int(each.clip(0).sum()) for each in shard.lengths.values()), shard)
