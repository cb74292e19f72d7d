"""How random an order of reading is: three plain measures, each 1 for a full shuffle, up to chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixstore.loader.order import randomness

Rows = NDArray[np.int64]


class _Given:
    """An order whose rows are known."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.count = len(rows)

    def rows(self, positions: Rows) -> Rows:
        return self._rows[positions]


def batch_spread(rows: Rows, batch: int) -> float:
    """Return how far apart the rows of one batch lie: 0 for neighbours, 1 for rows drawn from anywhere.

    rows: a permutation, in the order read. The mean distance of two rows of a batch, as `pixstore.loader.order.randomness` has it.
    """
    return randomness(_Given(rows), batch)


def displacement(first: Rows, second: Rows) -> float:
    """Return how far a row's place moves from one epoch to the next: 0 where both are read alike, 1 for two independent shuffles.

    The mean |place - next place| over all rows, over what it is for a random permutation of n: (n² - 1) / 3n.
    """
    count = len(first)
    if count < 2:
        return 1.0
    places, following = np.empty(count, np.int64), np.empty(count, np.int64)
    places[first] = following[second] = np.arange(count)
    return float(np.abs(places - following).mean() / ((count * count - 1) / (3 * count)))


def label_clumping(labels: Rows, batch: int) -> float | None:
    """Return how much more the labels differ from batch to batch than in batches drawn at random: 1 as random, 0 all alike.

    labels: in the order read. The mean squared deviation of a label's count in a batch from its share, over the variance of drawing
    without replacement (hypergeometric: b·p·(1 - p)·(n - b)/(n - 1)). Sorted labels give about the batch's size. None where all labels are
    the same, or all come in one batch.
    """
    count = len(labels) // batch * batch
    _, numbers = np.unique(labels, return_inverse=True)
    parts = np.bincount(numbers) / max(len(labels), 1)
    if len(parts) < 2 or count == 0 or len(labels) == batch:
        return None
    expected = batch * float((parts * (1 - parts)).sum()) * (len(labels) - batch) / (len(labels) - 1)
    batches = numbers[:count].reshape(-1, batch)
    deviations = [float(((np.bincount(each, minlength=len(parts)) - batch * parts) ** 2).sum()) for each in batches]
    return float(np.mean(deviations)) / expected
