"""Every cell of a run, classic and lab together, as one Arrow table.

| column | type | content |
|---|---|---|
| `experiment` | string | "read-many" … of the classic experiment; a question's name of the lab: "order" |
| `suite` | string | "classic" or "lab" |
| `way`, `title` | string | the way, and what people call it; the way is empty where a question failed as a whole |
| `images` | int64 | how many images one repeat worked on |
| `setting_AXIS` | int64, double or string | where the cell stands on an axis of a question: `setting_order`; null in other questions |
| `median_seconds` | double | median of the repeats, for all images of the cell |
| `low_seconds`, `high_seconds` | double | the 95 % interval of that median |
| `min_seconds`, `max_seconds` | double | the fastest and the slowest repeat |
| `repeats` | int64 | how many there were |
| `images_per_second` | double | images ÷ median |
| `apparent_bytes`, `allocated_bytes` | int64 | disk use: the files' lengths, and what the file system gave them; of classic cells |
| `measure_NAME` | double | median of another measure, its unit in its name: `measure_p99_seconds` |
| `measure_NAME_low`, `…_high` | double | the 95 % interval of that median |
| `proof` | string | JSON: what shows that the setting held |
| `error` | string | why the cell was not measured |

What was not measured is null, never zero.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import pyarrow as pa

from pixstore.bench.measurements import Cell, Measurements, Observation, Value
from pixstore.bench.statistics import Spread
from pixstore.errors import InvalidInputError

Column: TypeAlias = tuple[pa.DataType, list[Any]]
CLASSIC = "classic"
LAB = "lab"


def as_table(results: Measurements, experiment: str | None = None) -> pa.Table:
    """Return every cell as a row, in the order measured; of one experiment only the columns that have a value there.

    Raises InvalidInputError, naming what there is, for an experiment or question that was not measured.
    """
    cells = [each for each in results.cells if experiment in (None, each.experiment)]
    answers = [each for each in results.observations if experiment in (None, each.question)]
    if experiment is not None and not cells and not answers:
        here = dict.fromkeys([*(each.experiment for each in results.cells), *(each.question for each in results.observations)])
        raise InvalidInputError(f"no cells of {experiment!r} in these results; here: {', '.join(here) or 'none'}")
    rows: list[Cell | Observation] = [*cells, *answers]
    columns = {**_names(results, rows), **_settings(rows), **_times(rows), **_disk(rows), **_measures(rows), **_ends(rows)}
    if experiment is not None:
        columns = {name: column for name, column in columns.items() if any(each is not None for each in column[1])}
    return pa.table({name: pa.array(values, kind) for name, (kind, values) in columns.items()})


def _names(results: Measurements, rows: list[Cell | Observation]) -> dict[str, Column]:
    return {
        "experiment": (pa.string(), [each.experiment if isinstance(each, Cell) else each.question for each in rows]),
        "suite": (pa.string(), [CLASSIC if isinstance(each, Cell) else LAB for each in rows]),
        "way": (pa.string(), [each.way for each in rows]),
        "title": (pa.string(), [results.title(each.way) for each in rows]),
        "images": (pa.int64(), [each.images for each in rows]),
    }


def _settings(rows: list[Cell | Observation]) -> dict[str, Column]:
    settings = [each.setting if isinstance(each, Observation) else {} for each in rows]
    return {f"setting_{axis}": _axis([each.get(axis) for each in settings]) for axis in _all(settings)}


def _axis(places: list[Value | None]) -> Column:
    """Return the places on one axis in the narrowest type that holds them all; text where some are words ("all")."""
    kinds = {type(each) for each in places if each is not None}
    if kinds == {int}:
        return pa.int64(), places
    if kinds <= {int, float}:
        return pa.float64(), [None if each is None else float(each) for each in places]
    return pa.string(), [None if each is None else str(each) for each in places]


def _times(rows: list[Cell | Observation]) -> dict[str, Column]:
    times = [each.seconds for each in rows]
    rates = [each.images / each.seconds.median if each.seconds and each.seconds.median else None for each in rows]
    return {
        "median_seconds": _each(times, lambda spread: spread.median),
        "low_seconds": _each(times, lambda spread: spread.interval[0]),
        "high_seconds": _each(times, lambda spread: spread.interval[1]),
        "min_seconds": _each(times, lambda spread: spread.min),
        "max_seconds": _each(times, lambda spread: spread.max),
        "repeats": (pa.int64(), [None if each is None else len(each.runs) for each in times]),
        "images_per_second": (pa.float64(), rates),
    }


def _disk(rows: list[Cell | Observation]) -> dict[str, Column]:
    used = [each.bytes if isinstance(each, Cell) else None for each in rows]
    return {
        "apparent_bytes": (pa.int64(), [None if each is None else each.apparent for each in used]),
        "allocated_bytes": (pa.int64(), [None if each is None else each.allocated for each in used]),
    }


def _measures(rows: list[Cell | Observation]) -> dict[str, Column]:
    measured = [each.measures if isinstance(each, Observation) else {} for each in rows]
    found: dict[str, Column] = {}
    for name in _all(measured):
        spreads = [each.get(name) for each in measured]
        found[f"measure_{name}"] = _each(spreads, lambda spread: spread.median)
        found[f"measure_{name}_low"] = _each(spreads, lambda spread: spread.interval[0])
        found[f"measure_{name}_high"] = _each(spreads, lambda spread: spread.interval[1])
    return found


def _ends(rows: list[Cell | Observation]) -> dict[str, Column]:
    proofs = [each.proof if isinstance(each, Observation) else {} for each in rows]
    return {
        "proof": (pa.string(), [json.dumps(each, ensure_ascii=False) if each else None for each in proofs]),
        "error": (pa.string(), [each.error for each in rows]),
    }


def _each(spreads: list[Spread | None], value: Callable[[Spread], float]) -> Column:
    return pa.float64(), [None if each is None else value(each) for each in spreads]


def _all(mappings: Iterable[dict[str, Any]]) -> list[str]:
    """Return every name, in the order first met."""
    return list(dict.fromkeys(name for each in mappings for name in each))
