"""Several datasets as one: each gives one field of every sample, joined by key or by the stems of their files; nothing is copied.

Keys and order are those of the first. Columns of all are kept: where two datasets have a column of the same name with the same values it
comes once, where the values differ that of the later dataset is called FIELD_NAME, and a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from pixstore import codec
from pixstore.errors import BadRow, LabelMismatchError, PixstoreError, RecordError, RowNotFoundError, SchemaError
from pixstore.naming import Unmatched
from pixstore.rows import Extents, Indices, Records, Rows, Slices
from pixstore.schema import KEY, Field, Schema
from pixstore.source import Skipped, Source, SourceReport
from pixstore.sources.foreign_file import read_range
from pixstore.stems import Match, match
from pixstore.store import StoreRows

Classes: TypeAlias = tuple[str, ...] | None
SHOWN = 3
LOOKED_AT = 8
HEAD_BYTES = 26
NUMBER = r"^(?:.*/)?[0-9]{8,}$"


@dataclass(frozen=True)
class Part:
    """One dataset of those that are joined: the field that it gives, where it lies, its rows."""

    name: str
    place: str
    rows: Rows

    @property
    def field(self) -> Field:
        """The field as it is called there: the only one, or the one of the same name. Raises SchemaError where it cannot be told."""
        fields = self.rows.schema.fields
        if len(fields) == 1:
            return fields[0]
        if self.name in self.rows.schema.field_names:
            return self.rows.schema.field(self.name)
        raise SchemaError(
            f"{self.place}: has the fields {', '.join(self.rows.schema.field_names)}, none of them {self.name!r}; name one of these"
        )


class Joined:
    """Rows of several datasets that belong together; a `Rows`."""

    def __init__(self, parts: Sequence[Part], *, unmatched: Unmatched = "refuse") -> None:
        """Raises LabelMismatchError listing what has no partner unless it is to be left out, DuplicateKeyError for stems that are not
        unique, SchemaError for a field that a dataset does not have.
        """
        self._parts = {part.name: part for part in parts}
        self._fields = {part.name: part.field for part in parts}
        self.report = SourceReport(
            [Skipped(f"{part.name}: {each.path}", each.reason) for part in parts for each in _report(part.rows).skipped],
            [f"{part.name}: {each}" for part in parts for each in _report(part.rows).notes],
        )
        found = match([part.rows.table[KEY] for part in parts], [f"{part.name} ({part.place})" for part in parts])
        self._judge(found, parts, unmatched)
        self._rows = {part.name: rows for part, rows in zip(parts, found.rows, strict=True)}
        self.report.notes += [*_numbered(parts), *_looked_at(parts, found.rows)]
        merged = _Merged(parts, found.rows, self.report.notes)
        self.table = merged.table
        fields = tuple(replace(each, name=name) for name, each in self._fields.items())
        columns = pa.schema([self.table.schema.field(name) for name in self.table.column_names if name != KEY])
        self.schema = Schema(fields, columns, merged.classes, merged.attributes)
        self.name = " + ".join(f"{name} ({_layout(part.rows)})" for name, part in self._parts.items()) + f", joined by {found.way}"

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def is_checked(self) -> bool:
        """Whether every record has a checksum."""
        return all(isinstance(part.rows, StoreRows) for part in self._parts.values())

    def locate(self, field: str, rows: Indices) -> Records | None:
        part, name, own = self._asked(field, rows)
        return self._named(field, rows, own, lambda: part.rows.locate(name, own))

    def read(self, field: str, rows: Indices) -> Records:
        part, name, own = self._asked(field, rows)
        found = self._named(field, rows, own, lambda: part.rows.read(name, own))
        assert found is not None
        return found

    def absent(self, field: str, rows: Indices) -> Indices:
        part, name, own = self._asked(field, rows)
        return part.rows.absent(name, own)

    def close(self) -> None:
        for part in self._parts.values():
            part.rows.close()

    def _asked(self, field: str, rows: Indices) -> tuple[Part, str, Indices]:
        """Return the dataset that has this field, what it is called there, and which of its rows these are."""
        name = self.schema.field(field).name
        beyond = rows[(rows < 0) | (rows >= len(self))]
        if len(beyond):
            raise RowNotFoundError(f"row {int(beyond[0])} is outside 0 … {len(self) - 1}")
        return self._parts[name], self._fields[name].name, self._rows[name][rows]

    def _named(self, field: str, rows: Indices, own: Indices, read: Callable[[], Records | None]) -> Records | None:
        """Return what is read; its records, and those that cannot be read, get the rows and keys that they have here."""
        try:
            found = read()
        except RecordError as error:
            if not error.bad_rows:
                raise
            here = dict(zip(own.tolist(), rows.tolist(), strict=True))
            bad = [BadRow(here[each.row], self._key(here[each.row]), each.place, each.reason) for each in error.bad_rows]
            raise type(error)(f"{len(bad)} of {len(rows)} records of {field!r} cannot be read", bad) from error
        if found is None:
            return None
        theirs = found.name
        return replace(found, name=lambda record: (int(rows[record]), self._key(int(rows[record])), theirs(record)[2]))

    def _key(self, row: int) -> str:
        return str(self.table[KEY][row].as_py())

    def _judge(self, found: Match, parts: Sequence[Part], unmatched: Unmatched) -> None:
        """Raise LabelMismatchError for what has no partner, or note it as left out."""
        lonely = [(part, rows) for part, rows in zip(parts, found.alone, strict=True) if len(rows)]
        told = [_without_partner(part, rows, parts) for part, rows in lonely]
        if not len(found.rows[0]):
            raise LabelMismatchError(f"no two samples belong together, by key or by file stem: {'; '.join(told)}; correct the names")
        if lonely and unmatched == "refuse":
            raise LabelMismatchError(f"{'; '.join(told)}; add what is missing, or leave these out with unmatched='skip' (--unmatched skip)")
        self.report.notes += [f"left out: {each}" for each in told]
        for part, rows in lonely:
            reason = f"nothing of that name in {_others(part, parts)}"
            keys = part.rows.table[KEY].take(pa.array(rows)).to_pylist()
            self.report.skipped += [Skipped(f"{part.name}: {key}", reason) for key in keys]


def _without_partner(part: Part, rows: Indices, parts: Sequence[Part]) -> str:
    keys = part.rows.table[KEY].take(pa.array(rows[:SHOWN])).to_pylist()
    shown = ", ".join(map(repr, keys)) + (f" and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else "")
    return f"{len(rows):,} of {len(part.rows):,} of {part.name} ({part.place}) have no {_others(part, parts)}: {shown}"


def _others(part: Part, parts: Sequence[Part]) -> str:
    return " or ".join(each.name for each in parts if each is not part)


def _report(rows: Rows) -> SourceReport:
    return rows.report if isinstance(rows, Source) else SourceReport()


def _layout(rows: Rows) -> str:
    return rows.name if isinstance(rows, Source) else "pixstore store"


def _numbered(parts: Sequence[Part]) -> list[str]:
    """Return a note where some keys are numbers that rows got when they were opened or written: these match whatever the order is."""
    named = [part for part in parts if pc.all(pc.match_substring_regex(part.rows.table[KEY], NUMBER)).as_py()]
    if not named:
        return []
    those = " and ".join(f"{part.name} ({part.place})" for part in named)
    return [f"joined by row number, for the keys of {those} are nothing else: make sure that all are in the same order"]


def _looked_at(parts: Sequence[Part], rows: Sequence[Indices]) -> list[str]:
    """Return notes about the first samples: images that differ in size, and palettes, whose indices are not what is read."""
    notes, first = [], list[list[tuple[int, ...]]]()
    for part, own in zip(parts, rows, strict=True):
        # What cannot be read is told, with its row, when it is asked for.
        with suppress(PixstoreError):
            records = part.rows.locate(part.field.name, own[:LOOKED_AT]) if not part.field.is_stack else None
            if records is None or len(part.rows.absent(part.field.name, own[:LOOKED_AT])):
                continue
            if part is not parts[0] and any(_is_palette(record) for record in _heads(records)):
                notes.append(f"{part.name}: PNGs with a palette are read as its colours, not as the indices of classes; save these as gray")
            formats = [records.formats[each] for each in records.format.tolist()]
            if any(not each.is_known for each in formats):
                probed = codec.probe(records)
                formats = [probed.formats[each] for each in probed.format.tolist()]
            first.append([(each.shape or ())[:2] for each in formats])
    for sizes in zip(*first, strict=True):
        if len(set(sizes)) > 1:
            shown = " and ".join("·".join(map(str, size)) for size in sizes)
            return [*notes, f"among the first samples are some of {shown} (height·width): make sure that they belong together"]
    return notes


def _heads(records: Records) -> list[bytes]:
    """Return the first bytes of each record."""
    place = records.place
    if isinstance(place, Extents):
        files, offsets = place.file.tolist(), place.offset.tolist()
        return [read_range(place.paths[file], offset, HEAD_BYTES) for file, offset in zip(files, offsets, strict=True)]
    return [bytes((each or b"")[:HEAD_BYTES]) for each in (place.views() if isinstance(place, Slices) else place)]


def _is_palette(head: bytes) -> bool:
    """Return whether a PNG's header (PNG 1.2, 11.2.2) says colour type 3."""
    return head.startswith(b"\x89PNG\r\n\x1a\n") and head[25:26] == b"\x03"


class _Merged:
    """The key of the first dataset, and the columns, class names and attributes of all."""

    def __init__(self, parts: Sequence[Part], rows: Sequence[Indices], notes: list[str]) -> None:
        self._fields = [part.name for part in parts]
        self._columns: dict[str, pa.ChunkedArray] = {}
        self.classes: dict[str, tuple[str, ...]] = {}
        self.attributes: dict[str, Any] = {}
        for part, own in zip(parts, rows, strict=True):
            table = part.rows.table.take(pa.array(own))
            self._columns.setdefault(KEY, table[KEY])
            for name in part.rows.schema.columns.names:
                self._add(part.name, name, table[name], part.rows.schema.classes, notes)
            for name, value in part.rows.schema.attributes.items():
                known = self.attributes.setdefault(name, value)
                if known != value:
                    self.attributes[f"{part.name}.{name}"] = value
        self.table = pa.table(self._columns)

    def _add(self, field: str, name: str, values: pa.ChunkedArray, classes: Mapping[str, tuple[str, ...]], notes: list[str]) -> None:
        known = self._columns.get(name)
        if known is not None and _are_alike(known, self.classes.get(name), values, classes.get(name)):
            return
        called = name
        if known is not None or name in self._fields:
            called = f"{field}_{name}"
            why = "other values than the column of that name before it" if known is not None else "the name of a field"
            notes.append(f"{field}: its column {name!r} has {why}, so it is called {called!r}")
        self._columns[called] = values
        if name in classes:
            self.classes[called] = classes[name]


def _are_alike(one: pa.ChunkedArray, names: Classes, other: pa.ChunkedArray, other_names: Classes) -> bool:
    """Return whether two columns say the same, by the names of their classes where their integers have names."""
    if names == other_names:
        return bool(one.equals(other))
    return _named_values(one, names) == _named_values(other, other_names)


def _named_values(values: pa.ChunkedArray, classes: Classes) -> list[Any]:
    if classes is None:
        return list(values.to_pylist())
    return [classes[each] if each is not None and 0 <= each < len(classes) else each for each in values.to_pylist()]
