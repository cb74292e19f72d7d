"""Random numbers that depend only on (seed, epoch, row, stream): the same for any thread, worker, rank or batch.

A hash of the four numbers is the random number; there is no state. Row r of epoch e under seed s starts the sequence
z = mix(mix(s + G) + e·G) → mix(z) + r·G, and stream k is its k-th number, mix(z + (k + 1)·G), in 64-bit arithmetic:
SplitMix64, its increment G and its finaliser `mix` (variant 13 of David Stafford), from Steele, Lea and Flood, "Fast
splittable pseudorandom number generators", OOPSLA 2014. The upper 53 bits make a float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Hashes: TypeAlias = NDArray[np.uint64]

INCREMENT = 0x9E3779B97F4A7C15
FIRST, SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
WORD = (1 << 64) - 1

_FIRST, _SECOND = np.uint64(FIRST), np.uint64(SECOND)
_30, _27, _31, _11 = (np.uint64(bits) for bits in (30, 27, 31, 11))
_UNIT = np.float64(2.0**-53)


class Draws:
    """Uniform random numbers in [0, 1) for n rows of one epoch.

    seed and epoch are whole numbers, taken modulo 2**64; rows are the n row numbers. Any stream may be asked for, in any order.
    """

    def __init__(self, seed: int, epoch: int, rows: NDArray[np.int64]) -> None:
        start = _mix_number(_mix_number(seed + INCREMENT) + epoch * INCREMENT)
        self._rows: Hashes = np.asarray(rows, np.int64).astype(np.uint64)
        self._rows *= np.uint64(INCREMENT)
        self._rows += np.uint64(start)
        _mix(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def uniform(self, stream: int) -> Floats:
        """Return one number per row."""
        numbers: Floats = self.uniforms([stream])[0]
        return numbers

    def uniforms(self, streams: Sequence[int]) -> Floats:
        """Return one number per stream and row, of shape (len(streams), n)."""
        steps = np.array([(stream + 1) * INCREMENT & WORD for stream in streams], np.uint64)
        hashes = steps[:, None] + self._rows
        _mix(hashes)
        hashes >>= _11
        return hashes.astype(np.float64) * _UNIT


def _mix(values: Hashes) -> None:
    """Hash each value in place."""
    values ^= values >> _30
    values *= _FIRST
    values ^= values >> _27
    values *= _SECOND
    values ^= values >> _31


def _mix_number(value: int) -> int:
    value &= WORD
    value = (value ^ value >> 30) * FIRST & WORD
    value = (value ^ value >> 27) * SECOND & WORD
    return value ^ value >> 31
