"""Rounding of whole tables: fractions become whole numbers, and the sums of rows and columns stay what they are."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from random import Random

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def largest_remainder(shares: Sequence[Fraction], total: int) -> list[int]:
    """Return whole numbers that sum to `total`, each its share of it rounded down or up; those that lose most are rounded up.

    The method of Hamilton; of equal remainders the first comes first. Shares sum to 1.
    """
    quotas = [share * total for share in shares]
    sizes = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda part: sizes[part] - quotas[part])
    for part in by_remainder[: total - sum(sizes)]:
        sizes[part] += 1
    return sizes


def controlled_rounding(numerators: Sequence[Sequence[int]], denominator: int, seed: int) -> Counts:
    """Return numerators / denominator with each entry rounded down or up, so that all rows and columns keep their sums.

    The sums must be whole. Which entries are rounded up is drawn, each as likely as its fraction says: Cox, "A constructive procedure
    for unbiased controlled rounding", Journal of the American Statistical Association 1987. As long as there is a fraction, its row
    and its column have another; a walk from one to the next closes to a cycle, along which as much is added and taken in turn as
    makes one of its entries whole.
    """
    random = Random(seed)
    rounded = [[each // denominator for each in row] for row in numerators]
    rest = [[each % denominator for each in row] for row in numerators]
    # Dictionaries for their order: the walk must not depend on the hashes of a set.
    across = [{column: None for column, each in enumerate(row) if each} for row in rest]
    down: list[dict[int, None]] = [{} for _ in numerators[0]]
    for row, columns in enumerate(across):
        for column in columns:
            down[column][row] = None
    for start in range(len(rest)):
        while across[start]:
            cycle = _cycle(start, across, down)
            added, taken = cycle[0::2], cycle[1::2]
            up = min([denominator - rest[row][column] for row, column in added] + [rest[row][column] for row, column in taken])
            back = min([rest[row][column] for row, column in added] + [denominator - rest[row][column] for row, column in taken])
            step = up if random.random() * (up + back) < back else -back
            for sign, entries in ((1, added), (-1, taken)):
                for row, column in entries:
                    rest[row][column] += sign * step
                    if rest[row][column] in (0, denominator):
                        rounded[row][column] += rest[row][column] // denominator
                        del across[row][column], down[column][row]
    return np.array(rounded, np.int64)


def _cycle(row: int, across: Sequence[dict[int, None]], down: Sequence[dict[int, None]]) -> list[tuple[int, int]]:
    """Return entries with a fraction that form a cycle: by turns the next shares the row, then the column, of the one before."""
    entries: list[tuple[int, int]] = []
    place_of_row: dict[int, int] = {}
    place_of_column: dict[int, int] = {}
    column = -1
    while True:
        place_of_row[row] = len(entries)
        column = _other(across[row], column)
        entries.append((row, column))
        if column in place_of_column:
            # The walk left this column by the entry after the one that entered it.
            return entries[place_of_column[column] + 1 :]
        place_of_column[column] = len(entries) - 1
        row = _other(down[column], row)
        entries.append((row, column))
        if row in place_of_row:
            return entries[place_of_row[row] :]


def _other(choices: dict[int, None], than: int) -> int:
    return next(each for each in choices if each != than)
