"""Who is in which part.

Chance comes from the keys: samples are drawn in the order of a random number made from seed and key, never from their row. So the same
samples fall into the same parts in any order, from a folder as from the store made of it.

Without groups each part has exactly the size it should (largest remainder), and each class n_c · size / n of its samples rounded down
or up, folds n_c / k (`controlled_rounding`). Groups are kept whole: from the largest on, each goes where the chi-square distance of all
counts (of samples, or of samples per class) from what they should be grows least; greedy, as scikit-learn's StratifiedGroupKFold is,
so near to what was asked, not always equal to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixstore.codec import hash_keys
from pixstore.errors import InvalidInputError, SchemaError
from pixstore.loader.draws import Draws
from pixstore.rows import Indices
from pixstore.schema import KEY
from pixstore.splits.plan import Plan
from pixstore.splits.rounding import Counts, controlled_rounding

MOST_CLASSES = 100_000
SHOWN_CLASSES = 5
UNEVEN = 0.01
"""Parts of groups that miss their size by more than this share of all samples are worth a word."""


class SplitWarning(UserWarning):
    """A split is what was asked for as far as that can be, and something about it should be known."""


@dataclass(frozen=True)
class Assignment:
    """The part of each row, as a number into `names`; and what should be known about it, in words."""

    names: tuple[str, ...]
    part: NDArray[np.int64]
    notes: tuple[str, ...] = ()


def assign(table: pa.Table, plan: Plan) -> Assignment:
    """Return the part of each row of a table of keys and columns.

    Raises SchemaError for a column that is not there or holds no classes, InvalidInputError where a sample has no value in it, where
    a key stands twice, where sizes do not fit the samples.
    """
    counts = plan.counts(table.num_rows)
    draws = Draws(plan.seed, 0, _distinct_hashes(table, plan.group)).uniform(0)
    classes = _Column.of(table, plan.stratify) if plan.stratify is not None else _Column.of_one_value(table.num_rows)
    if len(classes.values) > MOST_CLASSES:
        raise InvalidInputError(f"column {plan.stratify!r} has {len(classes.values):,} distinct values, which are no classes")
    notes = _rare(classes, plan)
    if plan.group is None:
        wanted = _rounded(classes.counts, counts, plan)
        part = _drawn(classes.codes, draws, wanted)
    else:
        part = _grouped(_Column.of(table, plan.group), classes, draws, counts, plan)
        notes += _uneven(np.bincount(part, minlength=len(counts)), counts, plan)
    return Assignment(plan.names, part, tuple(notes))


@dataclass(frozen=True)
class _Column:
    """A column as numbers: `codes` into its distinct values, which are in ascending order, so that row order says nothing."""

    values: pa.Array
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, table: pa.Table, name: str) -> _Column:
        if name not in table.column_names:
            raise SchemaError(f"no column {name!r}; columns here: {', '.join(table.column_names)}")
        column = table[name]
        if column.null_count:
            first = table[KEY][pc.index(column.is_null(), True).as_py()].as_py()
            raise InvalidInputError(f"{column.null_count:,} samples have no {name!r}, the first is {first!r}; leave them out with filter()")
        try:
            values = pc.unique(column)
            values = values.take(pc.sort_indices(values))
            codes = pc.index_in(column, value_set=values)
        except (pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise SchemaError(f"column {name!r} is {column.type}, which has no classes or groups; use numbers or text") from error
        return cls(values, codes.to_numpy().astype(np.int64))

    @classmethod
    def of_one_value(cls, count: int) -> _Column:
        return cls(pa.nulls(1), np.zeros(count, np.int64))

    @property
    def counts(self) -> Counts:
        return np.bincount(self.codes, minlength=len(self.values))


def _distinct_hashes(table: pa.Table, group: str | None) -> Indices:
    """Return a number for each key. Raises InvalidInputError where one stands twice: its samples could be in two parts."""
    hashes: Indices = hash_keys(table[KEY]).view(np.int64)
    if group != KEY and len(np.unique(hashes)) < len(hashes):
        counts = pc.value_counts(table[KEY])
        twice = counts.filter(pc.greater(counts.field("counts"), 1))
        if len(twice):
            raise InvalidInputError(
                f"key {twice.field('values')[0].as_py()!r} stands twice in what is split; keep it together with group='key'"
            )
    return hashes


def _rounded(class_counts: Counts, counts: Sequence[int], plan: Plan) -> Counts:
    """Return how many samples of each class go to each part, of shape (classes, parts)."""
    if plan.sizes is not None:
        return controlled_rounding([[each * size for size in counts] for each in class_counts.tolist()], sum(counts), plan.seed)
    # A class that only fills up makes folds of equal size possible; without it they differ by one at most.
    filling = -int(class_counts.sum()) % plan.folds
    numerators = [[each] * plan.folds for each in [*class_counts.tolist(), filling]]
    return controlled_rounding(numerators, plan.folds, plan.seed)[:-1]


def _drawn(codes: NDArray[np.int64], draws: NDArray[np.float64], wanted: Counts) -> NDArray[np.int64]:
    """Return the part of each row: of each class, in the order of the draws, as many as are wanted there."""
    order = np.lexsort((draws, codes))
    part = np.empty(len(codes), np.int64)
    part[order] = np.repeat(np.tile(np.arange(wanted.shape[1]), len(wanted)), wanted.ravel())
    return part


def _grouped(groups: _Column, classes: _Column, draws: NDArray[np.float64], counts: Sequence[int], plan: Plan) -> NDArray[np.int64]:
    """Return the part of each row, the same for all rows of a group."""
    number = len(groups.values)
    if number < len(counts):
        raise InvalidInputError(f"column {plan.group!r} has {number:,} distinct values, too few to fill {len(counts)} parts")
    pairs, pair_counts = np.unique(groups.codes * len(classes.values) + classes.codes, return_counts=True)
    pair_group, pair_class = np.divmod(pairs, len(classes.values))
    begins = np.searchsorted(pair_group, np.arange(number + 1))
    # Large groups and those of one class are the hardest to place; among equals the samples' draws decide.
    weight = np.add.reduceat(pair_counts**2, begins[:-1])
    first_draw = np.full(number, np.inf)
    np.minimum.at(first_draw, groups.codes, draws)
    wanted = np.outer(counts, classes.counts / len(draws))
    filled = np.zeros_like(wanted)
    part_of_group = np.empty(number, np.int64)
    empty = set(range(len(counts)))
    for place, group in enumerate(np.lexsort((first_draw, -weight)).tolist()):
        span = slice(begins[group], begins[group + 1])
        here, size = pair_class[span], pair_counts[span]
        growth = (size * (2 * (filled[:, here] - wanted[:, here]) + size) / wanted[:, here]).sum(axis=1)
        if number - place <= len(empty):
            growth[[part for part in range(len(counts)) if part not in empty]] = np.inf
        chosen = int(np.argmin(growth))
        filled[chosen, here] += size
        part_of_group[group] = chosen
        empty.discard(chosen)
    return part_of_group[groups.codes]


def _rare(classes: _Column, plan: Plan) -> list[str]:
    rare = np.flatnonzero(classes.counts < plan.folds)
    if plan.stratify is None or not len(rare):
        return []
    shown = ", ".join(f"{classes.values[each].as_py()!r} ({classes.counts[each]})" for each in rare[:SHOWN_CLASSES])
    more = f" and {len(rare) - SHOWN_CLASSES} more" if len(rare) > SHOWN_CLASSES else ""
    what = "folds" if plan.sizes is None else "parts"
    return [f"classes of {plan.stratify!r} with fewer samples than {plan.folds} {what}, which some lack therefore: {shown}{more}"]


def _uneven(found: Counts, counts: Sequence[int], plan: Plan) -> list[str]:
    off = [abs(have - want) for have, want in zip(found.tolist(), counts, strict=True)]
    if max(off) <= max(1, UNEVEN * sum(counts)):
        return []
    sizes = ", ".join(f"{name} {have:,} instead of {want:,}" for name, have, want in zip(plan.names, found.tolist(), counts, strict=True))
    return [f"groups of {plan.group!r} are kept whole, so the parts have other sizes than asked: {sizes}"]
