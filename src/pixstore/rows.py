"""The protocol that stores, sources and selections share: rows that can be located or read."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, cast, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.schema import Format, Schema

Buffer: TypeAlias = bytes | bytearray | memoryview
Indices: TypeAlias = NDArray[np.int64]

WHOLE_FILE = -1
"""As a length: the record is the whole file. The files' sizes need not be known to locate them."""


class JoinedPaths(Sequence[str]):
    """Paths that begin alike, kept as Arrow keeps text: a million of them are no Python objects until they are looked at."""

    def __init__(self, prefix: str, names: pa.Array) -> None:
        """Path i is `prefix` followed by `names[i]`, text without nulls."""
        self.prefix = prefix
        self.names = names

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> JoinedPaths: ...

    def __getitem__(self, index: int | slice) -> str | JoinedPaths:
        chosen = self.names[index]
        return JoinedPaths(self.prefix, chosen) if isinstance(index, slice) else self.prefix + chosen.as_py()

    def parts(self) -> tuple[bytes, Buffer | NDArray[np.uint8], NDArray[np.int64]]:
        """Return (prefix, data, offsets), path i being prefix + data[offsets[i] : offsets[i + 1]], as the core takes them."""
        wide = pa.types.is_large_string(self.names.type)
        kind = np.dtype(np.int64 if wide else np.int32)
        _, offsets, data = self.names.buffers()
        # An array of no strings may have neither buffer.
        first = np.zeros(1, np.int64)
        begins = np.frombuffer(offsets, kind, len(self) + 1, self.names.offset * kind.itemsize).astype(np.int64) if len(self) else first
        return os.fsencode(self.prefix), b"" if data is None else np.frombuffer(data, np.uint8), begins


@dataclass(frozen=True)
class Extents:
    """Where n records lie: `paths[file[i]]`, from byte `offset[i]`, `length[i]` bytes. Arrays, not objects."""

    paths: Sequence[str]
    file: NDArray[np.uint32]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.file)


@dataclass(frozen=True)
class Slices:
    """n records inside one buffer: record i is `data[offset[i] : offset[i] + length[i]]`; a negative length is a missing record."""

    data: Buffer | NDArray[np.uint8]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offset)

    @classmethod
    def end_to_end(cls, data: Buffer | NDArray[np.uint8], length: NDArray[np.int64]) -> Slices:
        """Return the slices of records that follow each other without a gap."""
        present = np.maximum(length, 0)
        return cls(data, np.cumsum(present) - present, length)

    def views(self) -> list[memoryview | None]:
        """Return one memoryview per record, None where it is missing; no bytes are copied."""
        whole = memoryview(cast(Buffer, self.data)).cast("B")
        return [
            None if length < 0 else whole[offset : offset + length]
            for offset, length in zip(self.offset.tolist(), self.length.tolist(), strict=True)
        ]


Place: TypeAlias = Extents | Slices | list[Buffer]


def arrow_rows(rows: Indices) -> pa.Array:
    """Return row numbers as Arrow takes them; nothing is copied where they lie in one piece."""
    # pa.array() of an ndarray imports numpy.ma, which takes longer than everything else that a first batch needs.
    return pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows, np.int64))])


@dataclass(frozen=True)
class Records:
    """The stored records of one field for n rows, and all that is needed to turn them into arrays.

    `formats[format[i]]` says how record i is to be understood; `checksum` and `seed` are both None where the
    origin has no checksums. `name(i)` returns (row, key, place) of record i, for errors only.
    """

    place: Place
    formats: Sequence[Format]
    format: NDArray[np.int32]
    name: Callable[[int], tuple[int, str, str]]
    checksum: NDArray[np.uint64] | None = None
    seed: NDArray[np.uint64] | None = None

    def __len__(self) -> int:
        return len(self.format)


class Rows(Protocol):
    """What a dataset reads from: n rows with a key, columns and image fields."""

    @property
    def schema(self) -> Schema: ...

    @property
    def table(self) -> pa.Table:
        """One row per sample: `key` first, then the columns."""
        ...

    def __len__(self) -> int: ...

    def locate(self, field: str, rows: Indices) -> Records | None:
        """Return where these rows' records lie, in the order asked, repeats allowed; None where bytes can only be read."""
        ...

    def read(self, field: str, rows: Indices) -> Records:
        """Return these rows' records as buffers, read through the format's own library."""
        ...

    def absent(self, field: str, rows: Indices) -> Indices:
        """Return the places in `rows` of those that have no record in this field; they are neither located nor read."""
        ...

    def close(self) -> None: ...
