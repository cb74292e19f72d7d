"""The same work on threads, on processes or on a cluster: `run` yields what a function returns for each task."""

from pixstore.executors.dispatch import run
from pixstore.executors.stopping import is_stopped

__all__ = ["is_stopped", "run"]
