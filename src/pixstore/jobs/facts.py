"""The facts of a conversion: which source in which state, with which options. Resuming with others is refused, naming what differs."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixstore import codec
from pixstore.dataset import Dataset
from pixstore.errors import JobMismatchError
from pixstore.jobs.job import Files
from pixstore.manifest import Manifest, is_store, serialise
from pixstore.trust.cells import cell_hashes

WORDS = {
    "samples": "samples in the source",
    "keys": "keys of the source",
    "columns": "columns of the source",
    "bytes": "bytes in the source's files",
    "sizes": "sizes of the source's files",
    "times": "times of change of the source's files",
    "newest": "newest change in the source",
    "manifest": "content of the source",
    "content": "content of the source",
}
SHOWN = 4
ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Containers:
    """Files that hold many records, with size in bytes and time of the last change in ns; -1 for one that could not be looked at."""

    paths: tuple[str, ...] = ()
    size: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    mtime: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def at(cls, paths: Sequence[str]) -> Containers:
        """Return these files as they are now."""
        size, mtime, _ = codec.stat_files(paths)
        return cls(tuple(paths), size, mtime)

    def changed(self) -> str | None:
        """Return one of the files that is not any more as it was, None where all are."""
        if not self.paths:
            return None
        now = Containers.at(self.paths)
        differing = np.flatnonzero((now.size != self.size) | (now.mtime != self.mtime))
        return self.paths[differing[0]] if len(differing) else None


def digest_of(values: NDArray[Any]) -> int:
    """Return xxh3_64 of an array's bytes."""
    return codec.hash_bytes(np.ascontiguousarray(values).reshape(-1).view(np.uint8))


def source_facts(
    dataset: Dataset,
    keys: NDArray[np.uint64],
    files: Mapping[str, Files],
    containers: Containers,
) -> dict[str, Any]:
    """Return what tells the state of a source: samples, keys, columns, and size and mtime of its files or the shards of its store."""
    manifest = dataset.store_manifest
    columns = [cell_hashes(name, dataset.table[name]) for name in dataset.schema.columns.names]
    known: dict[str, Any] = {
        "layout": dataset.origin if manifest is None else "pixstore store",
        "fields": list(dataset.schema.field_names),
        "samples": len(dataset),
        "keys": f"{digest_of(keys):016x}",
        "columns": {name: f"{digest_of(each):016x}" for name, each in zip(dataset.schema.columns.names, columns, strict=True)},
        "classes": {name: list(names) for name, names in dataset.schema.classes.items()},
    }
    if manifest is not None:
        # Tags, saved splits and the number of the version change nothing of what is converted.
        bare = Manifest(0, None, "", "", "power", manifest.schema, 0, manifest.shards)
        return known | {"manifest": f"{codec.hash_bytes(serialise(bare)):016x}"}
    if containers.paths:
        files = {**files, "": (containers.size, containers.mtime)}
    if not files:
        # Unpacked from an archive, or made by a program: nothing has a size and a time that would tell another content.
        return known | {"content": f"{_content(dataset):016x}"}
    sizes, times = (np.concatenate([each[part] for each in files.values()]) for part in (0, 1))
    return known | {
        "bytes": int(np.maximum(sizes, 0).sum()),
        "sizes": f"{digest_of(sizes):016x}",
        "newest": _as_time(int(times.max(initial=0))),
        "times": f"{digest_of(times):016x}",
    }


def _content(dataset: Dataset) -> int:
    """Return the digest of all records of a dataset that lies in memory."""
    found = []
    for start in range(0, len(dataset), ROWS_AT_ONCE):
        rows = np.arange(start, min(start + ROWS_AT_ONCE, len(dataset)))
        for name in dataset.schema.field_names:
            found += [codec.hash_bytes(each) for each in dataset.encoded_many(rows, field=name)]
    return digest_of(np.asarray(found, np.uint64))


def containers_of(
    dataset: Dataset,
    fields: Mapping[str, NDArray[np.int64]],
    files: Mapping[str, Files],
    found: Iterable[str],
    origins: Mapping[str, Sequence[Path]],
) -> Containers:
    """Return the files that hold many records: those `found`, and all where a field comes from whose samples have no files of their own.

    `origins` says where, by field, or for "" where all come from one place. Those of a store are none: they never change.
    """
    if dataset.store_manifest is not None or len(files) == len(fields):
        return Containers()
    places = {path for name in fields if name not in files for path in origins.get(name, origins.get("", ()))}
    return Containers.at(sorted({*found, *(each for path in places if not is_store(path) for each in _files_at(path))}))


def _files_at(path: Path) -> list[str]:
    if not path.is_dir():
        return [str(path)]
    return [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]


def _as_time(nanoseconds: int) -> str:
    when = datetime.datetime.fromtimestamp(nanoseconds // 10**9, datetime.UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09}Z"


def require_same(before: Mapping[str, Any], now: Mapping[str, Any], place: Path) -> None:
    """Raise JobMismatchError, naming what differs, where an unfinished conversion has other facts than the one that would go on."""
    before, now = _flat(before), _flat(now)
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if not changed:
        return
    # A digest says that something differs; a number beside it says it better.
    telling = [name for name in changed if not _is_digest(before.get(name, now.get(name)))] or changed
    said = [f"{WORDS.get(name, name)}: {_shown(before.get(name))} → {_shown(now.get(name))}" for name in telling[:SHOWN]]
    more = f" and {len(telling) - SHOWN} more" if len(telling) > SHOWN else ""
    raise JobMismatchError(
        f"{place}: an unfinished conversion is there, of another source or with other options ({'; '.join(said)}{more});"
        " run it as it was begun, or choose another destination"
    )


def _flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts by name, those within "columns" and the like by both names."""
    flat: dict[str, Any] = {}
    for name, value in facts.items():
        flat |= {f"{name} {inner}": each for inner, each in value.items()} if isinstance(value, Mapping) else {name: value}
    return flat


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 16 and all(digit in "0123456789abcdef" for digit in value)


def _shown(value: Any) -> str:
    if _is_digest(value):
        return f"digest {value}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else "none" if value is None else repr(value)
