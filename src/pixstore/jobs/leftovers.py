"""What ended attempts leave in a store: shards that no version names, partial folders and files. Call with the writer's lock held."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pixstore import manifest
from pixstore.belongings import LEFTOVER, SHARDS, VERSIONS, is_our_shard_file, is_our_version, is_real_folder
from pixstore.disk import remove, translated
from pixstore.errors import CorruptStoreError, IncompatibleStoreError


def remove_leftovers(store: Path) -> None:
    """Remove every shard that neither the current nor a kept version names, and what was not renamed yet; nothing with others' names.

    Nothing is removed where a version cannot be read: it may name anything.
    """
    with translated(store), suppress(CorruptStoreError, IncompatibleStoreError):
        named = _named(store)
        for folder, is_rubbish in ((SHARDS, is_our_shard_file), (VERSIONS, _is_partial_version), ("", LEFTOVER.fullmatch)):
            if is_real_folder(store / folder):
                for name in filter(is_rubbish, os.listdir(store / folder)):
                    if name not in named:
                        remove(store / folder / name)


def _is_partial_version(name: str) -> bool:
    return is_our_version(name) and name.endswith(".partial")


def _named(store: Path) -> set[str]:
    paths = sorted((store / "versions").glob("*.json"))
    versions = [manifest.parse(path.read_bytes(), path) for path in paths]
    if manifest.is_store(store):
        versions.append(manifest.load(store))
    return {name for version in versions for shard in version.shards for name in _names(shard)}


def _names(shard: manifest.ShardEntry) -> list[str]:
    return [*(each.name for each in (shard.table, shard.keys, shard.pixels) if each is not None), *shard.borrows]
