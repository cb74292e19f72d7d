"""The plots of a run, each as SVG and PNG, drawn from the results alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pixstore.bench import style, words
from pixstore.bench.results import Results
from pixstore.bench.style import look

FOLDER = "plots"
NAMES = {
    "store-many": "Storing",
    "read-many": "Reading in order",
    "read-shuffled": "Reading in random order",
    "store-one": "Storing one image",
    "read-one": "Reading one image",
}
BEHIND_TEXT = {"facecolor": "white", "edgecolor": "none", "pad": 1}
MARGIN_INCHES = 0.1
LABEL_GAP = 0.042
"""Least distance between two labels beside a plot, as part of its height."""


def draw(results: Results, folder: Path) -> dict[str, str]:
    """Write every plot that the results allow into `folder` as NAME.svg and NAME.png; return their titles by name."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, str] = {}
    with matplotlib.rc_context(style.SETTINGS):
        for name, title, figure in _figures(results):
            # Both files are cut to what is drawn; finding that out once saves half the time.
            around = figure.get_tightbbox().padded(MARGIN_INCHES)
            # Ids inside an SVG must differ between the SVGs of one page, and be the same when it is drawn again.
            with matplotlib.rc_context({"svg.hashsalt": name}):
                figure.savefig(folder / f"{name}.svg", bbox_inches=around, metadata={"Date": None, "Title": title})
            figure.savefig(folder / f"{name}.png", bbox_inches=around)
            drawn[name] = title
    return drawn


def _figures(results: Results) -> list[tuple[str, str, Figure]]:
    found: list[tuple[str, str, Figure]] = []
    for experiment in ("store-many", "read-many", "read-shuffled"):
        if len(_measured(results, experiment)) and len(results.cutoffs(experiment)) > 1:
            name = NAMES[experiment]
            found.append((f"{experiment}-log", f"{name}: time, both axes logarithmic", lines(results, experiment, is_log=True)))
            found.append((f"{experiment}-linear", f"{name}: time, linear axes", lines(results, experiment, is_log=False)))
    largest = words.largest(results)
    if largest is not None:
        many = [each for each in ("store-many", "read-many", "read-shuffled") if _measured(results, each, largest)]
        if len(many) > 1:
            found.append(("together", f"Storing and reading {words.count(largest, 'image')}", together(results, many, largest)))
        if many:
            found.append(("throughput", "Images per second", throughput(results, many, largest)))
        if any(cell.bytes for cell in results.cells if cell.experiment == "disk" and cell.images == largest):
            found.append(("disk", f"Disk use of {words.count(largest, 'image')}", disk(results, largest)))
    if _measured(results, "store-one", 1) or _measured(results, "read-one", 1):
        found.append(("one-image", "One image: time and disk", one_image(results)))
    return found


def lines(results: Results, experiment: str, *, is_log: bool) -> Figure:
    """Return seconds over the number of images, one line per way with its name at the end, the band from fastest to slowest."""
    figure, (axes,) = _figure(1, 8.6, 5.4)
    ends: list[tuple[float, float, str]] = []
    for way in _measured(results, experiment):
        cells = [cell for count in results.cutoffs(experiment) if (cell := results.cell(experiment, way, count)) and cell.seconds]
        counts = [cell.images for cell in cells]
        times = [cell.seconds for cell in cells if cell.seconds]
        shape = look(way)
        face = "white" if shape.is_hollow else shape.colour
        axes.fill_between(counts, [each.min for each in times], [each.max for each in times], color=shape.colour, alpha=0.12, linewidth=0)
        axes.plot(
            counts, [each.median for each in times], color=shape.colour, linestyle=shape.line, linewidth=shape.width, marker=shape.mark,
            markersize=5.5, markerfacecolor=face, markeredgecolor=shape.colour, clip_on=False, zorder=3,
        )  # fmt: skip
        ends.append((counts[-1], times[-1].median, way))
    if is_log:
        axes.set_xscale("log")
        axes.set_yscale("log")
        _log_ticks(axes.yaxis, words.duration)
        _log_ticks(axes.xaxis, _plain)
    else:
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words.duration(value) if value else "0"))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
    axes.set_xlabel("images")
    _heading(axes, f"{NAMES[experiment]}: time", f"{_of(results)}; lower is better, median, band from fastest to slowest")
    _end_labels(axes, ends, results)
    return figure


def together(results: Results, many: Sequence[str], images: int) -> Figure:
    """Return one row per way with its times of storing and reading as marks on one logarithmic axis."""
    ways = [way for way in results.ways if any(results.median(each, way, images) is not None for each in many)]
    figure, (axes,) = _figure(1, 8.6, 1.5 + 0.36 * len(ways))
    marks = {"store-many": ("s", "storing"), "read-many": ("o", "reading in order"), "read-shuffled": ("D", "reading in random order")}
    for row, way in enumerate(ways):
        times = {each: median for each in many if (median := results.median(each, way, images)) is not None}
        shape = look(way)
        axes.plot([min(times.values()), max(times.values())], [row, row], color=shape.colour, linestyle=shape.line, linewidth=1.4, zorder=2)
        for experiment, seconds in times.items():
            face = "white" if experiment == "store-many" else shape.colour
            axes.plot(
                seconds, row, marks[experiment][0], color=shape.colour, markerfacecolor=face, markersize=7, markeredgewidth=1.5, zorder=3
            )
    axes.set_xscale("log")
    _log_ticks(axes.xaxis, words.duration)
    _rows(axes, ways, results)
    handles = []
    for each in many:
        face = "white" if each == "store-many" else style.INK
        handles.append(Line2D([], [], linestyle="", marker=marks[each][0], color=style.INK, markerfacecolor=face, label=marks[each][1]))
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.42 / (0.36 * len(ways) + 0.6)), ncols=3, frameon=False)
    _heading(axes, f"Storing and reading {words.count(images, 'image')}", f"{_of(results)}; further left is better, median")
    return figure


def throughput(results: Results, many: Sequence[str], images: int) -> Figure:
    """Return images per second, a panel of bars per experiment."""
    ways = [way for way in results.ways if any(results.median(each, way, images) is not None for each in many)]
    figure, panels = _figure(len(many), 3.1 * len(many) + 2.2, 1.3 + 0.34 * len(ways))
    for axes, experiment in zip(panels, many, strict=True):
        rates = [images / seconds if (seconds := results.median(experiment, way, images)) else 0.0 for way in ways]
        _bars(axes, ways, rates, lambda rate: f"{words.rounded(rate)}" if rate else "not measured")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.compact(value)))
        axes.locator_params(axis="x", nbins=4)
        axes.set_title(NAMES[experiment], fontsize=10.5, pad=8)
        axes.set_xlabel("images per second")
        _rows(axes, ways, results, has_names=axes is panels[0])
    _banner(figure, panels[0], f"Images per second, of {words.count(images, 'image')}", f"{_of(results)}; longer is better, median")
    return figure


def disk(results: Results, images: int) -> Figure:
    """Return stacked bars: the files' own bytes, and what the file system rounds them up to."""
    cells = {cell.way: cell.bytes for cell in results.cells if cell.experiment == "disk" and cell.images == images and cell.bytes}
    ways = [way for way in results.ways if way in cells]
    figure, (axes,) = _figure(1, 8.6, 1.5 + 0.36 * len(ways))
    widest = max(max(used.apparent, used.allocated) for used in cells.values())
    for row, way in enumerate(ways):
        used, shape = cells[way], look(way)
        kept = min(used.apparent, used.allocated)
        axes.barh(
            row, kept, height=0.62, color=_tint(shape.colour, 0.55) if shape.is_hollow else shape.colour, edgecolor=shape.colour, zorder=3
        )
        axes.barh(row, used.allocated - kept, left=kept, height=0.62, color="white", edgecolor=shape.colour, hatch="////", zorder=3)
        text = f"{words.size(used.apparent)} → {words.size(used.allocated)}"
        axes.text(max(used.apparent, used.allocated) + widest * 0.012, row, text, va="center", fontsize=8.5, bbox=BEHIND_TEXT, zorder=2)
    axes.set_xlim(0, widest * 1.24)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.size(value) if value else "0"))
    _rows(axes, ways, results)
    handles = [
        Patch(facecolor="#666666", label="bytes in the files"),
        Patch(facecolor="white", edgecolor="#666666", hatch="////", label="more that the file system allocates"),
    ]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.42 / (0.36 * len(ways) + 0.6)), ncols=2, frameon=False)
    _heading(axes, f"Disk use of {words.count(images, 'image')}", f"{_of(results)}; files' bytes → allocated; shorter is better")
    return figure


def one_image(results: Results) -> Figure:
    """Return three panels of bars for a single image: time to store, time to read, allocated disk."""
    ways = [way for way in results.ways if any(results.cell(each, way, 1) for each in ("store-one", "read-one"))]
    figure, panels = _figure(3, 11, 1.3 + 0.34 * len(ways))
    for axes, experiment in zip(panels, ("store-one", "read-one"), strict=False):
        times = [(results.median(experiment, way, 1) or 0.0) for way in ways]
        _bars(axes, ways, times, lambda seconds: words.duration(seconds) if seconds else "not measured")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.duration(value) if value else "0"))
        axes.set_title(NAMES[experiment], fontsize=10.5, pad=8)
    used = [cell.bytes.allocated if (cell := results.cell("store-one", way, 1)) and cell.bytes else 0 for way in ways]
    _bars(panels[2], ways, used, lambda value: words.size(value) if value else "not measured")
    panels[2].xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.size(value) if value else "0"))
    panels[2].set_title("Disk, allocated", fontsize=10.5, pad=8)
    for axes in panels:
        axes.locator_params(axis="x", nbins=3)
        _rows(axes, ways, results, has_names=axes is panels[0])
    _banner(figure, panels[0], "One image: time and disk", f"{_of(results)}; shorter is better, median")
    return figure


def _figure(panels: int, width: float, height: float) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    figure.subplots_adjust(wspace=0.12)
    return figure, list(axes)


def _measured(results: Results, experiment: str, images: int | None = None) -> list[str]:
    found = {cell.way for cell in results.cells if cell.experiment == experiment and cell.seconds and images in (None, cell.images)}
    return [way for way in results.ways if way in found]


def _heading(axes: Any, title: str, below: str) -> None:
    axes.set_title(title)
    axes.text(0, 1.015, below, transform=axes.transAxes, fontsize=8.5, color="#555555", va="bottom", ha="left")


def _banner(figure: Figure, first: Any, title: str, below: str) -> None:
    """Write a heading over several panels, above the left edge of the first."""
    left, top = first.get_position().x0, first.get_position().y1
    inch = 1 / figure.get_figheight()
    figure.text(left, top + 0.62 * inch, title, fontsize=12.5, fontweight="bold", va="bottom")
    figure.text(left, top + 0.42 * inch, below, fontsize=8.5, color="#555555", va="bottom")


def _of(results: Results) -> str:
    return words.source(results)


def _plain(value: float) -> str:
    return f"{value:,.0f}"


def _log_ticks(axis: Any, text: Callable[[float], str]) -> None:
    axis.set_major_locator(LogLocator(10, numticks=12))
    axis.set_minor_locator(LogLocator(10, subs=(2, 5), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_formatter(NullFormatter())


def _rows(axes: Any, ways: Sequence[str], results: Results, *, has_names: bool = True) -> None:
    axes.set_yticks(range(len(ways)), [results.title(way) for way in ways] if has_names else [""] * len(ways))
    axes.set_ylim(len(ways) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def _bars(axes: Any, ways: Sequence[str], values: Sequence[float], text: Callable[[float], str]) -> None:
    widest = max([*values, 1e-12])
    for row, (way, value) in enumerate(zip(ways, values, strict=True)):
        shape = look(way)
        axes.barh(
            row, value, height=0.62, color=_tint(shape.colour, 0.55) if shape.is_hollow else shape.colour, edgecolor=shape.colour,
            linestyle=(0, (3, 1.5)) if shape.is_hollow else "-", linewidth=1.2, zorder=3,
        )  # fmt: skip
        axes.text(value + widest * 0.015, row, text(value), va="center", fontsize=8.5, bbox=BEHIND_TEXT, zorder=2)
    axes.set_xlim(0, widest * 1.32)


def _tint(colour: str, part: float) -> tuple[float, float, float]:
    """Return the colour mixed with white."""
    red, green, blue = matplotlib.colors.to_rgb(colour)
    return red + (1 - red) * part, green + (1 - green) * part, blue + (1 - blue) * part


def _end_labels(axes: Any, ends: Sequence[tuple[float, float, str]], results: Results) -> None:
    """Write each way's name beside the end of its line, moved apart where they would lie on each other."""
    to_axes = axes.transData + axes.transAxes.inverted()
    places = sorted((float(to_axes.transform((x, y))[1]), float(to_axes.transform((x, y))[0]), way) for x, y, way in ends)
    heights = apart([place[0] for place in places], LABEL_GAP)
    for (height, across, way), moved in zip(places, heights, strict=True):
        colour = look(way).colour
        axes.plot([across, 1.045], [height, moved], transform=axes.transAxes, color=colour, linewidth=0.6, alpha=0.7, clip_on=False)
        axes.text(1.05, moved, results.title(way), transform=axes.transAxes, va="center", fontsize=8.8, color=colour)


def apart(heights: Sequence[float], gap: float) -> list[float]:
    """Return ascending heights, each at least `gap` above the one before, little moved, inside 0 … 1 where they fit."""
    groups: list[tuple[float, int]] = []
    for height in heights:
        groups.append((height, 1))
        while len(groups) > 1 and _overlap(groups[-2], groups[-1], gap):
            # Neighbours that overlap become one group around their common middle.
            (middle, count), (before, count_before) = groups.pop(), groups.pop()
            together = count + count_before
            groups.append((_inside((middle * count + before * count_before) / together, together, gap), together))
    return [middle + gap * (number - (count - 1) / 2) for middle, count in groups for number in range(count)]


def _overlap(lower: tuple[float, int], upper: tuple[float, int], gap: float) -> bool:
    return upper[0] - lower[0] < gap * (upper[1] + lower[1]) / 2 - 1e-9


def _inside(middle: float, count: int, gap: float) -> float:
    half = gap * (count - 1) / 2
    return max(half, min(1 - half, middle))
