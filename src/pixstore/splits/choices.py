"""How a selection was made, so that it can be made again: small enough to be sent to every worker, where row numbers are not."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixstore.errors import InvalidInputError, KeyInvalidError, SchemaError
from pixstore.rows import Indices
from pixstore.schema import KEY
from pixstore.splits.parts import Assignment, assign
from pixstore.splits.plan import Plan
from pixstore.splits.saved import SavedSplit

ROW = "__row__"

Split: TypeAlias = Plan | SavedSplit


class Choice(Protocol):
    """One step of a selection; pickles, and chooses the same rows of the same table again."""

    def rows(self, table: pa.Table) -> Indices:
        """Return the rows that are chosen from a table of keys and columns."""
        ...


@dataclass(frozen=True, eq=False)
class TheseRows:
    """These very rows. The only choice whose pickle grows with them."""

    chosen: Indices

    def rows(self, table: pa.Table) -> Indices:
        return self.chosen


@dataclass(frozen=True)
class RowRange:
    """The rows of a range."""

    start: int
    stop: int
    step: int

    def rows(self, table: pa.Table) -> Indices:
        return np.arange(self.start, self.stop, self.step)


@dataclass(frozen=True)
class Matching:
    """The rows for which an expression holds, which is kept as deflated Substrait: an open format, and a fifth of its pickle."""

    expression: bytes

    @classmethod
    def of(cls, expression: pc.Expression, table: pa.Table) -> Matching | None:
        """Return None where Substrait has no word for the expression."""
        try:
            return cls(zlib.compress(bytes(expression.to_substrait(table.schema))))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None

    def rows(self, table: pa.Table) -> Indices:
        return matching_rows(pc.Expression.from_substrait(zlib.decompress(self.expression)), table)


@dataclass(frozen=True)
class KeyOrder:
    """The rows in ascending order of their keys' UTF-8 bytes: of keys with a prefix, from the first that is not below `start`, so many."""

    start: str | None = None
    prefix: str = ""
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 0:
            raise InvalidInputError(f"limit {self.limit} is negative; give how many samples at most, or none")
        try:
            (self.prefix + (self.start or "")).encode()
        except (UnicodeEncodeError, TypeError) as error:
            raise KeyInvalidError(f"start {self.start!r}, prefix {self.prefix!r}: keys are valid Unicode text") from error

    def rows(self, table: pa.Table) -> Indices:
        keys = table[KEY].combine_chunks()
        chosen = np.arange(len(keys))
        if self.prefix:
            chosen = chosen[pc.starts_with(keys, pattern=self.prefix).to_numpy(zero_copy_only=False)]
        if self.start is not None:
            chosen = chosen[pc.greater_equal(keys.take(pa.array(chosen)), self.start).to_numpy(zero_copy_only=False)]
        keys = keys.take(pa.array(chosen))
        if not _is_ascending(keys):
            # Nobody sorts a million keys to see the first ten.
            few = self.limit is not None and 0 < self.limit < len(keys) // 8
            order = pc.bottom_k_unstable(keys, self.limit) if few else pc.sort_indices(keys)
            chosen = chosen[order.to_numpy()]
        return chosen[: self.limit]


def _is_ascending(keys: pa.Array) -> bool:
    return len(keys) < 2 or bool(pc.all(pc.less_equal(keys.slice(0, len(keys) - 1), keys.slice(1))).as_py())


@dataclass(frozen=True)
class PartRows:
    """The rows of one part of a split, drawn or read again; or those of all other parts."""

    split: Split
    part: int
    others: bool = False

    def rows(self, table: pa.Table) -> Indices:
        return self.rows_of(assigned(self.split, table))

    def rows_of(self, assignment: Assignment) -> Indices:
        """Return the rows, in ascending order, where it is known already who is in which part."""
        is_in = assignment.part == self.part
        return np.flatnonzero(~is_in & (assignment.part >= 0) if self.others else is_in)


def assigned(split: Split, table: pa.Table) -> Assignment:
    """Return who is in which part: as planned, or as saved."""
    return assign(table, split) if isinstance(split, Plan) else split.read().assign(table[KEY], split.name)


def matching_rows(expression: pc.Expression, table: pa.Table) -> Indices:
    """Return the rows for which the expression holds. Raises SchemaError where it does not fit the columns."""
    numbered = table.append_column(ROW, pa.array(np.arange(table.num_rows)))
    try:
        rows: Indices = numbered.filter(expression)[ROW].to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, TypeError) as error:
        raise SchemaError(f"the expression does not fit; columns here: {', '.join(table.column_names)} ({error})") from error
    return rows
