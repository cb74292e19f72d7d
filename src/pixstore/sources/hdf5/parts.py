"""The common part of HDF5 sources: images that lie in datasets, in place where their bytes are in one piece, else read chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import BadRow, CorruptRecordError, LimitExceededError, PixstoreError, StoreTruncatedError
from pixstore.rows import Buffer, Extents, Indices, Records
from pixstore.schema import Format, Schema
from pixstore.source import SourceReport
from pixstore.sources.foreign_file import MAX_READ_BYTES, FileState, read_range
from pixstore.sources.hdf5.chunks import Chunks, chunks_of, little
from pixstore.sources.hdf5.file import Hdf5File
from pixstore.sources.hdf5.nodes import Node
from pixstore.sources.located import LocatedSource

NOT_IN_PLACE = -1
MOST_IMAGES = 1 << 27


@dataclass(frozen=True)
class Images:
    """The images of one dataset, all of one format: in place from `offsets`, or in chunks, or within the file's headers.

    `length` are the bytes of each; where they are not in place, all are as long as the first.
    """

    path: Path
    state: FileState
    dataset: str
    format: Format
    length: NDArray[np.int64]
    offsets: NDArray[np.int64] | None
    chunks: Chunks | None = None
    inline: bytes = b""

    @property
    def count(self) -> int:
        return len(self.length)

    def read(self, index: Indices) -> list[Buffer]:
        """Return the bytes of these images."""
        if self.offsets is not None:
            places = zip(self.offsets[index].tolist(), self.length[index].tolist(), strict=True)
            return [read_range(str(self.path), offset, length) for offset, length in places]
        if self.chunks is not None:
            found = self.chunks.read(index)
            return [row.data for row in found.reshape(len(index), -1).view(np.uint8)] if len(index) else []
        size = int(self.length[0])
        return [self.inline[place * size : (place + 1) * size] for place in index.tolist()]


def images_of(file: Hdf5File, node: Node, found: Format, *, count: int, size: int, is_stack: bool) -> Images:
    """Return where the `count` images of a dataset are, each of `size` bytes; a dataset that is no stack is one image.

    Raises LimitExceededError, StoreTruncatedError for data beyond the file's end.
    """
    path, name = file.path, node.name
    if size > MAX_READ_BYTES:
        raise LimitExceededError(f"{path}: {name!r} has images of {size} bytes, the limit is {MAX_READ_BYTES}")
    if count > MOST_IMAGES:
        raise LimitExceededError(f"{path}: {name!r} has {count} images, the limit is {MOST_IMAGES}; split the file")
    if node.offset is not None:
        needed = node.offset + count * size
        if needed > file.state[1]:
            raise StoreTruncatedError(f"{path}: {name!r} needs {needed} bytes, the file has {file.state[1]}; get the file again")
        length = np.full(count, size, np.int64)
        if node.numbers == little(node.numbers):
            return Images(path, file.state, name, found, length, node.offset + size * np.arange(count, dtype=np.int64))
        return Images(path, file.state, name, found, length, None, _one_chunk(file, node, is_stack=is_stack))
    if node.table is not None:
        chunks = chunks_of(path, node, file.buffers[node.table], is_stack=is_stack)
        return Images(path, file.state, name, found, np.full(count, size, np.int64), chunks.offsets_of_images(), chunks)
    inline = file.buffers[node.inline] if node.inline is not None else b""
    if len(inline) != count * size:
        raise StoreTruncatedError(f"{path}: {name!r} needs {count * size} bytes, {len(inline)} are there; get the file again")
    values = np.frombuffer(inline, node.numbers)
    return Images(path, file.state, name, found, np.full(count, size, np.int64), None, None, values.astype(little(values.dtype)).tobytes())


def _one_chunk(file: Hdf5File, node: Node, *, is_stack: bool) -> Chunks:
    """Return contiguous data as chunks of one image each."""
    assert node.shape is not None and node.offset is not None
    shape = node.shape if is_stack else (1, *node.shape)
    size = np.full(shape[0], node.declared // shape[0], np.int64)
    offset = node.offset + np.arange(shape[0], dtype=np.int64) * size
    return Chunks(file.path, node.name, shape, (1, *shape[1:]), node.numbers, (), offset, size, np.zeros_like(size))


class FieldParts:
    """The images of one field: those of some datasets, one after the other."""

    def __init__(self, parts: Sequence[Images]) -> None:
        counts = [part.count for part in parts]
        self.parts = parts
        self.part_of_row = np.repeat(np.arange(len(parts), dtype=np.int64), counts)
        self.first_of_part = np.cumsum([0, *counts])[:-1]
        self.are_in_place = all(part.offsets is not None for part in parts)

    def __len__(self) -> int:
        return len(self.part_of_row)

    @property
    def formats(self) -> list[Format]:
        """One format where all are of one, else one per row."""
        kinds = {part.format for part in self.parts} or {Format(None, None, None)}
        return [part.format for part in self.parts for _ in range(part.count)] if len(kinds) > 1 else list(kinds)

    @property
    def place(self) -> Extents:
        """Where the rows lie; NOT_IN_PLACE as the offset of one that can only be read."""
        numbers = {path: number for number, path in enumerate(dict.fromkeys(part.path for part in self.parts))}
        file = np.array([numbers[part.path] for part in self.parts], np.uint32)[self.part_of_row]
        none = [np.zeros(0, np.int64)]
        length = np.concatenate(none + [part.length for part in self.parts])
        places = [np.full(part.count, NOT_IN_PLACE) if part.offsets is None else part.offsets for part in self.parts]
        return Extents([str(path) for path in numbers], file, np.concatenate(none + places), length)

    def read(self, rows: Indices) -> tuple[dict[int, Buffer], dict[int, str]]:
        """Return the bytes of rows by number, and for those that cannot be read, why."""
        found: dict[int, Buffer] = {}
        reasons: dict[int, str] = {}
        for number, wanted in self._by_part(rows):
            part, index = self.parts[number], wanted - self.first_of_part[number]
            try:
                found.update(zip(wanted.tolist(), part.read(index), strict=True))
            except PixstoreError:
                _read_alone(part, wanted, index, found, reasons)
        return found, reasons

    def _by_part(self, rows: Indices) -> Iterator[tuple[int, Indices]]:
        wanted = np.unique(rows)
        starts = np.flatnonzero(np.diff(self.part_of_row[wanted], prepend=-1))
        for group in np.split(wanted, starts[1:]) if len(wanted) else ():
            yield int(self.part_of_row[group[0]]), group


class Hdf5Parts(LocatedSource):
    """An open source whose rows are images in datasets; layouts add `recognises` and `open`."""

    def __init__(
        self,
        schema: Schema,
        table: pa.Table,
        report: SourceReport,
        parts: Sequence[Images],
        origin: str,
        more: Mapping[str, Sequence[Images]] | None = None,
    ) -> None:
        """`parts` are the images of the first field, `more` those of the others by name."""
        first = schema.fields[0].name
        self._parts = {first: FieldParts(parts), **{name: FieldParts(each) for name, each in (more or {}).items()}}
        super().__init__(
            schema,
            table,
            report,
            place=self._parts[first].place,
            formats=self._parts[first].formats,
            origin=origin,
            states={str(part.path): part.state for field in self._parts.values() for part in field.parts},
            more={name: (field.place, field.formats) for name, field in self._parts.items() if name != first},
        )

    def locate(self, field: str, rows: Indices) -> Records | None:
        located = super().locate(field, rows)
        return located if self._parts[field].are_in_place else None

    def read(self, field: str, rows: Indices) -> Records:
        """Return these rows' pixels. Raises a RecordError that names every row that cannot be read."""
        named = super().locate(field, rows)
        assert named is not None
        rows = np.asarray(rows, np.int64)
        found, reasons = self._parts[field].read(rows)
        if reasons:
            bad = [BadRow(*named.name(record), reasons[row]) for record, row in enumerate(rows.tolist()) if row in reasons]
            raise CorruptRecordError(f"{len(bad)} records cannot be read", bad)
        return Records([found[row] for row in rows.tolist()], named.formats, named.format, named.name)


def _read_alone(part: Images, rows: Indices, index: Indices, found: dict[int, Buffer], reasons: dict[int, str]) -> None:
    """Read one image after the other, so that each that fails is named and no other is lost with it."""
    for row, place in zip(rows.tolist(), index.tolist(), strict=True):
        try:
            found[row] = part.read(np.array([place]))[0]
        except PixstoreError as error:
            reasons[row] = str(error)
