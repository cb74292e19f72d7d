"""Measuring which way of keeping images is best: on built-in images or on the user's own."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixstore.bench.advice.advice import ADVICE_SECONDS, Advice, advise
    from pixstore.bench.experiments import EXPERIMENTS
    from pixstore.bench.measurements import JSON_NAME, Bytes, Cell, Measurements, Observation
    from pixstore.bench.results import Results, load
    from pixstore.bench.runner import run
    from pixstore.bench.session import Progress
    from pixstore.bench.statistics import Spread
    from pixstore.bench.suites import SUITES

__all__ = [
    "ADVICE_SECONDS",
    "EXPERIMENTS",
    "JSON_NAME",
    "SUITES",
    "Advice",
    "Bytes",
    "Cell",
    "Measurements",
    "Observation",
    "Progress",
    "Results",
    "Spread",
    "advise",
    "load",
    "run",
]

# Imported on first use: a child that measures one way needs no plots.
_HOMES = {
    "ADVICE_SECONDS": "pixstore.bench.advice.advice",
    "Advice": "pixstore.bench.advice.advice",
    "Bytes": "pixstore.bench.measurements",
    "Cell": "pixstore.bench.measurements",
    "EXPERIMENTS": "pixstore.bench.experiments",
    "JSON_NAME": "pixstore.bench.measurements",
    "Measurements": "pixstore.bench.measurements",
    "Observation": "pixstore.bench.measurements",
    "Progress": "pixstore.bench.session",
    "Results": "pixstore.bench.results",
    "SUITES": "pixstore.bench.suites",
    "Spread": "pixstore.bench.statistics",
    "advise": "pixstore.bench.advice.advice",
    "load": "pixstore.bench.results",
    "run": "pixstore.bench.runner",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pixstore.bench' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
