"""The sections that say how it was measured, all cells of the classic experiment, and on which machine."""

from __future__ import annotations

from collections.abc import Sequence

from pixstore.bench import page, table, words
from pixstore.bench.measurements import Measurements
from pixstore.bench.report import tables
from pixstore.bench.statistics import NARROW

INTERVALS = (
    "A 95 % interval holds the true median with that confidence, whatever the times are distributed like; with fewer than six repeats it "
    "goes from the fastest to the slowest. Where two intervals meet, neither way is called better."
)


def how(results: Measurements) -> page.Section:
    """Return the repeats, the budget and the conditions in plain words."""
    run = results.run
    least, most = run.get("repeats"), run.get("most_repeats", run.get("repeats"))
    repeats = f"{least} repeats" if least == most else f"{least} to {most} repeats, until each median is known within {NARROW:.0%}"
    budget, disk = words.duration(run.get("budget_seconds", 0)), words.size(run.get("max_disk_bytes", 0))
    items = [f"{repeats}, a budget of {budget}, at most {disk} of disk.", INTERVALS, *run.get("conditions", []), *table.footnotes(results)]
    return page.section("How it was measured", page.bullets(items))


def everything(results: Measurements) -> page.Section | None:
    """Return every cell of the classic experiment; those of the lab stand behind their plots."""
    rows: list[Sequence[object]] = []
    for cell in results.cells:
        disk = f"{words.size(cell.bytes.apparent)} / {words.size(cell.bytes.allocated)}" if cell.bytes else ""
        time = tables.time_cell(results, cell) if cell.seconds or cell.error else ""
        rows.append([cell.experiment, cell.way, f"{cell.images:,}", time, disk, page.cell(cell.error or "", css="reason")])
    if not rows:
        return None
    whole = page.table(["experiment", "way", "images", "time", "bytes / allocated", "error"], rows)
    return page.section("Every cell of the classic experiment", page.folded(f"{len(rows)} cells", whole))


def machine(results: Measurements) -> page.Section:
    """Return what the machine is."""
    rows: list[Sequence[object]] = []
    for name, value in results.machine.items():
        if name.endswith("_bytes") and isinstance(value, int | float):
            rows.append([name.removesuffix("_bytes").replace("_", " "), words.size(value)])
        else:
            rows.append([name.replace("_", " "), _listed(value)])
    return page.section("The machine", page.table(["", ""], [[name, page.cell(value, css="left")] for name, value in rows]))


def _listed(value: object) -> str:
    return ", ".join(f"{key} {_listed(each)}" for key, each in value.items()) if isinstance(value, dict) else str(value)
