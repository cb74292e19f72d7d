"""The index of a MosaicML Streaming (MDS) data set: index.json, which lists the shards, their columns and their sizes, read as hostile.

    {"version": 2, "shards": [{"format": "mds", "column_names": […], "column_encodings": […], "column_sizes": […], "samples": n,
      "raw_data": {"basename": "shard.00000.mds", "bytes": n, "hashes": {}}, "zip_data": null, "compression": null, …}]}

Format: docs.mosaicml.com/projects/streaming, "Dataset format".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixstore.errors import CorruptStoreError, InvalidInputError, PathNotFoundError, StoreTruncatedError, UnsafeInputError
from pixstore.sources.archives.shard_files import PROBED_ENTRIES, entries_of
from pixstore.sources.foreign_file import is_regular, read_head, read_whole, state_of

INDEX = "index.json"
MAX_INDEX_BYTES = 256 << 20
MOST_SAMPLES = 1 << 31
VERSION = 2


@dataclass(frozen=True)
class MdsShard:
    """One shard: its raw file, or the compressed one where that alone is there; `raw_bytes` is the size of the raw one."""

    path: Path
    stem: str
    split: str | None
    samples: int
    raw_bytes: int
    is_compressed: bool
    names: tuple[str, ...]
    encodings: tuple[str, ...]


def indexes_of(path: Path) -> list[tuple[Path, str | None]]:
    """Return the folders with an index, this one or those right below, and the split that the name of one below says."""
    if is_regular(path / INDEX):
        return [(path, None)]
    below = [name for name, is_folder in entries_of(path, PROBED_ENTRIES) if is_folder]
    return [(path / name, name) for name in below if is_regular(path / name / INDEX)]


def is_index(path: Path) -> bool:
    """Return whether a file begins as an MDS index does."""
    head = read_head(path, 4096)
    return head.lstrip()[:1] == b"{" and b'"shards"' in head and b'"mds"' in head


def shards_in(folder: Path, split: str | None) -> list[MdsShard]:
    """Return the shards that an index lists.

    Raises PathNotFoundError naming those that are missing, StoreTruncatedError for one of another size than stated, UnsafeInputError for
    a name that leaves the folder, InvalidInputError for a compression that is not read.
    """
    origin = folder / INDEX
    try:
        found = json.loads(read_whole(origin, max_bytes=MAX_INDEX_BYTES))
    except (ValueError, RecursionError) as error:
        raise CorruptStoreError(f"{origin}: is not readable as JSON: {error}; get the file again") from error
    listed = found.get("shards") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise CorruptStoreError(f"{origin}: lists no shards; get the file again")
    if found.get("version") != VERSION:
        raise InvalidInputError(f"{origin}: is of version {found.get('version')!r}; version {VERSION} is read")
    shards = [_shard(each, folder, split, f"{origin}, shard {number}") for number, each in enumerate(listed)]
    missing = [each.path.name for each in shards if not is_regular(each.path)]
    if missing:
        raise PathNotFoundError(f"{folder}: {len(missing)} of {len(shards)} shards are missing: {', '.join(missing[:5])}; get them")
    return shards


def _shard(stated: Mapping[str, Any], folder: Path, split: str | None, origin: str) -> MdsShard:
    if stated.get("format") != "mds":
        raise InvalidInputError(f"{origin}: has the format {stated.get('format')!r}; only 'mds' is read")
    names, encodings = _texts(stated, "column_names", origin), _texts(stated, "column_encodings", origin)
    if len(names) != len(encodings) or len(set(names)) != len(names):
        raise CorruptStoreError(f"{origin}: names {len(names)} columns and {len(encodings)} encodings, or one twice; get the file again")
    raw = stated.get("raw_data")
    if not isinstance(raw, dict):
        raise CorruptStoreError(f"{origin}: states no raw_data; get the file again")
    name, size = _file(raw, origin)
    path, is_compressed = folder / name, False
    packed = stated.get("zip_data")
    if isinstance(packed, dict) and not is_regular(path):
        compression = str(stated.get("compression"))
        if compression.partition(":")[0] != "zstd":
            raise InvalidInputError(f"{origin}: is compressed with {compression!r}; only zstd is read; unpack the shards")
        zip_name, zip_size = _file(packed, origin)
        path, is_compressed = folder / zip_name, True
        _refuse_size(path, zip_size, origin)
    else:
        _refuse_size(path, size, origin)
    stem = f"{split}/{name.removesuffix('.mds')}" if split else name.removesuffix(".mds")
    samples = _number(stated.get("samples"), "samples", origin)
    return MdsShard(path, stem, split, samples, size, is_compressed, names, encodings)


def _refuse_size(path: Path, size: int, origin: str) -> None:
    if is_regular(path) and (there := state_of(path)[1]) != size:
        raise StoreTruncatedError(f"{path}: has {there} bytes, {size} are stated in {origin}; get the file again")


def _file(stated: Mapping[str, Any], origin: str) -> tuple[str, int]:
    name = stated.get("basename")
    if not isinstance(name, str) or not name or name in (".", "..") or "/" in name or "\0" in name:
        raise UnsafeInputError(f"{origin}: names {name!r}, which is no plain name of a file in its folder; nothing was read")
    return name, _number(stated.get("bytes"), "bytes", origin)


def _number(value: Any, what: str, origin: str) -> int:
    if type(value) is not int or not 0 <= value < (1 << 62 if what == "bytes" else MOST_SAMPLES):
        raise CorruptStoreError(f"{origin}: states {value!r} {what}; get the file again")
    return int(value)


def _texts(stated: Mapping[str, Any], what: str, origin: str) -> tuple[str, ...]:
    found = stated.get(what)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise CorruptStoreError(f"{origin}: states no {what}; get the file again")
    return tuple(found)
