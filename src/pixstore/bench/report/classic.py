"""The sections of the classic experiment: side by side, who wins, how it grows, disk, epochs, physical limits, one image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pixstore.bench import findings, growth, page, table, words
from pixstore.bench.measurements import Cell, Measurements
from pixstore.bench.report import captions, tables
from pixstore.bench.table import MANY

TITLES = {
    "together": "Times of storing and reading, side by side",
    "throughput": "Images per second",
    "disk": "Bytes in the files, and what the file system allocates for them",
    "one-image": "One image: time and disk",
}
AXES = {"log": "both axes logarithmic", "linear": "linear axes"}


def sections(results: Measurements, drawings: Mapping[str, str]) -> list[page.Section | None]:
    """Return those sections that the results allow."""
    if not results.cells:
        return [] if results.observations else [page.section("Who wins", page.bullets(findings.sentences(results)))]
    images = words.largest(results)
    found: list[page.Section | None] = []
    if images is not None:
        found.append(_side_by_side(results, drawings, images))
        told_below = growth.sentences(results) if drawings else []
        wins = [each for each in findings.sentences(results) if each not in told_below]
        found.append(page.section("Who wins", page.bullets(wins)))
    found += [_growth(results, drawings), _disk(results, drawings, images), _epochs(results), _limits(results)]
    return [*found, _one_image(results, drawings)]


def _side_by_side(results: Measurements, drawings: Mapping[str, str], images: int) -> page.Section:
    cells = [cell for cell in results.cells if cell.images == images and cell.experiment in MANY]
    parts: list[object] = [_summary(results, images)]
    for name in ("together", "throughput"):
        if name in drawings:
            parts += [_figure(results, drawings, name, cells), tables.of_times(results, cells)]
    return page.section(f"{words.count(images, 'image')}, side by side", *parts)


def _figure(results: Measurements, drawings: Mapping[str, str], name: str, cells: Sequence[Cell], caption: str = "") -> page.Markup:
    return page.figure(drawings[name], caption or TITLES[name], captions.of_cells(results, cells))


def _summary(results: Measurements, images: int) -> page.Markup:
    best = {}
    for experiment in MANY:
        best[experiment] = min((median for way in results.ways if (median := results.median(experiment, way, images))), default=None)
    rows = []
    for way in _tried(results):
        cells = [tables.time_cell(results, results.cell(experiment, way, images), best[experiment]) for experiment in MANY]
        disk = results.cell("disk", way, images)
        used: page.Markup | str = table.NONE
        if disk and disk.bytes:
            apparent = page.element("span", f"{words.size(disk.bytes.apparent)} of bytes", css="spread")
            used = page.cell(words.size(disk.bytes.allocated), apparent)
        threads = results.run.get("ways", {}).get(way, {}).get("threads", "")
        rows.append([tables.name(results, way), threads, *cells, used])
    return page.table(["images kept as", "threads", "storing", "reading in order", "reading in random order", "disk, allocated"], rows)


def _tried(results: Measurements) -> list[str]:
    """Return the ways with a cell among those side by side; the lab, or the experiments with one image, may have had more."""
    tried = {cell.way for cell in results.cells if cell.experiment in (*MANY, "disk")}
    return [way for way in results.ways if way in tried]


def _growth(results: Measurements, drawings: Mapping[str, str]) -> page.Section | None:
    parts: list[object] = []
    for experiment in MANY:
        names = [axes for axes in AXES if f"{experiment}-{axes}" in drawings]
        if not names:
            continue
        cells = [cell for cell in results.cells if cell.experiment == experiment]
        parts.append(page.element("h3", table.TITLES[experiment]))
        for axes in names:
            caption = f"{table.TITLES[experiment]}: time over the number of images, {AXES[axes]}"
            parts.append(_figure(results, drawings, f"{experiment}-{axes}", cells, caption))
        parts += [_fits(results, experiment), tables.of_times(results, cells, "The numbers behind these plots")]
    if not parts:
        return None
    answer = page.element("div", *(page.element("p", each) for each in growth.sentences(results)), css="answer")
    return page.section("How it grows", *([answer] if growth.sentences(results) else []), *parts)


def _fits(results: Measurements, experiment: str) -> page.Markup:
    """Return what was fitted: a fixed cost and one per image; nothing is claimed for a way that grows otherwise."""
    rows: list[Sequence[object]] = []
    for fit in growth.fits(results, experiment):
        costs = [words.duration(fit.fixed_seconds), words.duration(fit.seconds_per_image)]
        span = f"{fit.points[0]:,} – {fit.points[-1]:,}"
        shown = costs if fit.holds else ["not a straight line", table.NONE]
        rows.append([tables.name(results, fit.way), *shown, words.percent(fit.worst_relative_error), span])
    if not rows:
        return page.Markup("")
    heads = ["images kept as", "fixed cost", "cost per image", "largest deviation", "numbers of images"]
    return page.folded("The fitted growth: fixed cost and cost per image", page.table(heads, rows))


def _disk(results: Measurements, drawings: Mapping[str, str], images: int | None) -> page.Section | None:
    if "disk" not in drawings:
        return None
    cells = [cell for cell in results.cells if cell.experiment == "disk" and cell.images == images]
    return page.section("What it costs in disk", _figure(results, drawings, "disk", cells), tables.of_bytes(results, cells))


def _epochs(results: Measurements) -> page.Section | None:
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
    rows = [[tables.name(results, way), f"{words.rounded(seconds / 3600)} h", words.duration(seconds)] for way, seconds in times]
    return page.section(f"What {findings.EPOCHS} epochs take", lead, page.table(["images kept as", "hours", ""], rows))


def _limits(results: Measurements) -> page.Section | None:
    rows = []
    for cell in results.cells:
        limit = findings.limit(results, cell)
        if limit is not None and cell.seconds is not None and limit.seconds > 0:
            least = f"{limit.what}: {words.duration(limit.seconds)}"
            distance = words.times(cell.seconds.median / limit.seconds)
            rows.append([tables.name(results, cell.way), cell.experiment, words.duration(cell.seconds.median), least, distance])
    if not rows:
        return None
    lead = page.element(
        "p",
        "Measured in the same run, with the same images: copying the pixels into new memory (gathering: in random order), inflating the "
        "same images as PNG with zlib (on one CPU, divided by the CPUs in use), decoding the source's own bytes from memory, writing as "
        "many bytes into one file. The last column is how many times as long the way took; below 1 it beat the yardstick, as an inflater "
        "faster than zlib does.",
    )
    heads = ["images kept as", "experiment", "median", "limit", "distance"]
    return page.section("How far from what the machine can do", lead, page.table(heads, rows))


def _one_image(results: Measurements, drawings: Mapping[str, str]) -> page.Section | None:
    rows = []
    for way in results.ways:
        stored, read = results.cell("store-one", way, 1), results.cell("read-one", way, 1)
        if stored is None and read is None:
            continue
        disk = [words.size(stored.bytes.allocated), words.size(stored.bytes.apparent)] if stored and stored.bytes else [table.NONE] * 2
        rows.append([tables.name(results, way), tables.time_cell(results, stored), tables.time_cell(results, read), *disk])
    if not rows:
        return None
    cells = [cell for cell in results.cells if cell.experiment in ("store-one", "read-one")]
    parts: list[object] = [page.table(["images kept as", "storing", "reading", "allocated", "bytes"], rows)]
    if "one-image" in drawings:
        parts += [_figure(results, drawings, "one-image", cells), tables.of_times(results, cells)]
    return page.section("One image", *parts)
