"""Batches for training: order, transforms, and what makes them ahead."""

from pixstore.loader.loader import Loader, UnevenRanksWarning
from pixstore.loader.prefetch import prefetch

__all__ = ["Loader", "UnevenRanksWarning", "prefetch"]
