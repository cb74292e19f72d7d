"""How ways look in every plot: one colour per engine, one line per kind of way, one mark per codec; told apart without colour too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.colors import to_hex, to_rgb

from pixstore.bench import naming

# Okabe and Ito's colours, which people with any kind of colour vision tell apart.
COLOURS = {"files": "#D55E00", "lmdb": "#0072B2", "hdf5": "#009E73", "packed": "#AA3C8B", "numpy": "#7A8B00"}
COLOURS |= {"source": "#4D4D4D", "other": "#8C6D1F"}
MARKS = {"png": "s", "raw": "o", "keep": "D", "jpeg": "^", "gzip": "v", "": "P"}
INK = "#222222"
SOFT = "#555555"
EDGE = "#888888"
FAINT = "#D9D9D9"
PAPER = "#FFFFFF"
WRONG = "#B00020"
TINT_PART = 0.55
TEXT_PART = 0.8
"""Of a line's colour, for text in it: small text needs more contrast than lines."""

SETTINGS: Any = {
    "font.family": "sans-serif",
    # Verdana and DejaVu Sans are nearly as wide as each other: text that is text in an SVG takes the place it was given.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Bitstream Vera Sans"],
    "svg.fonttype": "none",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": EDGE,
    "axes.labelcolor": INK,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12.5,
    "axes.titleweight": "bold",
    "axes.titlepad": 22,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.linewidth": 0.6,
    "figure.dpi": 110,
    "savefig.dpi": 150,
    # A name with a dollar sign is a name, not mathematics.
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Look:
    """Colour, line and mark of one way."""

    colour: str
    line: Any
    mark: str
    is_hollow: bool
    width: float


def look(way: str) -> Look:
    """Return the look of a way: the tutorial's dashed and hollow, by hand dash-dotted, one thread dotted, the others solid and filled."""
    colour = COLOURS.get(naming.family(way), COLOURS["other"])
    mark = MARKS.get(naming.codec(way), "P")
    if naming.is_tutorial(way):
        return Look(colour, (0, (5, 2)), mark, True, 1.6)
    if naming.is_by_hand(way):
        return Look(colour, (0, (6, 1.5, 1, 1.5, 1, 1.5)), "h" if way.endswith("-chunked") else mark, False, 1.3)
    if "@1thread" in way:
        return Look(colour, (0, (1, 1.5)), mark, True, 1.3)
    if "@power" in way:
        return Look(colour, (0, (7, 1.5, 1, 1.5)), mark, False, 1.6)
    return Look(colour, "-", mark, False, 1.9)


def tint(colour: str) -> str:
    """Return the colour mixed with white."""
    red, green, blue = (part + (1 - part) * TINT_PART for part in to_rgb(colour))
    return to_hex((red, green, blue))


def text_colour(colour: str) -> str:
    """Return the colour dark enough to be read as small text on white."""
    red, green, blue = (part * TEXT_PART for part in to_rgb(colour))
    return to_hex((red, green, blue))
