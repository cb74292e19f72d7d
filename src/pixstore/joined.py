"""Several datasets as one: each gives one field of every sample, joined by key or by the stems of their files; nothing is copied.

Keys and order are those of the first. Columns of all are kept: where two datasets have a column of the same name with the same values it
comes once, where the values differ that of the later dataset is called FIELD_NAME, and a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa

from pixstore.errors import BadRow, LabelMismatchError, RecordError, RowNotFoundError, SchemaError
from pixstore.rows import Indices, Records, Rows
from pixstore.schema import KEY, Field, Schema
from pixstore.source import Skipped, Source, SourceReport
from pixstore.stems import Match, match
from pixstore.store import StoreRows

Unmatched: TypeAlias = Literal["refuse", "skip"]
"""What becomes of samples that not every dataset has: an error that lists them, or they are left out and listed."""
SHOWN = 3


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
        """Return the places in `rows` of samples that a store was written without."""
        part, name, own = self._asked(field, rows)
        return part.rows.absent(name, own) if isinstance(part.rows, StoreRows) else np.empty(0, np.int64)

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
            raise LabelMismatchError(
                f"{'; '.join(told)}; add what is missing, or leave these out with unmatched='skip' (--unmatched skip)"
            )
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
        if known is not None and _meant(known, self.classes.get(name)) == _meant(values, classes.get(name)):
            return
        called = name
        if known is not None or name in self._fields:
            called = f"{field}_{name}"
            why = "other values than the column of that name before it" if known is not None else "the name of a field"
            notes.append(f"{field}: its column {name!r} has {why}, so it is called {called!r}")
        self._columns[called] = values
        if name in classes:
            self.classes[called] = classes[name]


def _meant(values: pa.ChunkedArray, classes: tuple[str, ...] | None) -> list[Any]:
    """Return what a column says: names of classes where its integers have names."""
    plain = values.to_pylist()
    return plain if classes is None else [classes[each] if each is not None and 0 <= each < len(classes) else each for each in plain]
