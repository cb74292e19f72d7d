"""What a writer's mode means: the version it starts from, the schema it writes with, the lock it holds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa

from pixstore.belongings import SHARDS, SPLITS, VERSIONS, holds_only_ours
from pixstore.disk import make_folders, sync_folder, translated
from pixstore.engines.writing import sync_tree
from pixstore.errors import CorruptStoreError, DestinationExistsError, InvalidInputError, SchemaError, UnsafeInputError
from pixstore.incoming import ABSENT
from pixstore.lock import WriterLock
from pixstore.manifest import Manifest, ShardEntry, is_store, load
from pixstore.schema import Field, Schema

Mode: TypeAlias = Literal["x", "a", "w"]
IMAGE = "image"


def base_version(path: Path, mode: Mode) -> Manifest | None:
    """Return the version to start from, None for a new store. Raises DestinationExistsError where there is something else."""
    if mode not in ("x", "a", "w"):
        raise InvalidInputError(f"mode {mode!r} is none of 'x' (new), 'a' (add a version), 'w' (replace as a version)")
    if is_store(path):
        if mode == "x":
            raise DestinationExistsError(f"{path}: a pixstore store is there; use mode='a' to add to it, mode='w' to replace it")
        return load(path)
    if kept_numbers(path)[-1:] > [1]:
        # A writer that was killed before its first commit leaves the file of version 1 at most.
        raise CorruptStoreError(
            f"{path}: its manifest is gone, its versions are not; `pixstore versions` lists them, `pixstore rollback` mends it"
        )
    with translated(path):
        is_taken = path.is_dir() and not holds_only_ours(path)
    if is_taken:
        raise DestinationExistsError(f"{path}: a folder with other files is there; choose another place")
    if path.exists() and not path.is_dir():
        raise DestinationExistsError(f"{path}: a file is there; choose another place")
    return None


def kept_numbers(store: Path) -> list[int]:
    """Return the numbers of the versions that have a file, ascending; one of a commit that was cut off may be among them."""
    names = [each.name for each in (store / VERSIONS).glob("*.json")]
    return sorted(int(name[:-5]) for name in names if name[:-5].isascii() and name[:-5].isdigit())


def take_store(path: Path, *, durable: bool) -> WriterLock:
    """Return the lock of the store at `path`, whose folders are made where they are not there.

    With `durable`, what was written before and never synced is on the medium when this returns: a version that survives a loss of power
    must not stand on one that does not. Raises UnsafeInputError where a link stands in a folder's place.
    """
    for name in (SHARDS, VERSIONS, SPLITS):
        if (path / name).is_symlink():
            raise UnsafeInputError(f"{path / name}: is a link, and what it leads to may be somebody's; put the folder itself there")
    try:
        for name in (SHARDS, VERSIONS):
            make_folders(path / name, durable=durable)
    except (NotADirectoryError, FileExistsError) as error:
        raise DestinationExistsError(f"{path}: a file is in the way; choose another place") from error
    lock = WriterLock(path)
    try:
        if durable:
            _sync_what_is_there(path)
    except BaseException:
        lock.release()
        raise
    return lock


def _sync_what_is_there(path: Path) -> None:
    has_versions = is_store(path)
    if has_versions and load(path).durability == "power":
        return
    with translated(path):
        if has_versions:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                sync_tree(path, descriptor)
            finally:
                os.close(descriptor)
        # The folder may be that of a writer which was killed before it had synced its name.
        sync_folder(path.parent)


def starting_schema(schema: Schema | None, extended: Manifest | None, codec: str | Mapping[str, str] | None) -> Schema:
    """Return the schema to write with: as given, else that of the version to extend, else one image field; with the codecs stated."""
    if schema is not None:
        _refuse_contradiction(schema, extended)
        # Types that cannot be stored are refused now, not when hours of work are committed.
        schema.to_json()
    else:
        schema = extended.schema if extended else Schema(() if isinstance(codec, Mapping) else (Field(IMAGE),))
    for name, each in ({IMAGE: codec} if isinstance(codec, str) else codec or {}).items():
        before = schema.field(name) if name in schema.field_names else Field(name)
        schema = schema.with_field(replace(before, codec=each))
    return schema


def _refuse_contradiction(schema: Schema, extended: Manifest | None) -> None:
    """Raise SchemaError where a store could not be read any more with this schema."""
    if extended is None:
        return
    for column in extended.schema.columns:
        if column.type != pa.null() and (column.name not in schema.columns.names or schema.columns.field(column.name).type != column.type):
            raise SchemaError(f"the store has a column {column.name!r} of type {column.type}; state it so in the schema")
    for name in extended.schema.field_names:
        if name not in schema.field_names:
            raise SchemaError(f"the store has a field {name!r}; state it in the schema too")


def stated_schema(schema: Schema, shards: Sequence[ShardEntry]) -> Schema:
    """Return the schema with shape and dtype of each field where every shard has the same, and without where not."""
    for each in schema.fields:
        formats = [shard.formats.get(each.name, ABSENT) for shard in shards]
        layouts = {(one.shape, one.dtype) for one in formats}
        shape, dtype = layouts.pop() if len(layouts) == 1 else (None, None)
        schema = schema.with_field(replace(each, shape=shape, dtype=dtype))
    return schema
