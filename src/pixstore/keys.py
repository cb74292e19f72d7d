"""The key index of a shard: hashes of keys in ascending order with their rows, mapped and searched in bulk.

    <id>.keys    b"PIXKEYS1", row count as u64, then xxh3_64 of each key in ascending order (u64), then their rows (u32)

A shard whose keys are default keys without a gap has no such file: there the key says its row.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixstore import codec
from pixstore.errors import CorruptStoreError, DuplicateKeyError, KeyInvalidError
from pixstore.rows import Indices

MAGIC = b"PIXKEYS1"
HEADER_BYTES = 16
DIGITS = 8
MOST_DIGITS = 18
"""What an int64 holds in any case."""

Hashes = NDArray[np.uint64]


def write_keys(path: Path, keys: pa.Array) -> None:
    """Write the key index. Raises DuplicateKeyError naming a key that stands twice, and both its rows."""
    hashes = codec.hash_keys(keys)
    order = np.argsort(hashes, kind="stable")
    ascending = hashes[order]
    suspects = order[_beside_their_like(ascending)]
    if (twice := first_twice(keys.take(pa.array(suspects)))) is not None:
        first, second = [row for row in np.sort(suspects).tolist() if keys[row].as_py() == twice][:2]
        raise DuplicateKeyError(f"key {twice!r} stands twice (samples {first} and {second} of this shard); give each sample its own")
    with open(path, "xb") as file:
        file.write(MAGIC + np.uint64(len(keys)).tobytes())
        file.write(ascending.tobytes())
        file.write(order.astype(np.uint32).tobytes())


def counted_keys(first: int, count: int) -> pa.Array:
    """Return default keys: the numbers from `first` on, as at least eight digits."""
    numbers = pa.array(np.arange(first, first + count))
    return pc.utf8_lpad(numbers.cast(pa.string()), DIGITS, "0")


def counted_key(number: int) -> str:
    """Return one default key."""
    return f"{number:0{DIGITS}}"


def are_counted(keys: pa.Array) -> bool:
    """Return whether these are default keys without a gap."""
    first = _number(keys[0].as_py()) if len(keys) else None
    return first is not None and bool(keys.equals(counted_keys(first, len(keys))))


def _number(key: str) -> int | None:
    """Return the number that a default key says; None for any other key."""
    is_number = DIGITS <= len(key) <= MOST_DIGITS and key.isascii() and key.isdigit() and (len(key) == DIGITS or key[0] != "0")
    return int(key) if is_number else None


def number_after(keys: Iterable[str]) -> int:
    """Return the first number that is above those of all default keys among these; 0 where there are none."""
    return max((number + 1 for key in keys if (number := _number(key)) is not None), default=0)


def checked_key(key: str) -> str:
    """Return the key. Raises KeyInvalidError for one that is empty or not text."""
    if not isinstance(key, str):
        raise KeyInvalidError(f"a key must be text, not {type(key).__name__} ({key!r}); use str(...)")
    if not key:
        raise KeyInvalidError("a key must not be empty")
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise KeyInvalidError(f"key {key!r} is not valid Unicode; escape it first") from error
    return key


def _beside_their_like(ascending: Hashes) -> NDArray[np.bool_]:
    same = ascending[1:] == ascending[:-1]
    beside = np.zeros(len(ascending), np.bool_)
    beside[1:] |= same
    beside[:-1] |= same
    return beside


def first_twice(keys: pa.Array) -> str | None:
    """Return the first key that stands twice, None where each stands once."""
    counts = pc.value_counts(keys)
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    return str(twice.field("values")[0].as_py()) if len(twice) else None


class KeyIndex:
    """The key index of a sealed shard. Its bytes have been compared with their digests."""

    def __init__(self, data: NDArray[np.uint8], rows: int, path: Path) -> None:
        """Raise CorruptStoreError where these bytes are not the index of so many rows."""
        # Every slice of a np.memmap costs Python calls; a plain view of it does not.
        data = data.view(np.ndarray)
        sound = len(data) == HEADER_BYTES + 12 * rows and data[:8].tobytes() == MAGIC and int(data[8:16].view("<u8")[0]) == rows
        self.hashes: Hashes = data[HEADER_BYTES : HEADER_BYTES + 8 * rows].view("<u8") if sound else np.empty(0, np.uint64)
        self.rows: NDArray[np.uint32] = data[HEADER_BYTES + 8 * rows :].view("<u4") if sound else np.empty(0, np.uint32)
        if not sound or int(self.rows.max(initial=0)) >= max(rows, 1):
            raise CorruptStoreError(f"{path}: not the key index of {rows} rows; restore it from a copy")

    def find(self, hashes: Hashes, keys: Sequence[str], column: pa.Array) -> Indices:
        """Return the row of each key in `column`, the shard's keys by row; -1 where it is not here."""
        found = np.full(len(keys), -1, np.int64)
        begins = np.searchsorted(self.hashes, hashes, "left")
        ends = np.searchsorted(self.hashes, hashes, "right")
        for place in np.flatnonzero(begins < ends).tolist():
            for candidate in self.rows[begins[place] : ends[place]].tolist():
                if column[candidate].as_py() == keys[place]:
                    found[place] = candidate
        return found

    def rows_of(self, hashes: Hashes) -> Indices:
        """Return the rows whose hash is one of these, ascending."""
        return np.sort(self.rows[np.isin(self.hashes, hashes)].astype(np.int64))


class CountedKeys:
    """What `KeyIndex` is, for a shard whose keys are default keys without a gap: nothing is stored, little is computed."""

    def __init__(self, column: pa.Array, path: Path) -> None:
        """Raise CorruptStoreError where `column`, the shard's keys by row, are no such keys."""
        if not are_counted(column):
            raise CorruptStoreError(f"{path}: its keys are not the default keys that the manifest says; restore it from a copy")
        self._column = column
        self.first = int(column[0].as_py())
        self.stop = self.first + len(column)

    def find(self, hashes: Hashes, keys: Sequence[str], column: pa.Array) -> Indices:
        """Return the row of each key; -1 where it is not here."""
        numbers = [_number(key) for key in keys]
        here = [-1 if number is None or not self.first <= number < self.stop else number - self.first for number in numbers]
        return np.array(here, np.int64)

    @cached_property
    def hashes(self) -> Hashes:
        """The keys' hashes in ascending order, for comparing with shards of other keys."""
        return np.sort(codec.hash_keys(self._column))

    def rows_of(self, hashes: Hashes) -> Indices:
        """Return the rows whose hash is one of these, ascending."""
        return np.flatnonzero(np.isin(codec.hash_keys(self._column), hashes))


Index = KeyIndex | CountedKeys


def are_apart(indices: Sequence[Index]) -> bool:
    """Return whether it needs no look at the keys to say that none stands in two of these."""
    spans = sorted((each.first, each.stop) for each in indices if isinstance(each, CountedKeys))
    return len(spans) == len(indices) and all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def shared_hashes(known: Sequence[Index], fresh: Sequence[Index]) -> Hashes:
    """Return the hashes that stand in two of the fresh indices, or in a fresh and a known one."""
    if are_apart([*known, *fresh]):
        return np.empty(0, np.uint64)
    merged = np.sort(np.concatenate([np.empty(0, np.uint64), *(each.hashes for each in fresh)]), kind="stable")
    twice = [merged[1:][merged[1:] == merged[:-1]]]
    for each in known:
        fewer, more = sorted((each.hashes, merged), key=len)
        if len(fewer):
            place = np.minimum(np.searchsorted(more, fewer), len(more) - 1)
            twice.append(fewer[more[place] == fewer])
    return np.unique(np.concatenate(twice))
