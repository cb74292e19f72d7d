"""How ways look in every plot: one colour per engine, one line per kind of way, one mark per codec; told apart without colour too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pixstore.bench import naming

# Okabe and Ito's colours, which people with any kind of colour vision tell apart.
COLOURS = {"files": "#D55E00", "lmdb": "#0072B2", "hdf5": "#009E73", "packed": "#AA3C8B", "source": "#4D4D4D"}
OTHER_COLOUR = "#8C6D1F"
MARKS = {"png": "s", "raw": "o", "keep": "D", "jpeg": "^", "": "P"}
INK = "#222222"
FAINT = "#D9D9D9"

SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": INK,
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
    """Return the look of a way: the tutorial's dashed and hollow, one thread dotted, the others solid and filled."""
    colour = COLOURS.get(naming.family(way), OTHER_COLOUR)
    mark = MARKS.get(naming.codec(way), "P")
    if naming.is_tutorial(way):
        return Look(colour, (0, (5, 2)), mark, True, 1.6)
    if "@1thread" in way:
        return Look(colour, (0, (1, 1.5)), mark, True, 1.3)
    if "@power" in way:
        return Look(colour, (0, (7, 1.5, 1, 1.5)), mark, False, 1.6)
    return Look(colour, "-", mark, False, 1.9)
