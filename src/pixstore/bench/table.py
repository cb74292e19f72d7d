"""The results as tables for the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable

from rich import box
from rich.markup import escape
from rich.table import Table

from pixstore.bench import words
from pixstore.bench.results import Cell, Results

FAILED = "failed"
MANY = ("store-many", "read-many", "read-shuffled")
HEADS = {"store-many": "Storing", "read-many": "Reading in order", "read-shuffled": "Reading in random order"}


def summary(results: Results) -> Table | None:
    """Return the largest number of images: store, read, shuffled and disk side by side; None where there is none."""
    images = words.largest(results)
    if images is None:
        return None
    table = _table(f"{words.count(images, 'image')}: {words.source(results)}", results)
    for head in ("store s", "read s", "shuffled s", "disk MB"):
        table.add_column(head, justify="right")
    for way in results.ways:
        times = [_seconds(results.cell(experiment, way, images), results) for experiment in MANY]
        table.add_row(*_names(results, way), *times, _megabytes(results.cell("disk", way, images)))
    return table


def one_image(results: Results) -> Table | None:
    """Return time and disk of one image side by side; None where it was not measured."""
    if not any(cell.experiment in ("store-one", "read-one") for cell in results.cells):
        return None
    table = _table("One image", results)
    for head in ("store ms", "read ms", "disk kB"):
        table.add_column(head, justify="right")
    for way in results.ways:
        stored, read = results.cell("store-one", way, 1), results.cell("read-one", way, 1)
        disk = f"{stored.bytes.allocated / 1e3:,.1f}" if stored and stored.bytes else "–"
        table.add_row(*_names(results, way), _seconds(stored, results, 1e3), _seconds(read, results, 1e3), disk)
    return table


def by_cutoff(results: Results, experiment: str) -> Table | None:
    """Return one experiment with many images: a column per number of images, and the spread at the largest; None where not measured."""
    cutoffs = results.cutoffs(experiment)
    if not cutoffs:
        return None
    table = _table(HEADS[experiment], results)
    for images in cutoffs:
        table.add_column(f"{images:,}", justify="right")
    table.add_column("fastest – slowest of the last", justify="right")
    for way in results.ways:
        cells = [results.cell(experiment, way, images) for images in cutoffs]
        if any(cells):
            table.add_row(*_names(results, way), *(_time(cell, results, words.duration) for cell in cells), _spread(cells[-1]))
    return table


def tables(results: Results) -> list[Table]:
    """Return every table the results allow, the summary last."""
    found = [one_image(results), *(by_cutoff(results, experiment) for experiment in MANY), summary(results)]
    return [table for table in found if table is not None]


def footnotes(results: Results) -> list[str]:
    """Return what the tables' marks mean, failures, and what else users must know."""
    notes = []
    asked = results.run.get("repeats", 0)
    if any(cell.seconds and len(cell.seconds.runs) < asked for cell in results.cells):
        notes.append(f"×n: only n repeats, not {asked}, because the cell's share of the budget was used up.")
    notes += [f"failed: {results.title(cell.way)} ({cell.way}), {cell.experiment}, {words.count(cell.images, 'image')}: {cell.error}" for cell in first_failures(results)]
    return notes + [str(note) for note in (*results.source.get("notes", []), *results.run.get("notes", []))]


def first_failures(results: Results) -> list[Cell]:
    """Return one failure per way and reason; the same way fails for the same reason at every cutoff."""
    found: dict[tuple[str, str], Cell] = {}
    for cell in results.failures():
        reason = str(cell.error).removeprefix("nothing to read: ").removeprefix("nothing stored: ")
        found.setdefault((cell.way, reason), cell)
    return list(found.values())


def _table(title: str, results: Results) -> Table:
    table = Table(title=escape(title), title_justify="left", title_style="bold", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("images kept as", no_wrap=True)
    table.add_column("way", style="dim", no_wrap=True)
    return table


def _names(results: Results, way: str) -> tuple[str, str]:
    return escape(results.title(way)), escape(way)


def _seconds(cell: Cell | None, results: Results, scale: float = 1.0) -> str:
    return _time(cell, results, lambda seconds: decimal(seconds * scale))


def _time(cell: Cell | None, results: Results, text: Callable[[float], str]) -> str:
    if cell is None:
        return "–"
    if cell.error is not None:
        return FAILED
    if cell.seconds is None:
        return "–"
    repeats = len(cell.seconds.runs)
    mark = "" if repeats >= results.run.get("repeats", 0) else f" ×{repeats}"
    return text(cell.seconds.median) + mark


def _spread(cell: Cell | None) -> str:
    return f"{words.duration(cell.seconds.min)} – {words.duration(cell.seconds.max)}" if cell and cell.seconds else "–"


def _megabytes(cell: Cell | None) -> str:
    if cell is None or cell.bytes is None:
        return FAILED if cell and cell.error else "–"
    return decimal(cell.bytes.allocated / 1e6)


def decimal(value: float) -> str:
    """Return three digits without an exponent: "0.00123", "4.56", "1,230"."""
    if value == 0:
        return "0"
    places = min(6, max(0, 2 - math.floor(math.log10(abs(value)))))
    return f"{value:,.{places}f}"
