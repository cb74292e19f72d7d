"""`pixstore.compare`: whether two datasets hold the same samples, in whatever order and engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa

from pixstore import executors
from pixstore.core import usable_cpus
from pixstore.dataset import Dataset
from pixstore.errors import BadRow
from pixstore.opening import open_dataset
from pixstore.rows import Indices
from pixstore.schema import KEY
from pixstore.trust.cells import Hashes
from pixstore.trust.digest import as_text, classes_number, samples_number
from pixstore.trust.identity import Identities, identities
from pixstore.trust.matching import Matched, match
from pixstore.trust.pixels import differing_pixels

Progress = Callable[[int, int, int], None]
Kind: TypeAlias = Literal["only in a", "only in b", "unreadable in a", "unreadable in b", "column", "bytes", "pixels", "classes"]

ROWS_AT_ONCE = 1 << 15
SHOWN = 20
NOTHING = np.uint64(0)


@dataclass(frozen=True)
class Difference:
    """One sample (or, for classes, a column) that is not the same in both: its key, what differs, and how."""

    kind: Kind
    key: str
    name: str
    detail: str

    def __str__(self) -> str:
        about = f" {self.name!r}" if self.name else ""
        return f"{self.key!r}: {self.kind}{about}" + (f": {self.detail}" if self.detail else "")


@dataclass
class Comparison:
    """What two datasets have in common. `counts` are exact: how many samples differ, by (kind, name of column or field).

    `differences` lists the first of each. `same_pixels` counts images whose stored bytes differ and whose pixels do not; they are no
    difference where pixels were compared.
    """

    digests: tuple[str | None, str | None]
    """Of each dataset's content (see `pixstore.trust.digest`), None where something in it cannot be read."""
    samples: tuple[int, int]
    matched: int = 0
    counts: dict[tuple[Kind, str], int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    same_pixels: int = 0

    @property
    def equal(self) -> bool:
        return not self.counts


def compare(
    a: str | os.PathLike[str] | Dataset,
    b: str | os.PathLike[str] | Dataset,
    *,
    pixels: bool = False,
    limit: int = SHOWN,
    on: str = "threads",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two stores or sources, sample by sample: keys, columns, class names, stored bytes. Their order does not matter.

    Every record of both is read, and in stores compared with its checksum. pixels: where stored bytes differ, images are decoded, and only
    other pixels count as a difference (a PNG and the array it was made from are equal). limit: how many differences of each kind are
    listed; counts are exact in any case. on, workers: "threads", "processes" or "ray[=ADDRESS]", and how many.
    progress: called as `progress(samples read, samples of both, 0)`. A few numbers are kept for each sample, no image longer than needed.
    """
    with _opened(a) as first, _opened(b) as second:
        whole = len(first) + len(second)
        sides = (first, second)
        found = [_gather(each, done, whole, on, workers, progress) for each, done in ((first, 0), (second, len(first)))]
        result = Comparison((_digest(first, found[0]), _digest(second, found[1])), (len(first), len(second)))
        _compare_classes(result, sides)
        pairs = match(found[0].keys, found[1].keys)
        result.matched = len(pairs.first)
        for letter, each, read, rows in (("a", first, found[0], pairs.only_first), ("b", second, found[1], pairs.only_second)):
            _note(result, each, rows, ONLY[letter], "", limit)
            _note_unreadable(result, read.bad_rows, UNREADABLE[letter], limit)
        _compare_columns(result, sides, found, pairs, limit)
        for name in dict.fromkeys([*first.schema.field_names, *second.schema.field_names]):
            _compare_field(result, sides, found, pairs, name, pixels, limit)
    return result


ONLY: Mapping[str, Kind] = {"a": "only in a", "b": "only in b"}
UNREADABLE: Mapping[str, Kind] = {"a": "unreadable in a", "b": "unreadable in b"}


def _opened(given: str | os.PathLike[str] | Dataset) -> Any:
    return closing(open_dataset(given)) if not isinstance(given, Dataset) else _Kept(given)


class _Kept:
    """Leaves a dataset open that somebody else opened."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __enter__(self) -> Dataset:
        return self._dataset

    def __exit__(self, *_: object) -> None:
        """Nothing is closed."""


@dataclass(frozen=True)
class Stretch:
    """Rows of a dataset to be read by one worker."""

    dataset: Dataset
    start: int
    stop: int


def read_stretch(task: Stretch) -> tuple[Identities, int]:
    """Return the rows of a stretch as numbers, and their part of the dataset's digest."""
    found = identities(task.dataset, task.start, task.stop, threads=1)
    return found, samples_number(found, threads=1)


@dataclass
class _Gathered:
    """All rows of a dataset as numbers; the digest's sum."""

    keys: Hashes
    columns: dict[str, Hashes]
    fields: dict[str, Hashes]
    bad_rows: list[BadRow] = field(default_factory=list)
    total: int = 0

    def put(self, start: int, part: Identities, number: int) -> None:
        places = slice(start, start + len(part))
        self.keys[places] = part.keys
        for mine, its in ((self.columns, part.columns), (self.fields, part.fields)):
            for name, hashes in its.items():
                mine[name][places] = hashes
        self.bad_rows += part.bad_rows
        self.total += number


def _gather(dataset: Dataset, before: int, whole: int, on: str, workers: int | None, progress: Progress | None) -> _Gathered:
    count = len(dataset)
    names = (dataset.schema.columns.names, dataset.schema.field_names)
    columns, fields = ({name: np.zeros(count, np.uint64) for name in each} for each in names)
    found = _Gathered(np.zeros(count, np.uint64), columns, fields)
    tasks = [Stretch(dataset, start, min(start + ROWS_AT_ONCE, count)) for start in range(0, count, ROWS_AT_ONCE)]
    results: Any = executors.run(read_stretch, tasks, on=on, workers=workers if on.startswith("ray") else workers or usable_cpus())
    done = before
    with closing(results):
        for number, (part, total) in results:
            found.put(tasks[number].start, part, total)
            done += len(part)
            if progress is not None:
                progress(done, whole, 0)
    return found


def _digest(dataset: Dataset, found: _Gathered) -> str | None:
    return None if found.bad_rows else as_text(found.total + classes_number(dataset.schema))


def _compare_classes(result: Comparison, sides: tuple[Dataset, Dataset]) -> None:
    first, second = ({name: names for name, names in each.schema.classes.items() if names} for each in sides)
    for name in sorted(first.keys() | second.keys()):
        if tuple(first.get(name, ())) != tuple(second.get(name, ())):
            result.counts["classes", name] = 1
            words = " against ".join(f"{len(each.get(name, ())):,} names" for each in (first, second))
            result.differences.append(Difference("classes", "", name, words))


def _compare_columns(result: Comparison, sides: tuple[Dataset, Dataset], found: Sequence[_Gathered], pairs: Matched, limit: int) -> None:
    for name in dict.fromkeys([*found[0].columns, *found[1].columns]):
        ours, theirs = _taken(found[0].columns, name, pairs.first), _taken(found[1].columns, name, pairs.second)
        differ = np.flatnonzero(ours != theirs)
        if len(differ):
            result.counts["column", name] = len(differ)
        for place in differ[:limit].tolist():
            values = [_value(side, name, int(rows[place])) for side, rows in zip(sides, (pairs.first, pairs.second), strict=True)]
            result.differences.append(
                Difference("column", _key(sides[0], int(pairs.first[place])), name, f"{values[0]} against {values[1]}")
            )


def _compare_field(
    result: Comparison, sides: tuple[Dataset, Dataset], found: Sequence[_Gathered], pairs: Matched, name: str, pixels: bool, limit: int
) -> None:
    ours, theirs = _taken(found[0].fields, name, pairs.first), _taken(found[1].fields, name, pairs.second)
    is_bad = _unreadable_rows(sides[0], found[0], pairs.first) | _unreadable_rows(sides[1], found[1], pairs.second)
    differ = np.flatnonzero((ours != theirs) & ~is_bad)
    both = (ours[differ] != NOTHING) & (theirs[differ] != NOTHING)
    absent = differ[~both]
    _note_field(result, sides, pairs, absent, "bytes", name, ["one of both has none"] * len(absent), limit)
    differ = differ[both]
    if not pixels:
        _note_field(result, sides, pairs, differ, "bytes", name, ["the stored bytes differ"] * len(differ), limit)
        return
    others, reasons = differing_pixels(sides, name, pairs.first[differ], pairs.second[differ])
    result.same_pixels += len(differ) - len(others)
    _note_field(result, sides, pairs, differ[others], "pixels", name, reasons, limit)


def _taken(hashes: Mapping[str, Hashes], name: str, rows: Indices) -> Hashes:
    return hashes[name][rows] if name in hashes else np.zeros(len(rows), np.uint64)


def _unreadable_rows(dataset: Dataset, found: _Gathered, rows: Indices) -> Any:
    if not found.bad_rows:
        return np.zeros(len(rows), np.bool_)
    keys = pa.array([each.key for each in found.bad_rows], pa.string())
    return pa.compute.is_in(dataset.table[KEY].take(pa.array(rows)), value_set=keys).to_numpy(zero_copy_only=False)


def _note_field(
    result: Comparison,
    sides: tuple[Dataset, Dataset],
    pairs: Matched,
    places: Indices,
    kind: Kind,
    name: str,
    reasons: Sequence[str],
    limit: int,
) -> None:
    if not len(places):
        return
    result.counts[kind, name] = result.counts.get((kind, name), 0) + len(places)
    for place, reason in zip(places[:limit].tolist(), reasons, strict=False):
        result.differences.append(Difference(kind, _key(sides[0], int(pairs.first[place])), name, reason))


def _note(result: Comparison, dataset: Dataset, rows: Indices, kind: Kind, name: str, limit: int) -> None:
    if len(rows):
        result.counts[kind, name] = len(rows)
        result.differences += [Difference(kind, _key(dataset, row), name, "") for row in rows[:limit].tolist()]


def _note_unreadable(result: Comparison, bad_rows: Sequence[BadRow], kind: Kind, limit: int) -> None:
    if bad_rows:
        result.counts[kind, ""] = len(bad_rows)
        result.differences += [Difference(kind, bad.key, "", f"{bad.place}: {bad.reason}") for bad in bad_rows[:limit]]


def _key(dataset: Dataset, row: int) -> str:
    key: str = dataset.table[KEY][row].as_py()
    return key


def _value(dataset: Dataset, name: str, row: int) -> str:
    if name not in dataset.table.column_names:
        return "no such column"
    text = repr(dataset.table[name][row].as_py())
    return text if len(text) <= 60 else f"{text[:57]}…"
