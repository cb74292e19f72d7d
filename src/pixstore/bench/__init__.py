"""Measuring which way of keeping images is best: on built-in images or on the user's own."""

from pixstore.bench.experiments import EXPERIMENTS
from pixstore.bench.results import JSON_NAME, Bytes, Cell, Results, Seconds, load
from pixstore.bench.runner import DEFAULT_BUDGET_SECONDS, DEFAULT_REPEATS, run
from pixstore.bench.session import Progress

__all__ = [
    "DEFAULT_BUDGET_SECONDS",
    "DEFAULT_REPEATS",
    "EXPERIMENTS",
    "JSON_NAME",
    "Bytes",
    "Cell",
    "Progress",
    "Results",
    "Seconds",
    "load",
    "run",
]
