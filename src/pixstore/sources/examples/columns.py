"""Columns made of the features of tf.train.Example records: what each says of every record, with nothing where a record lacks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pixstore.errors import CorruptStoreError, LimitExceededError
from pixstore.sources.examples.example import Feature, Kind

MAX_COLUMN_BYTES = 1 << 30


@dataclass
class FeatureColumn:
    """The values of one feature, one entry per record so far: a tuple of values, or None."""

    kind: Kind
    values: list[tuple[Any, ...] | None]
    is_list: bool = False

    def array(self) -> pa.Array:
        """Return the column: single values where no record has several, text where all bytes are UTF-8."""
        values = self.values if self.is_list else [None if each is None else each[0] for each in self.values]
        if self.kind != "bytes":
            single = pa.int64() if self.kind == "int" else pa.float32()
            return pa.array(values, pa.list_(single) if self.is_list else single)
        try:
            texts = [None if each is None else [value.decode() for value in each] for each in self.values]
            single = pa.string()
        except UnicodeDecodeError:
            texts, single = [None if each is None else list(each) for each in self.values], pa.binary()
        return pa.array(texts, pa.list_(single)) if self.is_list else pa.array([each and each[0] for each in texts], single)


@dataclass
class FeatureColumns:
    """Collects the features of records that become columns; `skipped` names those that do not."""

    skipped: frozenset[str]
    columns: dict[str, FeatureColumn] = field(default_factory=dict)
    count: int = 0
    held_bytes: int = 0

    def add(self, features: Sequence[Feature], record: bytes, origin: str) -> None:
        """Take the features of the next record. Raises CorruptStoreError for one of another kind than before."""
        for feature in features:
            if feature.name in self.skipped or not feature.values:
                continue
            column = self.columns.get(feature.name)
            if column is None:
                column = self.columns[feature.name] = FeatureColumn(feature.kind, [])
            if column.kind != feature.kind:
                raise CorruptStoreError(
                    f"{origin}: feature {feature.name!r} has {feature.kind} values, {column.kind} values before; write them alike"
                )
            column.is_list |= len(feature.values) > 1
            column.values.extend([None] * (self.count - len(column.values)))
            # The last entry of a name counts where a record has two.
            column.values[self.count :] = [self._values(feature, record, origin)]
        self.count += 1

    def arrays(self) -> dict[str, pa.Array]:
        """Return all columns, as long as there are records."""
        for column in self.columns.values():
            column.values.extend([None] * (self.count - len(column.values)))
        return {name: column.array() for name, column in self.columns.items()}

    def _values(self, feature: Feature, record: bytes, origin: str) -> tuple[Any, ...]:
        if feature.kind != "bytes":
            return feature.values
        found = tuple(record[begin:end] for begin, end in feature.spans())
        self.held_bytes += sum(map(len, found))
        if self.held_bytes > MAX_COLUMN_BYTES:
            raise LimitExceededError(f"{origin}: features beside the images take over {MAX_COLUMN_BYTES} bytes; leave out {feature.name!r}")
        return found
