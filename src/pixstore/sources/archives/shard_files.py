"""The files of a data set in shards: found in a folder, with the split that a name says and what the keys of their rows begin with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pixstore.errors import LimitExceededError, NotAStoreError, ReadFailedError
from pixstore.source import SourceReport
from pixstore.sources.archives.numbered import in_order, note_of_one

SPLIT = "split"
SPLIT_NAME = re.compile(r"(?:\A|[-_.])(train|training|validation|valid|val|dev|test|testing)(?![A-Za-z])", re.IGNORECASE)
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif")
DEPTH = 3
"""Folders below the one that was named in which shards are looked for, as in `data/train-00000-of-00002.parquet`."""
MOST_ENTRIES = 1_000_000
PROBED_ENTRIES = 1000


@dataclass(frozen=True)
class Shard:
    """One file: what the keys of its rows begin with, and the split that its name or its folder says."""

    path: Path
    stem: str
    split: str | None


def shards_of(path: Path, files: Sequence[Path], suffixes: Sequence[str], report: SourceReport) -> list[Shard]:
    """Return the file, the files of a pattern, or the shards in a folder, ordered by set and number.

    Raises PathNotFoundError for a numbered set of which a part is missing, NotAStoreError where a folder has no such file.
    """
    if files:
        return [Shard(file, _stem(file.name, suffixes), _split_of(file.name)) for file in files]
    if not path.is_dir():
        note = note_of_one(path.name)
        report.notes.extend([note] if note else [])
        return [Shard(path, _stem(path.name, suffixes), None)]
    return _in_folder(path, suffixes)


def has_shards(path: Path, suffixes: Sequence[str]) -> bool:
    """Return whether a folder, or one right below it, has a file with such a name and no image files; looks at some hundred names."""
    try:
        inner = [path, *(path / name for name, is_folder in entries_of(path, PROBED_ENTRIES) if is_folder)]
        names = [name for folder in inner[:20] for name, is_folder in entries_of(folder, PROBED_ENTRIES) if not is_folder]
        return any(is_shard(name, suffixes) for name in names) and not any(name.lower().endswith(IMAGES) for name in names)
    except ReadFailedError:
        return False


def is_shard(name: str, suffixes: Sequence[str]) -> bool:
    """Return whether a file has one of the suffixes, at the end or before a number as in `train.tfrecord-00000-of-00010`."""
    return not name.startswith((".", "_", "metadata.")) and any(name.endswith(each) or f"{each}-" in name for each in suffixes)


def split_column(shards: Sequence[Shard], counts: Sequence[int]) -> pa.Array | None:
    """Return the split of every row, None unless every file's name or folder says one."""
    splits = [each.split for each in shards]
    if not shards or None in splits:
        return None
    names = sorted({split for split in splits if split is not None})
    places = [names.index(split) for split in splits if split is not None]
    repeated = pa.array([place for place, count in zip(places, counts, strict=True) for _ in range(count)], pa.int32())
    return pa.DictionaryArray.from_arrays(repeated, pa.array(names, pa.string())).cast(pa.string())


def row_keys(shards: Sequence[Shard], counts: Sequence[int]) -> pa.Array:
    """Return `file/00000012` for the rows of each file: file name without suffix, and row in the file."""
    pairs = zip(shards, counts, strict=True)
    return pa.array([f"{shard.stem}/{row:08}" for shard, count in pairs for row in range(count)], pa.string())


def _in_folder(path: Path, suffixes: Sequence[str]) -> list[Shard]:
    found: dict[str, list[str]] = {}
    for folder, name in _walk(path, DEPTH):
        if is_shard(name, suffixes):
            found.setdefault(folder, []).append(name)
    if not found:
        raise NotAStoreError(f"{path}: has no file named *{' or *'.join(suffixes)}; it was changed meanwhile")
    shards = []
    for folder, names in sorted(found.items()):
        for name in in_order(names, str(path / folder)):
            shards.append(Shard(path / folder / name, _stem(f"{folder}{name}", suffixes), _split_of(f"{folder}{name}")))
    return shards


def _walk(path: Path, depth: int) -> Iterator[tuple[str, str]]:
    """Yield (folder with a slash at its end, file name) below a folder; links to folders are not followed."""
    waiting = [("", depth)]
    while waiting:
        folder, deeper = waiting.pop()
        for name, is_folder in entries_of(path / folder, MOST_ENTRIES):
            if not is_folder:
                yield folder, name
            elif deeper and not name.startswith("."):
                waiting.append((f"{folder}{name}/", deeper - 1))


def entries_of(path: Path, most: int) -> list[tuple[str, bool]]:
    """Return the names of the first entries of a folder, sorted, and whether each is a folder; links to folders are none.

    Raises ReadFailedError, LimitExceededError for a folder of a million entries.
    """
    try:
        with os.scandir(path) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry, _ in zip(entries, range(most), strict=False)]
    except OSError as error:
        raise ReadFailedError(f"{path}: cannot be listed: {error.strerror}; check its permissions") from error
    if len(found) >= MOST_ENTRIES:
        raise LimitExceededError(f"{path}: holds {MOST_ENTRIES:,} entries or more; name the files by a pattern")
    return sorted(found)


def _stem(name: str, suffixes: Sequence[str]) -> str:
    return next((name.removesuffix(each) for each in suffixes if name.endswith(each)), name)


def _split_of(name: str) -> str | None:
    """Return the first word in a path that is the name of a split: `train` of `data/train-00000-of-00002.parquet`."""
    return next((found[1].lower() for part in name.split("/") if (found := SPLIT_NAME.search(part))), None)
