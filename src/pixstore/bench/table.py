"""The results as tables of text, for the terminal to print."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pixstore.bench import words
from pixstore.bench.measurements import Cell, Measurements

FAILED = "failed"
NONE = "–"
MANY = ("store-many", "read-many", "read-shuffled")
ONE = ("store-one", "read-one")
TITLES = {"store-many": "Storing", "read-many": "Reading in order", "read-shuffled": "Reading in random order"}
NAMES = ("images kept as", "way")


@dataclass(frozen=True)
class Table:
    """A title, heads and rows of text; the first two columns name the way, the others are numbers."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def tables(results: Measurements) -> list[Table]:
    """Return every table the results allow, the summary last."""
    found = [one_image(results), *(by_cutoff(results, experiment) for experiment in MANY), summary(results)]
    return [table for table in found if table is not None]


def summary(results: Measurements) -> Table | None:
    """Return the largest number of images: store, read, shuffled and disk side by side; None where there is none."""
    images = words.largest(results)
    if images is None:
        return None
    rows = []
    for way in _tried(results, (*MANY, "disk")):
        times = [_seconds(results.cell(experiment, way, images), results) for experiment in MANY]
        rows.append((results.title(way), way, *times, _megabytes(results.cell("disk", way, images))))
    title = f"{words.count(images, 'image')}: {words.source(results)}"
    return Table(title, (*NAMES, "store s", "read s", "shuffled s", "disk MB"), rows)


def one_image(results: Measurements) -> Table | None:
    """Return time and disk of one image side by side; None where it was not measured."""
    if not _tried(results, ONE):
        return None
    rows = []
    for way in _tried(results, ONE):
        stored, read = results.cell("store-one", way, 1), results.cell("read-one", way, 1)
        disk = f"{stored.bytes.allocated / 1e3:,.1f}" if stored and stored.bytes else NONE
        rows.append((results.title(way), way, _seconds(stored, results, 1e3), _seconds(read, results, 1e3), disk))
    return Table("One image", (*NAMES, "store ms", "read ms", "disk kB"), rows)


def _tried(results: Measurements, experiments: Sequence[str]) -> list[str]:
    """Return the ways that have a cell in any of these experiments; the questions of the lab may have had more."""
    tried = {cell.way for cell in results.cells if cell.experiment in experiments}
    return [way for way in results.ways if way in tried]


def by_cutoff(results: Measurements, experiment: str) -> Table | None:
    """Return one experiment with many images: a column per number of images, and the spread at the largest; None where not measured."""
    cutoffs = results.cutoffs(experiment)
    if not cutoffs:
        return None
    rows = []
    for way in results.ways:
        cells = [results.cell(experiment, way, images) for images in cutoffs]
        if any(cells):
            rows.append((results.title(way), way, *(_time(cell, results, words.duration) for cell in cells), _spread(cells[-1])))
    return Table(TITLES[experiment], (*NAMES, *(f"{images:,}" for images in cutoffs), "fastest – slowest of the last"), rows)


def footnotes(results: Measurements) -> list[str]:
    """Return what the tables' marks mean, failures, and what else users must know."""
    notes = []
    asked = results.run.get("repeats", 0)
    if any(cell.seconds and len(cell.seconds.runs) < asked for cell in results.cells):
        notes.append(f"×n: only n repeats, not {asked}, because the cell's share of the budget was used up.")
    notes += [f"{FAILED}: {failure(results, cell)}" for cell in first_failures(results)]
    return notes + [str(note) for note in (*results.source.get("notes", []), *results.run.get("notes", []))]


def failure(results: Measurements, cell: Cell) -> str:
    """Return which cell failed and why."""
    return f"{results.title(cell.way)} ({cell.way}), {cell.experiment}, {words.count(cell.images, 'image')}: {cell.error}"


def first_failures(results: Measurements) -> list[Cell]:
    """Return one failure per way and reason; the same way fails for the same reason at every cutoff."""
    found: dict[tuple[str, str], Cell] = {}
    for cell in results.failures():
        reason = str(cell.error).removeprefix("nothing to read: ").removeprefix("nothing stored: ")
        found.setdefault((cell.way, reason), cell)
    return list(found.values())


def _seconds(cell: Cell | None, results: Measurements, scale: float = 1.0) -> str:
    return _time(cell, results, lambda seconds: decimal(seconds * scale))


def _time(cell: Cell | None, results: Measurements, text: Callable[[float], str]) -> str:
    if cell is not None and cell.error is not None:
        return FAILED
    if cell is None or cell.seconds is None:
        return NONE
    repeats = len(cell.seconds.runs)
    mark = "" if repeats >= results.run.get("repeats", 0) else f" ×{repeats}"
    return text(cell.seconds.median) + mark


def _spread(cell: Cell | None) -> str:
    return f"{words.duration(cell.seconds.min)} – {words.duration(cell.seconds.max)}" if cell and cell.seconds else NONE


def _megabytes(cell: Cell | None) -> str:
    if cell is not None and cell.error is not None:
        return FAILED
    return NONE if cell is None or cell.bytes is None else decimal(cell.bytes.allocated / 1e6)


def decimal(value: float) -> str:
    """Return three digits without an exponent: "0.00123", "4.56", "1,230"."""
    if value == 0:
        return "0"
    places = min(6, max(0, 2 - math.floor(math.log10(abs(value)))))
    return f"{value:,.{places}f}"
