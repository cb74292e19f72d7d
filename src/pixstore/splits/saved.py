"""Splits in files: keys and their parts, in a store or beside a source.

    splits/<name>.<digest>.arrow    in a store, named by its manifest: columns `key` and `part`; the digest is xxh3_64 of the file
    anything.arrow, anything.csv    the same two columns, for data that is no store

What they were made with (version, sizes, stratify, group, seed) stands as JSON in the Arrow schema's metadata under "pixstore.split".
A split names keys, so it outlives rows: samples that were added later are in no part, deleted ones are gone from theirs.
"""

from __future__ import annotations

import datetime
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from pixstore.codec import hash_bytes
from pixstore.disk import make_folders, replace_file, translated
from pixstore.errors import CorruptStoreError, DestinationExistsError, InvalidInputError, PathNotFoundError
from pixstore.lock import WriterLock
from pixstore.manifest import Manifest, commit, load
from pixstore.schema import KEY
from pixstore.splits.parts import Assignment
from pixstore.splits.plan import Plan, checked_name, fold_names

FOLDER = "splits"
PART = "part"
FACTS = b"pixstore.split"
SUFFIXES = (".arrow", ".csv")
MAX_BYTES = 1 << 32


@dataclass(frozen=True)
class SplitTable:
    """What a file of a split says: for each key the number of its part into `names`, and what it was made with."""

    keys: pa.Array
    part: pa.Array
    names: tuple[str, ...]
    facts: Mapping[str, Any]

    def assign(self, keys: pa.ChunkedArray, origin: str) -> Assignment:
        """Return the part of each key; -1 for those that the split does not name, which a note counts."""
        found = self.part.take(pc.index_in(keys, value_set=self.keys).combine_chunks())
        part = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        unknown = int((part < 0).sum())
        notes = [f"{unknown:,} of {len(part):,} samples are in no part of the split {origin!r}, which was made without them"]
        return Assignment(self.names, part, tuple(notes if unknown else ()))


@dataclass(frozen=True)
class SavedSplit:
    """A split in a file; `digest` is that of its bytes where a manifest says it."""

    path: Path
    digest: int | None = None

    @property
    def name(self) -> str:
        """The split's name in its store; the file's name where it lies in none."""
        return self.path.name if self.digest is None else self.path.name.removesuffix(".arrow").rpartition(".")[0]

    def read(self) -> SplitTable:
        """Return what the file says.

        Raises PathNotFoundError where there is none, CorruptStoreError where its bytes are not those that were saved, InvalidInputError
        where it is no split.
        """
        if not self.path.is_file():
            raise PathNotFoundError(f"{self.path}: no such file of a split")
        if self.path.stat().st_size > MAX_BYTES:
            raise InvalidInputError(f"{self.path}: {self.path.stat().st_size:,} bytes are no split; the limit is {MAX_BYTES:,}")
        data = self.path.read_bytes()
        # Arrow may not survive damaged metadata, so nothing is parsed before it is checked.
        if self.digest is not None and hash_bytes(data) != self.digest:
            raise CorruptStoreError(f"{self.path}: its digest does not match, so it was changed or damaged; save the split again")
        try:
            return _parsed(data, self.path)
        except (pa.ArrowException, ValueError, OSError, RecursionError) as error:
            raise InvalidInputError(f"{self.path}: not a split ({error})") from error


def is_file_name(name: str | os.PathLike[str]) -> bool:
    """Return whether this means a file of a split, not a name in a store."""
    return not isinstance(name, str) or name.endswith(SUFFIXES)


def find_saved(name: str | os.PathLike[str] | None, store: Path | None, manifest: Manifest | None) -> SavedSplit:
    """Return the saved split: that of a file, or that of a name as this version of the store has it, else as the current one has it.

    Raises InvalidInputError, naming those there are, where there is none.
    """
    if name is None:
        raise InvalidInputError("neither sizes nor the name of a saved split; give one of them")
    if is_file_name(name):
        return SavedSplit(Path(name).absolute())
    if store is None or manifest is None:
        raise InvalidInputError(_no_store(name))
    files = names_in_store(store, manifest)
    if name not in files:
        known = f"splits here: {', '.join(sorted(files))}" if files else "none is saved"
        raise InvalidInputError(f"{store}: has no split {name!r}; {known}")
    return _in_store(store, files[str(name)])


def names_in_store(store: Path, manifest: Manifest) -> dict[str, str]:
    """Return the files of splits by name: those of the current version, and before them those of this one."""
    return {**load(store).splits, **manifest.splits}


def save(
    name: str | os.PathLike[str],
    store: Path | None,
    keys: pa.ChunkedArray,
    assignment: Assignment,
    facts: Mapping[str, Any],
    *,
    replace: bool,
) -> None:
    """Save a split: in a file where the name is one of a file, else under this name in the store."""
    if is_file_name(name):
        save_in_file(Path(name), keys, assignment, facts, replace=replace)
    elif store is None:
        raise InvalidInputError(_no_store(name))
    else:
        save_in_store(store, str(name), keys, assignment, facts, replace=replace)


def _no_store(name: str | os.PathLike[str]) -> str:
    return f"only a store keeps splits by name; for other data name a file: '{name}.arrow' or '{name}.csv'"


def save_in_store(store: Path, name: str, keys: pa.ChunkedArray, assignment: Assignment, facts: Mapping[str, Any], *, replace: bool) -> int:
    """Save a split under a name, as a new version of the store; return that version.

    The very same split may be saved again, which changes nothing. Raises DestinationExistsError where another has the name, unless
    `replace`; StoreBusyError where somebody writes to the store; InvalidInputError where a conversion into it is not finished.
    """
    checked_name(name, "split")
    data = _arrow_bytes(keys, assignment, facts)
    lock = WriterLock(store)
    try:
        base = load(store)
        if base.is_unfinished:
            # What the conversion commits next would not have the split.
            raise InvalidInputError(
                f"{store}: a conversion into it is not finished; run that `pixstore convert` again, then save the split"
            )
        if name in base.splits and not replace:
            if _is_same(_in_store(store, base.splits[name]), keys, assignment):
                return base.version
            raise DestinationExistsError(f"{store}: has another split {name!r}; choose another name, or say that it is to be replaced")
        file = f"{name}.{hash_bytes(data):016x}.arrow"
        durable = base.durability == "power"
        make_folders(store / FOLDER, durable=durable)
        with translated(store, needed=len(data)):
            replace_file(store / FOLDER / file, data, durable=durable)
        created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        made = base.next(created=created, splits={**base.splits, name: file})
        commit(store, made)
    finally:
        lock.release()
    return made.version


def save_in_file(path: Path, keys: pa.ChunkedArray, assignment: Assignment, facts: Mapping[str, Any], *, replace: bool) -> None:
    """Save a split as an Arrow or a CSV file, as its suffix says.

    The very same split may be saved again. Raises DestinationExistsError where another file is there, unless `replace`.
    """
    if path.suffix not in SUFFIXES:
        raise InvalidInputError(f"{path}: a split is saved as {' or '.join(SUFFIXES)}; give the file one of these suffixes")
    if path.exists() and not replace:
        if path.is_file() and _is_same(SavedSplit(path), keys, assignment):
            return
        raise DestinationExistsError(f"{path}: a file is there; choose another name, or say that it is to be replaced")
    data = _arrow_bytes(keys, assignment, facts) if path.suffix == ".arrow" else _csv_bytes(keys, assignment)
    with translated(path, needed=len(data)):
        replace_file(path, data, durable=True)


def facts_of(plan: Plan, version: int | None) -> dict[str, Any]:
    """Return what a split is made with, for its file; `version` is that of the store it is made from."""
    sizes = None if plan.sizes is None else dict(plan.sizes)
    folds = plan.folds if plan.sizes is None else None
    return {"version": version, "sizes": sizes, "folds": folds, "stratify": plan.stratify, "group": plan.group, "seed": plan.seed}


def _in_store(store: Path, file: str) -> SavedSplit:
    digest = file.removesuffix(".arrow").rpartition(".")[2]
    try:
        return SavedSplit(store / FOLDER / file, int(digest, 16))
    except ValueError as error:
        raise CorruptStoreError(f"{store}: the manifest names {file!r}, which is no file of a split") from error


def _is_same(saved: SavedSplit, keys: pa.ChunkedArray, assignment: Assignment) -> bool:
    table = saved.read()
    before = table.assign(keys, saved.name)
    return before.names == assignment.names and np.array_equal(before.part, assignment.part) and len(table.keys) == len(keys)


def _arrow_bytes(keys: pa.ChunkedArray, assignment: Assignment, facts: Mapping[str, Any]) -> bytes:
    metadata = {FACTS: json.dumps({**facts, "parts": assignment.names})}
    part = pa.DictionaryArray.from_arrays(pa.array(assignment.part, pa.int32()), pa.array(assignment.names, pa.string()))
    table = pa.table({KEY: keys.combine_chunks(), PART: part}, metadata=metadata)
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _csv_bytes(keys: pa.ChunkedArray, assignment: Assignment) -> bytes:
    part = pa.array(assignment.names, pa.string()).take(pa.array(assignment.part))
    sink = io.BytesIO()
    pa_csv.write_csv(pa.table({KEY: keys.combine_chunks(), PART: part}), sink)
    return sink.getvalue()


def _parsed(data: bytes, path: Path) -> SplitTable:
    """Return what these bytes say. Raises ValueError, of Arrow's or with a reason, where they are no split."""
    if path.suffix == ".csv":
        text = pa_csv.ConvertOptions(column_types={KEY: pa.string(), PART: pa.string()}, strings_can_be_null=False)
        table = pa_csv.read_csv(pa.BufferReader(data), None, pa_csv.ParseOptions(newlines_in_values=True), text)
    else:
        table = pa.ipc.open_file(pa.BufferReader(data)).read_all()
        table.validate(full=True)
    if missing := [name for name in (KEY, PART) if name not in table.column_names]:
        raise ValueError(f"it has no column {missing[0]!r}, only {', '.join(table.column_names)}")
    keys, part = (table[name].cast(pa.string()).combine_chunks() for name in (KEY, PART))
    if keys.null_count or part.null_count:
        raise ValueError("a key or a part is missing")
    counts = pc.value_counts(keys)
    if len(twice := counts.filter(pc.greater(counts.field("counts"), 1))):
        raise ValueError(f"key {twice.field('values')[0].as_py()!r} stands twice")
    facts = json.loads((table.schema.metadata or {}).get(FACTS, b"{}"))
    names = _ordered(pc.unique(part).to_pylist(), facts)
    return SplitTable(keys, pc.index_in(part, value_set=pa.array(names, pa.string())), names, facts)


def _ordered(names: list[str], facts: Any) -> tuple[str, ...]:
    """Return the parts' names in the order they were given in, or folds by number, or as they come."""
    for name in names:
        checked_name(name, "part")
    stated = facts.get("parts") if isinstance(facts, dict) else None
    if isinstance(stated, list) and sorted(map(str, stated)) == sorted(names):
        return tuple(map(str, stated))
    return fold_names(len(names)) if set(names) == set(fold_names(len(names))) else tuple(names)
