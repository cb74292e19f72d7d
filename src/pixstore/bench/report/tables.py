"""The table behind each plot: every cell with its median, its interval, its repeats, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pixstore.bench import page, table, words
from pixstore.bench.lab.chart import Chart, points
from pixstore.bench.measurements import Cell, Measurements, Observation, Value
from pixstore.bench.plots.shown import word_of
from pixstore.bench.report.captions import proof
from pixstore.bench.statistics import Spread
from pixstore.bench.units import unit_of

BEHIND = "The numbers behind this plot"
HEADS = ("images kept as", "experiment", "images", "median", "95 % interval", "repeats", "per image")


def name(results: Measurements, way: str) -> page.Markup:
    """Return a way's title and its id."""
    return page.Markup(page.text(results.title(way)) + " " + page.element("code", way))


def time_cell(results: Measurements, cell: Cell | None, best: float | None = None) -> page.Markup | str:
    """Return the time of a cell with its fastest and slowest repeat; the best is marked."""
    if cell is None:
        return table.NONE
    if cell.error is not None:
        return page.cell(table.FAILED, css="failed")
    if cell.seconds is None:
        return table.NONE
    repeats = len(cell.seconds.runs)
    fewer = "" if repeats >= results.run.get("repeats", 0) else f", ×{repeats}"
    spread = page.element("span", f"{words.duration(cell.seconds.min)} – {words.duration(cell.seconds.max)}{fewer}", css="spread")
    return page.cell(words.duration(cell.seconds.median), spread, css="best" if cell.seconds.median == best else "")


def of_times(results: Measurements, cells: Sequence[Cell], summary: str = BEHIND) -> page.Markup:
    """Return the table of these cells' times, folded."""
    rows = []
    for cell in cells:
        lead = [name(results, cell.way), cell.experiment, f"{cell.images:,}"]
        per_image = words.duration(cell.seconds.median / cell.images) if cell.seconds else table.NONE
        rows.append(
            [*lead, *_spread(cell.seconds, cell.error, words.duration), page.cell(cell.error, css="reason") if cell.error else per_image]
        )
    return page.folded(summary, page.table(HEADS, rows))


def of_bytes(results: Measurements, cells: Sequence[Cell]) -> page.Markup:
    """Return the table of these cells' disk use, folded."""
    rows: list[Sequence[object]] = []
    for cell in cells:
        lead = [name(results, cell.way), f"{cell.images:,}"]
        if cell.bytes is None:
            rows.append([*lead, page.cell(table.FAILED, css="failed"), table.NONE, page.cell(cell.error or "", css="reason")])
            continue
        each = words.size(cell.bytes.allocated / cell.images)
        rows.append([*lead, words.size(cell.bytes.apparent), words.size(cell.bytes.allocated), each])
    heads = ["images kept as", "images", "bytes in the files", "allocated", "allocated, per image"]
    return page.folded(BEHIND, page.table(heads, rows))


def of_chart(results: Measurements, chart: Chart, answers: Sequence[Observation], summary: str = BEHIND) -> page.Markup:
    """Return the table of every cell that the chart shows, folded; with the proof of its setting where there is one."""
    found = points(answers, chart)
    held = shown_by(answers, chart)
    names = dict.fromkeys(key for point in found for key, _ in point.rest)
    varying = [each for each in names if len({dict(point.rest).get(each) for point in found}) > 1]
    proofs = [proof(each.proof) for each in held]
    errors = [each.error for each in found]
    unit = unit_of(chart.value)
    heads: list[object] = ["images kept as", *varying, chart.axis, "images", unit.label, "95 % interval", "repeats"]
    notes = [error or proven for error, proven in zip(errors, proofs, strict=True)]
    heads += [page.head(" or ".join(["proof"] * any(proofs) + ["why not"] * any(errors)), css="reason")] * any(notes)
    rows = []
    for point, note in zip(found, notes, strict=True):
        rest = dict(point.rest)
        row: list[object] = [name(results, point.way), *(_value(rest.get(each, "")) for each in varying), _value(point.place)]
        row += [words.images(results, point.images).replace(" images", ""), *_spread(point.value, point.error, unit.text)]
        rows.append(row + [page.cell(note, css="reason")] * any(notes))
    return page.folded(summary, page.table(heads, rows))


def shown_by(answers: Sequence[Observation], chart: Chart) -> list[Observation]:
    """Return the cells that the chart shows, in their order."""
    return [each for each in answers if points([each], chart)]


def _spread(value: Spread | None, error: str | None, text: Callable[[float], str]) -> list[object]:
    if error is not None:
        word = word_of(error)
        return [page.cell(word, css="failed" if word == table.FAILED else "soft"), table.NONE, table.NONE]
    if value is None:
        return [table.NONE] * 3
    low, high = value.interval
    between = f"{text(low)} – {text(high)}" if len(value.runs) > 1 else table.NONE
    return [text(value.median), between, len(value.runs)]


def _value(value: Value) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
