"""Which rows come when: the order of an epoch, as a function from positions to rows that needs no memory for them.

An order depends on the number of rows, seed and epoch alone, never on batches, ranks or threads; any position can be asked for at any
time, so an epoch goes on at position p without looking at those before.

The permutation is a Feistel network (Luby and Rackoff, "How to construct pseudorandom permutations from pseudorandom functions", SIAM
J. Comput. 1988) in the generalised form for a domain that is no power of two, with cycle-walking (Black and Rogaway, "Ciphers with
arbitrary finite domains", CT-RSA 2002): n rows lie in a rectangle of a·b places, a = ⌈√n⌉ and b = ⌈n/a⌉; in turn the row and the
column of a place are moved on, modulo a and b, by a hash of the other. A result that is no row is put in again until it is one, which
few need: a·b - n < a. The hash is the finaliser of MurmurHash3 (32 bits); NumPy's SeedSequence turns (seed, epoch) into a key for
each round. Eight rounds, 24 for few rows, where the chi-square test tells eight from a uniform shuffle.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pixstore.errors import InvalidInputError
from pixstore.rows import Indices

MOST_ROWS = 1 << 40
ROUNDS, FEW_ROWS_ROUNDS, FEW_ROWS = 8, 24, 256
MEASURED_BATCHES = 32

PAGES, PARTIAL_PAGE, WINDOW, BLOCKS = 1, 2, 3, 4
"""What a permutation is for, besides the order of all rows (0): no two purposes share keys."""


class Order(Protocol):
    """The rows of one epoch by position."""

    @property
    def count(self) -> int:
        """How many positions there are."""
        ...

    def rows(self, positions: Indices) -> Indices:
        """Return the row at each of these positions, which may be any of `range(count)`."""
        ...


class InOrder:
    """Position p has row p."""

    def __init__(self, count: int) -> None:
        self.count = _checked_count(count)

    def rows(self, positions: Indices) -> Indices:
        return positions


class FullShuffle:
    """A permutation of `range(count)`, drawn by seed and epoch (whole numbers, taken modulo 2**64); takes no memory."""

    def __init__(self, count: int, seed: int, epoch: int, *, purpose: tuple[int, int] = (0, 0)) -> None:
        """purpose: two numbers that tell apart permutations of one seed and epoch."""
        self.count = _checked_count(count)
        self._height = math.isqrt(max(count - 1, 0)) + 1
        self._width = max(-(-count // self._height), 1)
        self._keys = _random_words((seed, epoch, *purpose), FEW_ROWS_ROUNDS if count < FEW_ROWS else ROUNDS)

    def rows(self, positions: Indices) -> Indices:
        rows = self._moved(positions)
        outside = np.flatnonzero(rows >= self.count)
        while len(outside):
            moved = self._moved(rows[outside])
            rows[outside] = moved
            outside = outside[moved >= self.count]
        return rows

    def _moved(self, places: Indices) -> Indices:
        """Return where the network moves these places of the rectangle."""
        # Both halves are below 2**20 + 1, so 32 bits hold all that follows: twice as fast as 64.
        downs = places // self._width
        across = (places - downs * self._width).astype(np.uint32)
        down = downs.astype(np.uint32)
        height, width = np.uint32(self._height), np.uint32(self._width)
        for number, key in enumerate(self._keys):
            if number % 2 == 0:
                down = _added(down, across ^ key, height)
            else:
                across = _added(across, down ^ key, width)
        return down.astype(np.int64) * self._width + across


class WindowShuffle:
    """Pages of neighbouring rows in shuffled order, and rows shuffled within windows of that order; takes no memory.

    For data larger than memory, or on slow media: `window_rows` rows that follow each other come from few pages, each `page_rows`
    rows as they lie. Every row comes exactly once; the last page may be shorter and comes anywhere. `randomness` says what is lost.
    """

    def __init__(self, count: int, seed: int, epoch: int, *, page_rows: int, window_rows: int) -> None:
        if page_rows < 1 or window_rows < 1:
            raise InvalidInputError(f"pages of {page_rows} rows and windows of {window_rows} rows; both must be positive")
        self.count = _checked_count(count)
        self._seed, self._epoch = seed, epoch
        self._page_rows, self._window_rows = page_rows, window_rows
        whole, self._partial_rows = divmod(count, page_rows)
        self._pages = FullShuffle(whole, seed, epoch, purpose=(PAGES, 0))
        # The whole pages are permuted, the partial one is put between any two of them: so its place is known without looking for it.
        chosen = int(_random_words((seed, epoch, PARTIAL_PAGE, 0), 1)[0]) % (whole + 1)
        self._partial_start = chosen * page_rows

    def rows(self, positions: Indices) -> Indices:
        shuffled = np.empty(len(positions), np.int64)
        windows = positions // self._window_rows
        for window in np.unique(windows).tolist():
            places = np.flatnonzero(windows == window)
            start = window * self._window_rows
            within = FullShuffle(min(self._window_rows, self.count - start), self._seed, self._epoch, purpose=(WINDOW, window))
            shuffled[places] = start + within.rows(positions[places] - start)
        return self._paged(shuffled)

    def _paged(self, positions: Indices) -> Indices:
        """Return the rows at these positions of the order of pages."""
        after = positions >= self._partial_start + self._partial_rows
        is_partial = (positions >= self._partial_start) & ~after
        among_whole = np.where(after, positions - self._partial_rows, positions)
        page, inside = np.divmod(np.where(is_partial, 0, among_whole), self._page_rows)
        if self._pages.count:
            page = self._pages.rows(page)
        partial_rows = self._pages.count * self._page_rows + positions - self._partial_start
        return np.where(is_partial, partial_rows, page * self._page_rows + inside)


def randomness(order: Order, batch_rows: int) -> float:
    """Return how well an order mixes near and far: 0 for rows in order, 1 for a full shuffle, up to chance.

    The mean distance |i - j| of two rows of one batch, from what it is for neighbouring rows, (batch + 1) / 3, to what it is for
    rows drawn uniformly, (count + 1) / 3; measured in the first batches. Read it as the share of a batch's pairs that have nothing
    to do with each other: 0.9 says that one pair in ten comes from the same page.
    """
    batch_rows = min(batch_rows, order.count)
    if batch_rows < 2 or order.count == batch_rows:
        return 1.0
    batches = min(order.count // batch_rows, MEASURED_BATCHES)
    rows = order.rows(np.arange(batches * batch_rows)).reshape(batches, batch_rows)
    neighbours, uniform = (batch_rows + 1) / 3, (order.count + 1) / 3
    return (_mean_distance(rows) - neighbours) / (uniform - neighbours)


def _mean_distance(rows: Indices) -> float:
    """Return the mean |i - j| over all pairs within each line of `rows`."""
    size = rows.shape[1]
    # In ascending order the k-th value is added k times and taken away size - 1 - k times.
    weights = 2 * np.arange(size, dtype=np.float64) - (size - 1)
    return float((np.sort(rows, axis=1) @ weights).mean() / (size * (size - 1) / 2))


def _added(values: NDArray[np.uint32], keyed: NDArray[np.uint32], modulus: np.uint32) -> NDArray[np.uint32]:
    """Return (values + hash of keyed) modulo `modulus`; the hash is made in place."""
    keyed ^= keyed >> np.uint32(16)
    keyed *= np.uint32(0x85EBCA6B)
    keyed ^= keyed >> np.uint32(13)
    keyed *= np.uint32(0xC2B2AE35)
    keyed ^= keyed >> np.uint32(16)
    # Without its last bit the sum stays below 2**32.
    keyed >>= np.uint32(1)
    keyed += values
    # NumPy divides by one number in SIMD, but has no such remainder.
    keyed -= keyed // modulus * modulus
    return keyed


def _random_words(numbers: tuple[int, ...], count: int) -> NDArray[np.uint32]:
    """Return random 32-bit words that depend on these numbers alone, each taken modulo 2**64."""
    # Two words for each: else (2**32, 0) and (0, 1) were the same.
    words = [number >> shift & 0xFFFFFFFF for number in numbers for shift in (0, 32)]
    return np.random.SeedSequence(words).generate_state(count).astype(np.uint32, copy=False)


def _checked_count(count: int) -> int:
    if not 0 <= count <= MOST_ROWS:
        raise InvalidInputError(f"{count:,} rows; an order has from 0 to {MOST_ROWS:,}")
    return count
