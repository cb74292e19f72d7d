"""What all plots share: the figure with its tooltips, headings, axes in words, rows of names, labels that keep their distance."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pixstore.bench import naming, style
from pixstore.bench.style import look
from pixstore.bench.table import FAILED

WIDTH = 8.6
ROW_INCHES = 0.36
BEHIND_TEXT = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1}
LABEL_INCHES = 0.17
"""Least distance between two labels beside a plot."""
MOST_NAMED = 3
"""So many failed cells are named below a plot; the table behind it has all."""


class Drawing(Figure):
    """A figure that knows what to say when a mark is pointed at, and that notebooks show as it is."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height))
        FigureCanvasAgg(self)
        self.tips: dict[str, list[str]] = {}

    def tip(self, artist: Any, *texts: str) -> None:
        """Say the text at the artist; one text per mark where the artist is a line of marks."""
        name = f"tip-{len(self.tips)}"
        artist.set_gid(name)
        self.tips[name] = list(texts)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", bbox_inches="tight")
        return buffer.getvalue()


def panels(count: int, width: float, height: float) -> tuple[Drawing, list[Any]]:
    """Return a figure of so many inches and its axes, side by side."""
    figure = Drawing(width, height)
    axes = figure.subplots(1, count, squeeze=False)[0]
    figure.subplots_adjust(wspace=0.12)
    return figure, list(axes)


def heading(axes: Any, title: str, below: str) -> None:
    axes.set_title(title)
    axes.annotate(below, (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points", fontsize=8.5, color=style.SOFT)


def banner(figure: Drawing, first: Any, title: str, below: str) -> None:
    """Write a heading over several panels, above the left edge of the first."""
    left, top = first.get_position().x0, first.get_position().y1
    inch = 1 / figure.get_figheight()
    figure.text(left, top + 0.62 * inch, title, fontsize=12.5, fontweight="bold", va="bottom")
    figure.text(left, top + 0.42 * inch, below, fontsize=8.5, color=style.SOFT, va="bottom")


def legend_below(axes: Any, handles: Sequence[Any], columns: int, inches: float = 0.42) -> None:
    """Put a legend so many inches below the axes."""
    height = axes.figure.get_figheight() * axes.get_position().height
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, -inches / height), ncols=columns, frameon=False, borderaxespad=0,
        handletextpad=0.4, columnspacing=1.4,
    )  # fmt: skip


def log_ticks(axis: Any, text: Callable[[float], str]) -> None:
    axis.set_major_locator(LogLocator(10, numticks=12))
    axis.set_minor_locator(LogLocator(10, subs=(2, 5), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_formatter(NullFormatter())


def ticks(axis: Any, text: Callable[[float], str]) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value) if value else "0"))


def rows(axes: Any, names: Sequence[str], *, has_names: bool = True) -> None:
    """Make the vertical axis one row per name, the first at the top."""
    axes.set_yticks(range(len(names)), names if has_names else [""] * len(names))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def bar(figure: Drawing, axes: Any, row: float, value: float, way: str, tip: str, *, height: float = 0.62, start: float = 0.0) -> None:
    """Draw one bar from `start` to the value: on a logarithmic axis nothing starts at 0."""
    shape = look(way)
    # As the lines: the tutorial's dashed and pale, by hand pale, ours full.
    is_pale = shape.is_hollow or naming.is_by_hand(way)
    drawn = axes.barh(
        row, value - start, left=start, height=height, color=style.tint(shape.colour) if is_pale else shape.colour, edgecolor=shape.colour,
        linestyle=(0, (3, 1.5)) if shape.is_hollow else "-", linewidth=1.2, zorder=3,
    )  # fmt: skip
    figure.tip(drawn[0], tip)


def say_in_row(axes: Any, row: float, text: str, colour: str = style.WRONG) -> None:
    """Write beside a row what of it has failed."""
    if text:
        axes.text(1.01, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8.5, color=colour)


def say_below(axes: Any, failed: Sequence[str], word: str = FAILED, points: float = 48, colour: str = style.WRONG) -> None:
    """Write below the axes what has failed."""
    if failed:
        more = f" and {len(failed) - MOST_NAMED} more, see the table" if len(failed) > MOST_NAMED else ""
        text = f"{word}: {'; '.join(failed[:MOST_NAMED])}{more}"
        axes.annotate(text, (0, 0), (0, -points), xycoords="axes fraction", textcoords="offset points", fontsize=8.5, color=colour)


def end_labels(axes: Any, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write (x, y, text, way): each text beside the end of its line, moved apart where they would lie on each other."""
    # Limits are found when first asked for; before that no place on the page is known.
    axes.get_xlim(), axes.get_ylim()
    to_axes = axes.transData + axes.transAxes.inverted()
    places = sorted((float(to_axes.transform((x, y))[1]), float(to_axes.transform((x, y))[0]), text, way) for x, y, text, way in ends)
    gap = LABEL_INCHES / (axes.figure.get_figheight() * axes.get_position().height)
    heights = apart([place[0] for place in places], gap)
    for (height, across, text, way), moved in zip(places, heights, strict=True):
        colour = look(way).colour
        axes.plot([across, 1.045], [height, moved], transform=axes.transAxes, color=colour, linewidth=0.6, alpha=0.7, clip_on=False)
        axes.text(1.05, moved, text, transform=axes.transAxes, va="center", fontsize=8.8, color=style.text_colour(colour))


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
