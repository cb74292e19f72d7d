"""What ended attempts leave in a store: shards that no version names, partial folders and files. Call with the writer's lock held."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pixstore import manifest
from pixstore.disk import remove, translated
from pixstore.errors import CorruptStoreError, IncompatibleStoreError
from pixstore.record_table import FOLDER


def remove_leftovers(store: Path) -> None:
    """Remove everything among the store's shards that neither the current nor a kept version names, and what was not renamed yet.

    Nothing is removed where a version cannot be read: it may name anything.
    """
    with translated(store), suppress(CorruptStoreError, IncompatibleStoreError):
        named = _named(store)
        for path in (store / FOLDER).iterdir():
            if path.name not in named:
                remove(path)
        for folder in (store, store / "versions"):
            for path in folder.glob("*.partial"):
                remove(path)


def _named(store: Path) -> set[str]:
    paths = sorted((store / "versions").glob("*.json"))
    versions = [manifest.parse(path.read_bytes(), path) for path in paths]
    if manifest.is_store(store):
        versions.append(manifest.load(store))
    return {name for version in versions for shard in version.shards for name in _names(shard)}


def _names(shard: manifest.ShardEntry) -> list[str]:
    return [*(each.name for each in (shard.table, shard.keys, shard.pixels) if each is not None), *shard.borrows]
