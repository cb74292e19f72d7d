"""The key index of a shard: hashes of keys in ascending order with their rows, mapped and searched in bulk.

    <id>.keys    b"PIXKEYS1", row count as u64, then xxh3_64 of each key in ascending order (u64), then their rows (u32)
"""

from __future__ import annotations

from collections.abc import Sequence
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


def shared_hashes(known: Sequence[KeyIndex], fresh: Sequence[KeyIndex]) -> Hashes:
    """Return the hashes that stand in two of the fresh indices, or in a fresh and a known one."""
    merged = np.sort(np.concatenate([np.empty(0, np.uint64), *(each.hashes for each in fresh)]), kind="stable")
    twice = [merged[1:][merged[1:] == merged[:-1]]]
    for each in known:
        fewer, more = sorted((each.hashes, merged), key=len)
        if len(fewer):
            place = np.minimum(np.searchsorted(more, fewer), len(more) - 1)
            twice.append(fewer[more[place] == fewer])
    return np.unique(np.concatenate(twice))
