"""What is to be converted: rows in order, how many bytes each has, and the facts that tell this source from any other state of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixstore import codec
from pixstore.dataset import Dataset
from pixstore.errors import DuplicateKeyError
from pixstore.jobs.facts import Containers, containers_of, source_facts
from pixstore.jobs.job import Files, Task
from pixstore.jobs.order import ordered_rows
from pixstore.jobs.reading import find
from pixstore.keys import first_twice
from pixstore.rows import WHOLE_FILE, Extents, Indices, Slices, arrow_rows

ROWS_AT_ONCE = 1 << 16
SAMPLED_ROWS = 16
"""So many are read to guess the size of records that only their format's own library finds."""

DEFAULT_KEY = r"^([0-9]{8}|[1-9][0-9]{8,17})$"


@dataclass(frozen=True)
class Plan:
    """Rows of a dataset in the order of conversion; everything but its table is by position in it.

    `keys` are hashes. `fields` has the length of each record (guessed where only reading says it, -1 where a sample has none), `files` size
    and mtime in ns of the files that are one record each. `facts` are JSON values. `row_bytes` are what key and columns of a sample take.
    `containers` are the files that hold many records.
    """

    table: pa.Table
    rows: Indices
    keys: NDArray[np.uint64]
    fields: Mapping[str, NDArray[np.int64]]
    files: Mapping[str, Files]
    facts: Mapping[str, Any] = field(default_factory=dict)
    row_bytes: int = 0
    containers: Containers = field(default_factory=Containers)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def bytes(self) -> NDArray[np.int64]:
        """The bytes of each sample's records."""
        total = np.zeros(len(self.rows), np.int64)
        for lengths in self.fields.values():
            total += np.maximum(lengths, 0)
        return total

    @property
    def weights(self) -> NDArray[np.int64]:
        """The bytes of each sample as a shard counts them: records, and what key and columns take on average."""
        return self.bytes + self.row_bytes

    def task(self, start: int, stop: int) -> Task:
        """Return the task of these positions."""
        part = slice(start, stop)
        files = {name: (size[part], mtime[part]) for name, (size, mtime) in self.files.items()}
        size = sum((np.maximum(lengths[part], 0) for lengths in self.fields.values()), np.zeros(stop - start, np.int64))
        return Task(start, stop, self.table.take(arrow_rows(self.rows[part])), self.rows[part], size, files)

    def without(self, positions: Indices) -> Plan:
        """Return the plan without the samples at these positions."""
        kept = np.delete(np.arange(len(self)), positions)
        files = {name: (size[kept], mtime[kept]) for name, (size, mtime) in self.files.items()}
        fields = {name: lengths[kept] for name, lengths in self.fields.items()}
        return replace(self, rows=self.rows[kept], keys=self.keys[kept], fields=fields, files=files)


def make_plan(
    dataset: Dataset,
    order: str = "source",
    *,
    origins: Mapping[str, Sequence[Path]] | None = None,
    threads: int | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> Plan:
    """Return what is to be converted. Files of their own are looked at (size, mtime), none is opened.

    origins: where each field was opened from ("" is all of them); files there tell their state where samples have none of their own.
    `progress(samples, 0, 0)` is called as it goes.

    Raises DuplicateKeyError where two samples have one key, InvalidInputError for an order that there is not.
    """
    hashes = codec.hash_keys(dataset.keys)
    _refuse_twice(dataset.keys, hashes)
    rows = ordered_rows(dataset, order)
    fields: dict[str, NDArray[np.int64]] = {}
    files: dict[str, Files] = {}
    containers: dict[str, None] = {}
    for name in dataset.schema.field_names:
        parts = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            parts.append(look(dataset, name, rows[start : start + ROWS_AT_ONCE], threads, containers))
            if progress is not None:
                progress(min(start + ROWS_AT_ONCE, len(rows)), 0, 0)
        fields[name] = np.concatenate([lengths for lengths, _ in parts])
        own = [each for _, each in parts if each is not None]
        if len(own) == len(parts):
            files[name] = (np.concatenate([size for size, _ in own]), np.concatenate([mtime for _, mtime in own]))
    held = containers_of(dataset, fields, files, containers, origins or {})
    facts = source_facts(dataset, hashes, files, held)
    return Plan(dataset.table, rows, hashes[rows], fields, files, facts, -(-dataset.table.nbytes // max(len(rows), 1)), held)


def next_key(dataset: Dataset) -> int:
    """Return the first default key, as a number, that a store of these samples has not had."""
    numbered = dataset.keys.filter(pc.match_substring_regex(dataset.keys, DEFAULT_KEY))
    most = pc.max(numbered.cast(pa.int64())).as_py() if len(numbered) else None
    manifest = dataset.store_manifest
    return max(0 if most is None else most + 1, 0 if manifest is None else manifest.next_key)


def _refuse_twice(keys: pa.ChunkedArray, hashes: NDArray[np.uint64]) -> None:
    order = np.argsort(hashes, kind="stable")
    ascending = hashes[order]
    same = np.flatnonzero(ascending[1:] == ascending[:-1])
    if not len(same):
        return
    suspects = np.unique(np.concatenate([order[same], order[same + 1]]))
    found = keys.take(pa.array(suspects)).combine_chunks()
    twice = first_twice(found)
    if twice is not None:
        first, second = [row for row, key in zip(suspects.tolist(), found.to_pylist(), strict=True) if key == twice][:2]
        raise DuplicateKeyError(f"key {twice!r} stands twice in the source (rows {first} and {second}); each sample needs its own")


def look(
    dataset: Dataset, name: str, rows: Indices, threads: int | None, containers: dict[str, None]
) -> tuple[NDArray[np.int64], Files | None]:
    """Return the length of each record, and size and mtime of the files that are one record each, None where they are not.

    Files that hold many records are noted in `containers`.
    """
    lengths = np.full(len(rows), -1, np.int64)
    present = np.delete(np.arange(len(rows)), dataset.absent(name, rows))
    if not len(present):
        return lengths, None
    located = dataset.extents(name, rows[present])
    if located is None:
        lengths[present] = _guessed(dataset, name, rows[present])
        return lengths, None
    place = located.place
    if not isinstance(place, Extents):
        lengths[present] = place.length if isinstance(place, Slices) else [len(each) for each in place]
        return lengths, None
    if not bool((place.length == WHOLE_FILE).all()):
        containers.update(dict.fromkeys(place.paths))
        lengths[present] = place.length
        return lengths, None
    size, mtime, _ = codec.stat_files(place.paths, threads=threads)
    size, mtime = size[place.file], mtime[place.file]
    lengths[present] = np.maximum(size, 0)
    return lengths, (size, mtime) if len(present) == len(rows) else None


def _guessed(dataset: Dataset, name: str, rows: Indices) -> int:
    """Return about how many bytes a record has, from some of them."""
    sampled = rows[np.unique(np.linspace(0, len(rows) - 1, min(SAMPLED_ROWS, len(rows))).astype(np.int64))]
    records = find(dataset, name, sampled, None).records
    if records is None:
        return 0
    assert not isinstance(records.place, Extents), "what is read is in memory"
    place = records.place
    return (int(place.length.sum()) if isinstance(place, Slices) else sum(len(each) for each in place)) // len(records)
