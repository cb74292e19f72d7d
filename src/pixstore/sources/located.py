"""The common part of sources whose every record is a known run of bytes, in files or in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import (
    BadRow,
    LimitExceededError,
    MissingRecordError,
    PixstoreError,
    ReadFailedError,
    RecordError,
    RowNotFoundError,
)
from pixstore.rows import Buffer, Extents, Indices, Place, Records, Slices
from pixstore.schema import KEY, Format, Schema
from pixstore.source import Source, SourceReport
from pixstore.sources.foreign_file import FileState, read_range, refuse_changed


class LocatedSource(Source):
    """An open source whose every record lies at a known place; layouts add `recognises` and `open`."""

    def __init__(
        self,
        schema: Schema,
        table: pa.Table,
        report: SourceReport,
        *,
        place: Extents | Slices,
        formats: Sequence[Format],
        origin: str,
        states: Mapping[str, FileState] | None = None,
        more: Mapping[str, tuple[Extents | Slices, Sequence[Format]]] | None = None,
    ) -> None:
        """`place` and `formats` are those of the first field, `more` those of the others by name.

        `formats` has one entry for all rows or one per row; `origin` names the place of records that lie in memory.
        `states` are those of the files when the places in them were found: in a file that has changed since, other bytes may lie there.
        """
        self._schema = schema
        self._table = table
        self.report = report
        given = {schema.fields[0].name: (place, formats), **(more or {})}
        self._places = {name: (there, *_distinct(kinds, len(there))) for name, (there, kinds) in given.items()}
        self._origin = origin
        self._states = states or {}

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def table(self) -> pa.Table:
        return self._table

    @property
    def states(self) -> Mapping[str, FileState]:
        return self._states

    def locate(self, field: str, rows: Indices) -> Records | None:
        """Return where these rows' records lie.

        Raises SchemaError for an unknown field, RowNotFoundError for a row beyond the last, StoreBusyError for a file that has changed.
        """
        rows = checked_rows(self, field, rows)
        everywhere, formats, format_of = self._places[field]
        place = take(everywhere, rows)
        for path in place.paths if isinstance(place, Extents) and self._states else ():
            refuse_changed(path, self._states[path])

        def name(record: int) -> tuple[int, str, str]:
            row = int(rows[record])
            lies_in = place.paths[place.file[record]] if isinstance(place, Extents) else self._origin
            return row, self._table[KEY][row].as_py(), lies_in

        return Records(place, formats, format_of[rows], name)

    def read(self, field: str, rows: Indices) -> Records:
        """Return these rows' records as buffers. Raises a RecordError that names every row that cannot be read."""
        located = self.locate(field, rows)
        assert located is not None
        return Records(read_place(located), located.formats, located.format, located.name)


def checked_rows(source: Source, field: str, rows: Indices) -> Indices:
    """Return the rows as int64 after checking the field's name and every row's number."""
    source.schema.field(field)
    rows = np.asarray(rows, dtype=np.int64)
    beyond = rows[(rows < 0) | (rows >= len(source))]
    if len(beyond):
        raise RowNotFoundError(f"row {int(beyond[0])} is outside 0 … {len(source) - 1}")
    return rows


def take(place: Extents | Slices, rows: Indices) -> Extents | Slices:
    """Return the places of these rows only."""
    if isinstance(place, Slices):
        return Slices(place.data, place.offset[rows], place.length[rows])
    file = place.file[rows]
    paths = place.paths
    if len(paths) > len(rows):
        used, inverse = np.unique(file, return_inverse=True)
        paths, file = [paths[index] for index in used.tolist()], inverse.astype(np.uint32)
    return Extents(paths, file, place.offset[rows], place.length[rows])


def read_place(records: Records) -> Place:
    """Return the records' bytes through plain reads; slices are already buffers."""
    place = records.place
    if not isinstance(place, Extents):
        return place
    found: list[Buffer] = []
    failures: list[tuple[PixstoreError, BadRow]] = []
    for record, (file, offset, length) in enumerate(zip(place.file.tolist(), place.offset.tolist(), place.length.tolist(), strict=True)):
        try:
            found.append(read_range(place.paths[file], offset, length))
        except PixstoreError as error:
            failures.append((error, BadRow(*records.name(record), str(error))))
    if failures:
        raise _one_error(failures)
    return found


def _one_error(failures: Sequence[tuple[PixstoreError, BadRow]]) -> RecordError:
    rows = [row for _, row in failures]
    kinds = {type(error) for error, _ in failures}
    for kind in (MissingRecordError, LimitExceededError):
        if kinds == {kind}:
            return kind(f"{len(rows)} records cannot be read", rows)
    return ReadFailedError(f"{len(rows)} records cannot be read", rows)


def _distinct(formats: Sequence[Format], count: int) -> tuple[tuple[Format, ...], NDArray[np.int32]]:
    if len(formats) == 1:
        return tuple(formats), np.zeros(count, np.int32)
    numbers: dict[Format, int] = {}
    index = np.fromiter((numbers.setdefault(each, len(numbers)) for each in formats), np.int32, len(formats))
    return tuple(numbers), index
