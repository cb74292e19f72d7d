"""The plots of a run, drawn from the results alone."""

from pixstore.bench.plots.drawing import FOLDER, draw, figure, names

__all__ = ["FOLDER", "draw", "figure", "names"]
