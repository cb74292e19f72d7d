"""Measuring which way of keeping images is best: on built-in images or on the user's own."""

from pixstore.bench.results import Bytes, Cell, Results, Seconds, load
from pixstore.bench.runner import Progress, run

__all__ = ["Bytes", "Cell", "Progress", "Results", "Seconds", "load", "run"]
