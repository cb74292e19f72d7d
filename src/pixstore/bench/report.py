"""report.html: what was measured, who wins, how it grows, what it costs in disk and in epochs; one file that needs nothing else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pixstore.bench import findings, page, plots, table, words
from pixstore.bench.results import Cell, Results
from pixstore.bench.table import MANY

NAME = "report.html"
TITLE = "Ways of keeping images, compared"


def write(results: Results, folder: Path) -> Path:
    """Draw the plots and the report of these results into the folder; return the report's path."""
    titles = plots.draw(results, folder / plots.FOLDER)
    drawings = {}
    for name, title in titles.items():
        drawings[name] = page.figure((folder / plots.FOLDER / f"{name}.svg").read_text(encoding="utf-8"), title)
    path = folder / NAME
    partial = path.with_name(NAME + ".partial")
    partial.write_text(render(results, drawings), encoding="utf-8")
    os.replace(partial, path)
    return path


def render(results: Results, drawings: dict[str, page.Markup]) -> str:
    """Return the report as HTML, with those of the drawings that there are."""
    found = findings.sentences(results)
    images = words.largest(results)
    parts: list[object] = [_heading(results), page.element("div", *(page.element("p", each) for each in found[:2]), css="summary")]
    if results.failures():
        parts.append(_failures(results))
    if images is not None:
        parts.append(
            page.section(
                f"{words.count(images, 'image')}, side by side", _summary(results, images), *_drawn(drawings, "together", "throughput")
            )
        )
        parts.append(page.section("Who wins", page.bullets(found)))
    growth = _drawn(drawings, *(f"{experiment}-{axes}" for experiment in MANY for axes in ("log", "linear")))
    if growth:
        parts.append(page.section("How it grows", *growth))
    if "disk" in drawings:
        parts.append(page.section("What it costs in disk", *_drawn(drawings, "disk")))
    parts += [each for each in (_epochs(results), _limits(results), _one_image(results, drawings)) if each]
    parts += [_how(results), _everything(results), _machine(results)]
    return page.page(TITLE, *parts)


def _heading(results: Results) -> page.Markup:
    date = str(results.run.get("date", "")).replace("T", " ").replace("+00:00", " UTC")
    when = f"{date}, {words.duration(results.run.get('seconds', 0))} in all"
    parts = [page.element("h1", TITLE), page.element("p", f"{words.source(results)}. {when}.", css="soft")]
    if results.source.get("synthetic"):
        parts.append(page.element("p", "These images are synthetic: made by pixstore's generator, not photographs.", css="synthetic"))
    return page.element("header", *parts)


def _name(results: Results, way: str) -> page.Markup:
    return page.Markup(page.text(results.title(way)) + " " + page.element("code", way))


def _failures(results: Results) -> page.Markup:
    return page.section("What failed", page.bullets(table.failure(results, cell) for cell in table.first_failures(results)))


def _summary(results: Results, images: int) -> page.Markup:
    best = {}
    for experiment in MANY:
        best[experiment] = min((median for way in results.ways if (median := results.median(experiment, way, images))), default=None)
    rows = []
    for way in results.ways:
        cells = [_time_cell(results, results.cell(experiment, way, images), best[experiment]) for experiment in MANY]
        disk = results.cell("disk", way, images)
        used: page.Markup | str = table.NONE
        if disk and disk.bytes:
            used = page.cell(
                words.size(disk.bytes.allocated), page.element("span", f"{words.size(disk.bytes.apparent)} of bytes", css="spread")
            )
        threads = results.run.get("ways", {}).get(way, {}).get("threads", "")
        rows.append([_name(results, way), threads, *cells, used])
    return page.table(["images kept as", "threads", "storing", "reading in order", "reading in random order", "disk, allocated"], rows)


def _time_cell(results: Results, cell: Cell | None, best: float | None = None) -> page.Markup | str:
    if cell is None:
        return "–"
    if cell.error is not None:
        return page.cell(table.FAILED, css="failed")
    if cell.seconds is None:
        return "–"
    repeats = len(cell.seconds.runs)
    fewer = "" if repeats >= results.run.get("repeats", 0) else f", ×{repeats}"
    spread = page.element("span", f"{words.duration(cell.seconds.min)} – {words.duration(cell.seconds.max)}{fewer}", css="spread")
    return page.cell(words.duration(cell.seconds.median), spread, css="best" if cell.seconds.median == best else "")


def _drawn(drawings: dict[str, page.Markup], *names: str) -> list[page.Markup]:
    return [drawings[name] for name in names if name in drawings]


def _epochs(results: Results) -> page.Markup | None:
    times = findings.epochs(results)
    if not times:
        return None
    images = findings.epoch_images(results)
    whose = f"all {images:,} images of {results.source.get('name', 'the set')}"
    which = f"a set of {images:,} such images" if results.source.get("synthetic") else whose
    lead = page.element(
        "p",
        f"Reading {which} in random order {findings.EPOCHS} times, at the rate measured above: from memory, with nothing else "
        "to do. A set larger than memory is read from the disk, which may be slower.",
    )
    rows = [[_name(results, way), f"{words.rounded(seconds / 3600)} h", words.duration(seconds)] for way, seconds in times]
    return page.section(f"What {findings.EPOCHS} epochs take", lead, page.table(["images kept as", "hours", ""], rows))


def _limits(results: Results) -> page.Markup | None:
    rows = []
    for cell in results.cells:
        limit = findings.limit(results, cell)
        if limit is not None and cell.seconds is not None and limit.seconds > 0:
            name = _name(results, cell.way)
            least = f"{limit.what}: {words.duration(limit.seconds)}"
            distance = words.times(cell.seconds.median / limit.seconds)
            rows.append([name, cell.experiment, words.duration(cell.seconds.median), least, distance])
    if not rows:
        return None
    lead = page.element(
        "p",
        "Measured in the same run, with the same images: copying the pixels into new memory (gathering: in random order), inflating the "
        "same images as PNG with zlib (on one CPU, divided by the CPUs in use), decoding the source's own bytes from memory, writing as "
        "many bytes into one file. The last column is how many times as long the way took; below 1 it beat the yardstick, as an inflater "
        "faster than zlib does.",
    )
    return page.section(
        "How far from what the machine can do", lead, page.table(["images kept as", "experiment", "median", "limit", "distance"], rows)
    )


def _one_image(results: Results, drawings: dict[str, page.Markup]) -> page.Markup | None:
    rows = []
    for way in results.ways:
        stored, read = results.cell("store-one", way, 1), results.cell("read-one", way, 1)
        if stored is None and read is None:
            continue
        disk = [words.size(stored.bytes.allocated), words.size(stored.bytes.apparent)] if stored and stored.bytes else [table.NONE] * 2
        rows.append([_name(results, way), _time_cell(results, stored), _time_cell(results, read), *disk])
    if not rows:
        return None
    return page.section(
        "One image", page.table(["images kept as", "storing", "reading", "allocated", "bytes"], rows), *_drawn(drawings, "one-image")
    )


def _how(results: Results) -> page.Markup:
    run = results.run
    budget, most = words.duration(run.get("budget_seconds", 0)), words.size(run.get("max_disk_bytes", 0))
    asked = f"{run.get('repeats')} repeats, a budget of {budget}, at most {most} of disk."
    items = [asked, *run.get("conditions", []), *table.footnotes(results)]
    return page.section("How it was measured", page.bullets(items))


def _everything(results: Results) -> page.Markup:
    rows: list[Sequence[object]] = []
    for cell in results.cells:
        disk = f"{words.size(cell.bytes.apparent)} / {words.size(cell.bytes.allocated)}" if cell.bytes else ""
        time = _time_cell(results, cell) if cell.seconds or cell.error else ""
        rows.append([cell.experiment, cell.way, f"{cell.images:,}", time, disk, cell.error or ""])
    whole = page.table(["experiment", "way", "images", "time", "bytes / allocated", "error"], rows)
    return page.section("Every cell", page.element("details", page.element("summary", f"{len(rows)} cells"), whole))


def _machine(results: Results) -> page.Markup:
    rows: list[Sequence[object]] = []
    for name, value in results.machine.items():
        if name.endswith("_bytes") and isinstance(value, int | float):
            rows.append([name.removesuffix("_bytes").replace("_", " "), words.size(value)])
        elif isinstance(value, dict):
            rows.append([name.replace("_", " "), ", ".join(f"{key} {each}" for key, each in value.items())])
        else:
            rows.append([name.replace("_", " "), value])
    return page.section("The machine", page.table(["", ""], [[name, page.cell(value, css="left")] for name, value in rows]))
