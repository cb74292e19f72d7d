"""The digest of a dataset's content: the same for the same samples, in whatever order, engine or number of shards they are kept.

    sample    two numbers, xxh3_64 with seeds 0 and 1 of (hash of the key, sum of the hashes of its columns' values and images); see
              pixstore.trust.cells and pixstore.trust.identity
    dataset   the sum of its samples' numbers modulo 2^128, and of one such number for the names of its classes: 32 hexadecimal digits

A sum forgets the order and nothing else: two datasets that differ in one key, value or byte differ in it, but for one chance in 2^64.
It is no defence against somebody who makes data to deceive it.
"""

from __future__ import annotations

import json

import numpy as np

from pixstore.core import checksums, hash_bytes
from pixstore.dataset import Dataset
from pixstore.errors import RecordError
from pixstore.rows import Slices
from pixstore.schema import Schema
from pixstore.trust.cells import Hashes
from pixstore.trust.identity import Identities, identities

ROWS_AT_ONCE = 1 << 16
MODULUS = 1 << 128
HALF = np.uint64(0xFFFFFFFF)


def dataset_digest(dataset: Dataset, *, trusting: bool = False, threads: int | None = None) -> str:
    """Return 32 hexadecimal digits that say which samples a dataset holds: keys, columns, class names and stored bytes.

    Every record is read and, in a store, compared with its checksum; with `trusting` a store's checksums are taken as its tables have
    them, which reads no image. Arrays that a source keeps channel by channel count as a store keeps them.

    Raises RecordError naming every sample that cannot be read.
    """
    total = classes_number(dataset.schema)
    for start in range(0, len(dataset), ROWS_AT_ONCE):
        found = identities(dataset, start, min(start + ROWS_AT_ONCE, len(dataset)), trusting=trusting, threads=threads)
        if found.bad_rows:
            raise RecordError(f"{len(found.bad_rows)} of {len(found)} samples cannot be read", found.bad_rows)
        total += samples_number(found, threads=threads)
    return as_text(total)


def as_text(total: int) -> str:
    """Return the digest of these numbers' sum."""
    return f"{total % MODULUS:032x}"


def samples_number(found: Identities, *, threads: int | None = None) -> int:
    """Return the sum of these samples' numbers; it grows beyond 128 bits."""
    low, high = sample_numbers(found, threads=threads)
    return _sum(low) + (_sum(high) << 64)


def sample_numbers(found: Identities, *, threads: int | None = None) -> tuple[Hashes, Hashes]:
    """Return both numbers of each sample."""
    pairs = np.zeros((len(found), 2), np.uint64)
    pairs[:, 0] = found.keys
    for each in (*found.columns.values(), *found.fields.values()):
        pairs[:, 1] += each
    slices = Slices(pairs.reshape(-1).view(np.uint8), np.arange(len(found)) * 16, np.full(len(found), 16))
    low, high = (checksums(slices, np.full(len(found), seed, np.uint64), threads=threads) for seed in (0, 1))
    return low, high


def classes_number(schema: Schema) -> int:
    """Return the number of the classes' names, 0 where there are none: without them, equal labels may mean different things."""
    named = {name: list(classes) for name, classes in sorted(schema.classes.items()) if classes}
    text = json.dumps(named).encode()
    return hash_bytes(text, 0) + (hash_bytes(text, 1) << 64) if named else 0


def _sum(numbers: Hashes) -> int:
    """Return the exact sum: halves of 32 bits, of which 2^32 fit into 64."""
    return int((numbers & HALF).sum(dtype=np.uint64)) + (int((numbers >> np.uint64(32)).sum(dtype=np.uint64)) << 32)
