"""The classic experiment's plots: time over the number of images, everything together, images per second, disk, one image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pixstore.bench import growth, style, words
from pixstore.bench.measurements import Cell, Measurements
from pixstore.bench.plots import frame
from pixstore.bench.style import look
from pixstore.bench.table import FAILED

NAMES = {
    "store-many": "Storing",
    "read-many": "Reading in order",
    "read-shuffled": "Reading in random order",
    "store-one": "Storing one image",
    "read-one": "Reading one image",
}
MANY = ("store-many", "read-many", "read-shuffled")
FIT_POINTS = 60
NOT_MEASURED = "not measured"


def lines(results: Measurements, experiment: str, *, is_log: bool) -> frame.Drawing:
    """Return seconds over the number of images, one line per way with its name at the end, the band being the interval of each median.

    On logarithmic axes thin lines show the growth that was fitted, where it fits: a fixed cost and one per image.
    """
    figure, (axes,) = frame.panels(1, frame.WIDTH, 5.4)
    ends: list[tuple[float, float, str, str]] = []
    for way in measured(results, experiment):
        cells = [cell for count in results.cutoffs(experiment) if (cell := results.cell(experiment, way, count)) and cell.seconds]
        _line(figure, axes, results, way, cells)
        ends.append((cells[-1].images, cells[-1].seconds.median if cells[-1].seconds else 0.0, results.title(way), way))
    below = f"{words.source(results)}; lower is better, median, 95 % interval"
    if is_log:
        axes.set_xscale("log")
        axes.set_yscale("log")
        fits = [fit for fit in growth.fits(results, experiment) if fit.holds]
        for fit in fits:
            images = np.geomspace(fit.points[0], fit.points[-1], FIT_POINTS)
            axes.plot(images, [fit.seconds(float(each)) for each in images], color=style.INK, linewidth=0.6, alpha=0.8, zorder=4)
        below += "; thin: fitted growth" if fits else ""
        frame.log_ticks(axes.yaxis, words.duration)
        frame.log_ticks(axes.xaxis, _plain)
    else:
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        frame.ticks(axes.yaxis, words.duration)
        frame.ticks(axes.xaxis, _plain)
    axes.set_xlabel("images")
    failed = [f"{results.title(each.way)} at {each.images:,}" for each in results.failures() if each.experiment == experiment]
    frame.say_below(axes, failed)
    frame.heading(axes, f"{NAMES[experiment]}: time", below)
    frame.end_labels(axes, ends)
    return figure


def _line(figure: frame.Drawing, axes: Any, results: Measurements, way: str, cells: Sequence[Cell]) -> None:
    counts = [cell.images for cell in cells]
    times = [cell.seconds for cell in cells if cell.seconds]
    shape = look(way)
    face = style.PAPER if shape.is_hollow else shape.colour
    intervals = [each.interval for each in times]
    axes.fill_between(counts, [low for low, _ in intervals], [high for _, high in intervals], color=shape.colour, alpha=0.12, linewidth=0)
    (drawn,) = axes.plot(
        counts, [each.median for each in times], color=shape.colour, linestyle=shape.line, linewidth=shape.width, marker=shape.mark,
        markersize=5.5, markerfacecolor=face, markeredgecolor=shape.colour, clip_on=False, zorder=3,
    )  # fmt: skip
    said = [
        f"{results.title(way)}, {words.count(count, 'image')}: {words.duration(each.median)}"
        for count, each in zip(counts, times, strict=True)
    ]
    figure.tip(drawn, *said)


def together(results: Measurements, images: int) -> frame.Drawing:
    """Return one row per way with its times of storing and reading as marks on one logarithmic axis."""
    many = [each for each in MANY if measured(results, each, images)]
    ways = _tried(results, many, images)
    figure, (axes,) = frame.panels(1, frame.WIDTH, 1.5 + frame.ROW_INCHES * len(ways))
    marks = {"store-many": ("s", "storing"), "read-many": ("o", "reading in order"), "read-shuffled": ("D", "reading in random order")}
    for row, way in enumerate(ways):
        times = {each: median for each in many if (median := results.median(each, way, images)) is not None}
        shape = look(way)
        ends = [min(times.values()), max(times.values())] if times else []
        axes.plot(ends, [row] * len(ends), color=shape.colour, linestyle=shape.line, linewidth=1.4, zorder=2)
        for experiment, seconds in times.items():
            face = style.PAPER if experiment == "store-many" else shape.colour
            (drawn,) = axes.plot(
                seconds, row, marks[experiment][0], color=shape.colour, markerfacecolor=face, markersize=7, markeredgewidth=1.5, zorder=3
            )
            figure.tip(drawn, f"{results.title(way)}, {marks[experiment][1]}: {words.duration(seconds)}")
        failed = [marks[each][1] for each in many if _has_failed(results, each, way, images)]
        frame.say_in_row(axes, row, f"{FAILED}: {', '.join(failed)}" if failed else "")
    axes.set_xscale("log")
    frame.log_ticks(axes.xaxis, words.duration)
    frame.rows(axes, [results.title(way) for way in ways])
    handles = []
    for each in many:
        face = style.PAPER if each == "store-many" else style.INK
        handles.append(Line2D([], [], linestyle="", marker=marks[each][0], color=style.INK, markerfacecolor=face, label=marks[each][1]))
    frame.legend_below(axes, handles, 3)
    frame.heading(axes, f"Storing and reading {words.count(images, 'image')}", f"{words.source(results)}; further left is better, median")
    return figure


def throughput(results: Measurements, images: int) -> frame.Drawing:
    """Return images per second, a panel of bars per experiment."""
    many = [each for each in MANY if measured(results, each, images)]
    ways = _tried(results, many, images)
    figure, panels = frame.panels(len(many), 3.1 * len(many) + 2.2, 1.3 + 0.34 * len(ways))
    for axes, experiment in zip(panels, many, strict=True):
        rates = [images / seconds if (seconds := results.median(experiment, way, images)) else None for way in ways]
        missing = [FAILED if _has_failed(results, experiment, way, images) else NOT_MEASURED for way in ways]
        _bars(figure, axes, results, ways, rates, words.rounded, missing)
        frame.ticks(axes.xaxis, words.compact)
        axes.locator_params(axis="x", nbins=4)
        axes.set_title(NAMES[experiment], fontsize=10.5, pad=8)
        axes.set_xlabel("images per second")
        frame.rows(axes, [results.title(way) for way in ways], has_names=axes is panels[0])
    below = f"{words.source(results)}; longer is better, median"
    frame.banner(figure, panels[0], f"Images per second, of {words.count(images, 'image')}", below)
    return figure


def disk(results: Measurements, images: int) -> frame.Drawing:
    """Return stacked bars: the files' own bytes, and what the file system rounds them up to."""
    cells = {cell.way: cell for cell in results.cells if cell.experiment == "disk" and cell.images == images}
    ways = [way for way in results.ways if way in cells]
    figure, (axes,) = frame.panels(1, frame.WIDTH, 1.5 + frame.ROW_INCHES * len(ways))
    widest = max(max(cell.bytes.apparent, cell.bytes.allocated) for cell in cells.values() if cell.bytes)
    for row, way in enumerate(ways):
        used, shape = cells[way].bytes, look(way)
        if used is None:
            axes.text(0, row, f" {FAILED}", va="center", fontsize=8.5, color=style.WRONG)
            continue
        kept = min(used.apparent, used.allocated)
        frame.bar(figure, axes, row, kept, way, f"{results.title(way)}: {words.size(used.apparent)} of bytes")
        rest = axes.barh(
            row, used.allocated - kept, left=kept, height=0.62, color=style.PAPER, edgecolor=shape.colour, hatch="////", zorder=3
        )
        figure.tip(rest[0], f"{results.title(way)}: {words.size(used.allocated)} allocated")
        text = f"{words.size(used.apparent)} → {words.size(used.allocated)}"
        axes.text(
            max(used.apparent, used.allocated) + widest * 0.012, row, text, va="center", fontsize=8.5, bbox=frame.BEHIND_TEXT, zorder=2
        )
    axes.set_xlim(0, widest * 1.24)
    frame.ticks(axes.xaxis, words.size)
    frame.rows(axes, [results.title(way) for way in ways])
    handles = [
        Patch(facecolor=style.SOFT, label="bytes in the files"),
        Patch(facecolor=style.PAPER, edgecolor=style.SOFT, hatch="////", label="more that the file system allocates"),
    ]
    frame.legend_below(axes, handles, 2)
    frame.heading(
        axes, f"Disk use of {words.count(images, 'image')}", f"{words.source(results)}; files' bytes → allocated; shorter is better"
    )
    return figure


def one_image(results: Measurements) -> frame.Drawing:
    """Return three panels of bars for a single image: time to store, time to read, allocated disk."""
    ways = [way for way in results.ways if any(results.cell(each, way, 1) for each in ("store-one", "read-one"))]
    figure, panels = frame.panels(3, 11, 1.3 + 0.34 * len(ways))
    for axes, experiment in zip(panels, ("store-one", "read-one"), strict=False):
        missing = [FAILED if _has_failed(results, experiment, way, 1) else NOT_MEASURED for way in ways]
        _bars(figure, axes, results, ways, [results.median(experiment, way, 1) for way in ways], words.duration, missing)
        frame.ticks(axes.xaxis, words.duration)
        axes.set_title(NAMES[experiment], fontsize=10.5, pad=8)
    used = [cell.bytes.allocated if (cell := results.cell("store-one", way, 1)) and cell.bytes else None for way in ways]
    missing = [FAILED if _has_failed(results, "store-one", way, 1) else NOT_MEASURED for way in ways]
    _bars(figure, panels[2], results, ways, used, words.size, missing)
    frame.ticks(panels[2].xaxis, words.size)
    panels[2].set_title("Disk, allocated", fontsize=10.5, pad=8)
    for axes in panels:
        axes.locator_params(axis="x", nbins=3)
        frame.rows(axes, [results.title(way) for way in ways], has_names=axes is panels[0])
    frame.banner(figure, panels[0], "One image: time and disk", f"{words.source(results)}; shorter is better, median")
    return figure


def measured(results: Measurements, experiment: str, images: int | None = None) -> list[str]:
    """Return the ways that have a time in this experiment, with so many images or with any."""
    found = {cell.way for cell in results.cells if cell.experiment == experiment and cell.seconds and images in (None, cell.images)}
    return [way for way in results.ways if way in found]


def _tried(results: Measurements, many: Sequence[str], images: int) -> list[str]:
    return [way for way in results.ways if any(results.cell(each, way, images) is not None for each in many)]


def _has_failed(results: Measurements, experiment: str, way: str, images: int) -> bool:
    cell = results.cell(experiment, way, images)
    return cell is not None and cell.error is not None


def _bars(
    figure: frame.Drawing, axes: Any, results: Measurements, ways: Sequence[str], values: Sequence[float | None],
    text: Callable[[float], str], missing: Sequence[str],
) -> None:  # fmt: skip
    """Draw a bar per way with its value beside it, or why there is none."""
    widest = max([*(value for value in values if value), 1e-12])
    for row, (way, value) in enumerate(zip(ways, values, strict=True)):
        shown = missing[row] if value is None else text(value)
        colour = style.WRONG if shown == FAILED else style.INK
        if value is not None:
            frame.bar(figure, axes, row, value, way, f"{results.title(way)}: {shown}")
        axes.text((value or 0) + widest * 0.015, row, shown, va="center", fontsize=8.5, color=colour, bbox=frame.BEHIND_TEXT, zorder=2)
    axes.set_xlim(0, widest * 1.32)


def _plain(value: float) -> str:
    return f"{value:,.0f}"
