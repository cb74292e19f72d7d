"""Every plot of a run by name: which there are, each as a figure, all as SVG and PNG files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib

from pixstore.bench import style, svg, words
from pixstore.bench.lab.catalog import QUESTIONS
from pixstore.bench.lab.chart import Chart
from pixstore.bench.measurements import Measurements
from pixstore.bench.plots import charts, classic, frame
from pixstore.bench.plots.shown import shown

FOLDER = "plots"
MARGIN_INCHES = 0.1
LAB_DPI = 110
"""Of the lab's PNG files: there are many of them."""
MAKER = "pixstore bench"
"""Stands in every file, so that a later drawing knows which it may remove."""
HEAD_BYTES = 4096


@dataclass(frozen=True)
class Plot:
    """One plot: the name of its files, its title, and what draws it."""

    name: str
    title: str
    make: Callable[[], frame.Drawing | None]
    question: str = ""
    chart: Chart | None = None


def plots(results: Measurements) -> list[Plot]:
    """Return every plot that the results allow, undrawn; those of a question have its name."""
    found = {plot.name: plot for plot in _classic(results)}
    for question in QUESTIONS:
        for chart in charts_of(results, question):
            # The disk of the classic experiment and that of the lab are two plots.
            name = f"lab-{chart.name}" if chart.name in found else chart.name
            found[name] = Plot(name, chart.title, partial(charts.draw, results, chart, results.answers(question)), question, chart)
    return list(found.values())


def charts_of(results: Measurements, question: str) -> list[Chart]:
    """Return the charts of a question that was asked."""
    answers = results.answers(question)
    return QUESTIONS[question].charts(answers) if answers and question in QUESTIONS else []


def names(results: Measurements) -> list[str]:
    """Return what `figure` can draw: "read-many", "disk", the charts of the lab's questions."""
    found = dict.fromkeys(each.name.removesuffix("-log").removesuffix("-linear") for each in _classic(results))
    found |= dict.fromkeys(each.name for each in plots(results) if _has_values(results, each))
    return list(found)


def figure(results: Measurements, name: str, *, is_log: bool = True) -> frame.Drawing:
    """Return one plot. name: one of `names`, or a question's name for its first chart; is_log: for times over numbers of images.

    Raises KeyError where the results allow no such plot.
    """
    every = plots(results)
    wanted = (name, f"{name}-{'log' if is_log else 'linear'}")
    with matplotlib.rc_context(style.SETTINGS):
        for each in [plot for plot in every if plot.name in wanted] + [plot for plot in every if plot.question == name]:
            drawn = each.make()
            if drawn is not None:
                return drawn
    raise KeyError(name)


def draw(results: Measurements, folder: Path) -> dict[str, str]:
    """Write every plot that the results allow into `folder` as NAME.svg and NAME.png; return their titles by name.

    Plots that an earlier drawing left there, and this one has not, are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, str] = {}
    with matplotlib.rc_context(style.SETTINGS):
        for plot in plots(results):
            made = plot.make()
            if made is not None:
                _save(made, plot, folder)
                drawn[plot.name] = plot.title
    for path in (*folder.glob("*.svg"), *folder.glob("*.png")):
        if path.stem not in drawn and _is_ours(path):
            path.unlink()
    return drawn


def _is_ours(path: Path) -> bool:
    with open(path, "rb") as file:
        return MAKER.encode() in file.read(HEAD_BYTES)


def _save(made: frame.Drawing, plot: Plot, folder: Path) -> None:
    # Both files are cut to what is drawn; finding that out once saves half the time.
    around = made.get_tightbbox().padded(MARGIN_INCHES)
    buffer = io.StringIO()
    # Ids inside an SVG must differ between the SVGs of one page, and be the same when it is drawn again.
    with matplotlib.rc_context({"svg.hashsalt": plot.name}):
        made.savefig(buffer, format="svg", bbox_inches=around, metadata={"Creator": MAKER, "Date": None, "Title": plot.title})
    (folder / f"{plot.name}.svg").write_text(svg.with_tips(buffer.getvalue(), made.tips), encoding="utf-8")
    dpi = LAB_DPI if plot.question else "figure"
    made.savefig(folder / f"{plot.name}.png", bbox_inches=around, dpi=dpi, metadata={"Software": MAKER})


def _has_values(results: Measurements, plot: Plot) -> bool:
    return plot.chart is not None and bool(shown(results, plot.chart, results.answers(plot.question)).values)


def _classic(results: Measurements) -> Iterator[Plot]:
    for experiment in classic.MANY:
        if classic.measured(results, experiment) and len(results.cutoffs(experiment)) > 1:
            name = classic.NAMES[experiment]
            yield Plot(
                f"{experiment}-log", f"{name}: time, both axes logarithmic", partial(classic.lines, results, experiment, is_log=True)
            )
            yield Plot(f"{experiment}-linear", f"{name}: time, linear axes", partial(classic.lines, results, experiment, is_log=False))
    largest = words.largest(results)
    if largest is not None:
        many = [each for each in classic.MANY if classic.measured(results, each, largest)]
        if len(many) > 1:
            title = f"Storing and reading {words.count(largest, 'image')}"
            yield Plot("together", title, partial(classic.together, results, largest))
        if many:
            yield Plot("throughput", "Images per second", partial(classic.throughput, results, largest))
        if any(cell.bytes for cell in results.cells if cell.experiment == "disk" and cell.images == largest):
            yield Plot("disk", f"Disk use of {words.count(largest, 'image')}", partial(classic.disk, results, largest))
    if classic.measured(results, "store-one", 1) or classic.measured(results, "read-one", 1):
        yield Plot("one-image", "One image: time and disk", partial(classic.one_image, results))
