"""Orders that are no permutation, or more than one: rows drawn by weight, and rows of like size together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixstore.errors import InvalidInputError
from pixstore.loader.draws import Draws
from pixstore.loader.order import BLOCKS, FullShuffle, Order
from pixstore.rows import Indices

WINDOW_BLOCKS = 64
"""A window of so many batches is sorted by size: enough for batches of like images, few enough that each epoch mixes anew."""

_STREAM = 1 << 32
"""Apart from the streams of draws that transforms use, which count from 0."""


class Weighted:
    """Rows drawn by weight, with replacement, as many as there are rows.

    The draw at a position depends on seed, epoch and position alone. It is the row in whose share of the weights' running sum a
    uniform random number falls (inversion: Devroye, "Non-uniform random variate generation", 1986, chapter III).
    """

    def __init__(self, weights: Sequence[float] | NDArray[np.floating], seed: int, epoch: int) -> None:
        """Raise InvalidInputError unless the weights are finite, not negative and not all zero."""
        given = np.asarray(weights, np.float64)
        if given.ndim != 1:
            raise InvalidInputError(f"weights of shape {given.shape}; give one number for each row")
        if len(bad := np.flatnonzero(~(np.isfinite(given) & (given >= 0)))):
            raise InvalidInputError(f"the weight of row {bad[0]} is {given[bad[0]]}; weights are finite and not negative")
        self.count = len(given)
        self._seed, self._epoch = seed, epoch
        with np.errstate(over="ignore"):
            self._sums = np.cumsum(given)
        if self.count and not 0 < self._sums[-1] < np.inf:
            raise InvalidInputError(f"the weights sum to {self._sums[-1]}; at least one must be positive, and their sum finite")

    def rows(self, positions: Indices) -> Indices:
        drawn = Draws(self._seed, self._epoch, positions).uniform(_STREAM) * self._sums[-1]
        # Rounding may reach the sum itself, which would be beyond the last row.
        drawn = np.minimum(drawn, np.nextafter(self._sums[-1], 0))
        # In ascending order neighbours are looked for near each other: eight times as fast for a million rows.
        ascending = np.argsort(drawn)
        rows = np.empty(len(drawn), np.int64)
        rows[ascending] = np.searchsorted(self._sums, drawn[ascending], "right")
        return rows


def balanced_weights(column: pa.ChunkedArray | pa.Array, *, name: str = "label") -> NDArray[np.float64]:
    """Return for each row 1 / (how many rows have its value), so that each value is drawn equally often.

    Raises InvalidInputError where a value is null.
    """
    if column.null_count:
        raise InvalidInputError(
            f"{column.null_count:,} rows have no {name!r}, so there is nothing to balance them by; filter them out first"
        )
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = pc.dictionary_encode(values)
    codes = np.asarray(encoded.indices if isinstance(encoded, pa.DictionaryArray) else encoded.combine_chunks().indices)
    weights: NDArray[np.float64] = 1.0 / np.bincount(codes)[codes]
    return weights


class Bucketed:
    """Rows of like size together: windows of another order sorted by size and cut into blocks, which come shuffled.

    sizes: one number per row, such as its area in pixels. Every position of the other order comes exactly once. What fills no block
    comes last, unsorted. The order depends on `block_rows`, the rows of a batch: to go on with an epoch with other batches, keep it.
    """

    def __init__(
        self, order: Order, sizes: NDArray[np.int64], seed: int, epoch: int, *, block_rows: int, window_blocks: int = WINDOW_BLOCKS
    ) -> None:
        if block_rows < 1 or window_blocks < 1:
            raise InvalidInputError(f"{window_blocks} blocks of {block_rows} rows; both must be positive")
        self.count = order.count
        self._order = order
        self._sizes = sizes
        self._seed, self._epoch = seed, epoch
        self._block_rows = block_rows
        self._window_rows = block_rows * window_blocks
        self._known: tuple[int, Indices] = (-1, np.empty(0, np.int64))

    def rows(self, positions: Indices) -> Indices:
        rows = np.empty(len(positions), np.int64)
        windows = positions // self._window_rows
        for window in np.unique(windows).tolist():
            places = np.flatnonzero(windows == window)
            rows[places] = self._window(window)[positions[places] - window * self._window_rows]
        return rows

    def _window(self, window: int) -> Indices:
        """Return the rows of one window; one batch after another asks for the same, so the last is kept."""
        known, rows = self._known
        if known != window:
            rows = self._bucketed(window)
            self._known = (window, rows)
        return rows

    def _bucketed(self, window: int) -> Indices:
        start = window * self._window_rows
        rows = self._order.rows(np.arange(start, min(start + self._window_rows, self.count)))
        blocks, rest = divmod(len(rows), self._block_rows)
        chosen, left = rows[: len(rows) - rest], rows[len(rows) - rest :]
        chosen = chosen[np.argsort(self._sizes[chosen], kind="stable")].reshape(blocks, self._block_rows)
        order = FullShuffle(blocks, self._seed, self._epoch, purpose=(BLOCKS, window)).rows(np.arange(blocks))
        return np.concatenate([chosen[order].ravel(), left])
