"""Folders that `datasets.save_to_disk` writes: state.json names the Arrow files of one split, dataset_dict.json the folders of several."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pixstore.errors import CorruptStoreError, PathNotFoundError, UnsafeInputError
from pixstore.source import SourceReport
from pixstore.sources.archives.shard_files import Shard
from pixstore.sources.foreign_file import is_regular, read_whole

STATE, DICT, INFO = "state.json", "dataset_dict.json", "dataset_info.json"
MAX_JSON_BYTES = 64 << 20


def is_saved(path: Path) -> bool:
    """Return whether a folder was written by `save_to_disk`."""
    return is_regular(path / DICT) or (is_regular(path / STATE) and is_regular(path / INFO))


def saved_shards(path: Path) -> list[Shard]:
    """Return the files in the order that the JSON files state. Raises PathNotFoundError naming those that are missing."""
    if not is_regular(path / DICT):
        return _shards(path, "", None)
    splits = _object(path / DICT).get("splits")
    if not isinstance(splits, list) or not splits or not all(isinstance(each, str) for each in splits):
        raise CorruptStoreError(f"{path / DICT}: names no splits; save the data set again")
    return [shard for split in splits for shard in _shards(path / _plain(split, path / DICT), f"{split}/", split)]


def stated_counts(path: Path, counts: dict[str | None, int], report: SourceReport) -> None:
    """Note in the report where dataset_info.json states other counts: it keeps those from before rows were chosen."""
    for split, count in counts.items():
        file = path / (split or "") / INFO
        stated = _object(file).get("splits") if is_regular(file) else None
        described = stated.get(split) if isinstance(stated, dict) and split is not None else None
        examples = described.get("num_examples") if isinstance(described, dict) else None
        if isinstance(examples, int) and examples != count:
            report.notes.append(f"{file}: states {examples} examples, and {count} are there: rows were chosen, or some are lost")


def _shards(folder: Path, prefix: str, split: str | None) -> list[Shard]:
    files = _object(folder / STATE).get("_data_files")
    named = [each.get("filename") for each in files if isinstance(each, dict)] if isinstance(files, list) else []
    if not named or not all(isinstance(each, str) for each in named):
        raise CorruptStoreError(f"{folder / STATE}: names no data files; save the data set again")
    names = [_plain(each, folder / STATE) for each in named]
    missing = [name for name in names if not is_regular(folder / name)]
    if missing:
        raise PathNotFoundError(
            f"{folder}: {len(missing)} of {len(names)} files that {STATE} names are missing: {', '.join(missing[:5])}; get them"
        )
    return [Shard(folder / name, prefix + name.removesuffix(".arrow"), split) for name in names]


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_whole(path, max_bytes=MAX_JSON_BYTES))
    except (ValueError, RecursionError) as error:
        raise CorruptStoreError(f"{path}: is not readable as JSON: {error}; save the data set again") from error
    if not isinstance(found, dict):
        raise CorruptStoreError(f"{path}: is a JSON {type(found).__name__}, an object is expected; save the data set again")
    return found


def _plain(name: Any, origin: Path) -> str:
    """Return a name that stays in its folder. Raises UnsafeInputError for any other."""
    if not isinstance(name, str) or not name or name in (".", "..") or "/" in name or "\0" in name:
        raise UnsafeInputError(f"{origin}: names {name!r}, which is no plain name of a file in its folder; nothing was read")
    return name
