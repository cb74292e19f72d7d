"""All shards of a version, opened at once: a thousand small ones cost a few calls, each of which looks at all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore import codec
from pixstore.core import core
from pixstore.keys import KeyIndex
from pixstore.manifest import ShardEntry, ShardFile
from pixstore.record_table import FOLDER
from pixstore.records import core_place
from pixstore.rows import Extents, JoinedPaths
from pixstore.schema import Schema
from pixstore.shard import Shard, check_size, sealed_content

SMALL_BYTES = 256 << 10
MOST_BYTES = 64 << 20
"""What is read of small files at once, and kept; those beyond are looked at one by one, and mapped where they are large."""


def open_shards(store: Path, entries: Sequence[ShardEntry], schema: Schema) -> list[Shard]:
    """Return these shards: the sizes of all files and the digests of all tables are those of the manifest.

    Raises StoreTruncatedError or CorruptStoreError, naming the file, where the files are not those that were sealed.
    """
    _check_sizes(store / FOLDER, [file for entry in entries for file in (entry.table, entry.keys, entry.pixels) if file is not None])
    contents = _contents(store / FOLDER, [entry.table for entry in entries])
    return [Shard(store, entry, schema, content) for entry, content in zip(entries, contents, strict=True)]


def open_keys(shards: Sequence[Shard]) -> None:
    """Have the key indices of all these shards read and checked, so that `Shard.keys` is there. Raises CorruptStoreError."""
    missing = [(shard, shard.entry.keys) for shard in shards if "keys" not in shard.__dict__ and shard.entry.keys is not None]
    if len(missing) < 2:
        return
    folder = missing[0][0].store / FOLDER
    for (shard, file), content in zip(missing, _contents(folder, [file for _, file in missing]), strict=True):
        shard.keys = KeyIndex(np.frombuffer(content, np.uint8), shard.entry.rows, folder / file.name)


def _check_sizes(folder: Path, files: Sequence[ShardFile]) -> None:
    sizes, _, _ = codec.stat_files(_paths(folder, files))
    stated = np.array([-1 if file.bytes is None else file.bytes for file in files], np.int64)
    # A folder has no size: whether it is there is asked like what is wrong with a file.
    for index in np.flatnonzero((sizes != stated) | (stated < 0)).tolist():
        check_size(folder / files[index].name, files[index])


def _contents(folder: Path, files: Sequence[ShardFile]) -> list[pa.Buffer]:
    """Return what each file holds, which is what its digests say."""
    small = _small(files)
    chosen = [files[index] for index in small]
    count = len(chosen)
    length = np.array([file.bytes for file in chosen], np.int64)
    place = Extents(_paths(folder, chosen), np.arange(count, dtype=np.uint32), np.zeros(count, np.int64), length)
    expected = np.array([file.digests[0] for file in chosen if file.digests], np.uint64)
    stored, failures = core().fetch(core_place(place), checksums=expected, seeds=np.zeros(count, np.uint64), io="pread")
    contents = dict(zip(small, map(pa.py_buffer, stored), strict=True))
    for failed, _, _ in failures:
        # Looked at by itself, the file tells what is wrong with it.
        del contents[small[failed]]
    return [contents[index] if index in contents else sealed_content(folder / file.name, file) for index, file in enumerate(files)]


def _small(files: Sequence[ShardFile]) -> list[int]:
    """Return the numbers of the files that are read together: of one tile, small, and not too many."""
    sizes = np.array([file.bytes if file.bytes is not None and len(file.digests or ()) == 1 else SMALL_BYTES for file in files], np.int64)
    is_small = sizes < SMALL_BYTES
    fits: NDArray[np.bool_] = np.cumsum(np.where(is_small, sizes, 0)) <= MOST_BYTES
    return [int(index) for index in np.flatnonzero(is_small & fits)]


def _paths(folder: Path, files: Sequence[ShardFile]) -> JoinedPaths:
    return JoinedPaths(f"{folder}/", pa.array([file.name for file in files], pa.string()))
