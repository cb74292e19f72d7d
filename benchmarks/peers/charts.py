"""One plot per workload: a bar of images per second for each loader."""

from __future__ import annotations

from typing import Any

import matplotlib
import summary
from environments import ROOT
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

FOLDER = ROOT / "docs" / "images"
OWN_COLOUR, OTHER_COLOUR, LIMIT_COLOUR = "#AA3C8B", "#0072B2", "#8C8C8C"
SETTINGS: Any = {"svg.hashsalt": "peers", "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 9.5}
WIDTH_INCHES, BAR_INCHES, MARGIN_INCHES = 8.0, 0.3, 0.9


def address(name: str) -> str:
    """Return where the plot lies, as the page links it."""
    return f"images/peers-{name}.svg"


def draw(name: str, measured: dict[str, Any]) -> None:
    """Write the plot of a workload into docs/images."""
    rows = [row for row in summary.rows(measured) if row.rate]
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH_INCHES, MARGIN_INCHES + BAR_INCHES * len(rows)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        colours = [OWN_COLOUR if row.is_own else LIMIT_COLOUR if row.is_limit else OTHER_COLOUR for row in rows]
        ranges = [[row.rate - row.slowest for row in rows], [row.fastest - row.rate for row in rows]]
        bars = axes.barh([row.name for row in rows], [row.rate for row in rows], color=colours, xerr=ranges, error_kw={"ecolor": "#222222"})
        axes.bar_label(bars, [f"{row.rate:,.0f}" for row in rows], padding=4)
        axes.invert_yaxis()
        axes.margins(x=0.14)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel("images per second; the line shows the slowest and the fastest round")
        axes.set_title(measured["title"], loc="left", fontsize=10.5, fontweight="bold")
        axes.spines[["top", "right"]].set_visible(False)
        FOLDER.mkdir(parents=True, exist_ok=True)
        figure.savefig(FOLDER / f"peers-{name}.svg", metadata={"Date": None, "Title": measured["title"]})
