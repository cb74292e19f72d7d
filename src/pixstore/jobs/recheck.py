"""Whether the shards that an earlier run of a conversion committed are still what was sealed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from pixstore import executors
from pixstore.errors import CorruptStoreError
from pixstore.manifest import Manifest, ShardEntry
from pixstore.schema import Schema
from pixstore.shards import open_shards
from pixstore.trust.parts import check_part, tasks_of


def damaged_shards(store: Path, found: Manifest, *, on: str, workers: int | None) -> set[str]:
    """Return the ids of the version's shards that are damaged.

    Sizes and tables are looked at. Where the version was not made to survive a loss of power, all bytes of pixels are read too: the system
    may have lost any of them.
    """
    damaged = set(_that_do_not_open(store, found.shards, found.schema))
    if found.durability == "power":
        return damaged
    entries = [each for each in found.shards if each.id not in damaged]
    tasks = [task for each in entries for task in tasks_of(store, each, found.schema, share=1.0, seed=0, workers=1)]
    results: Any = executors.run(check_part, tasks, on=on, workers=workers)
    with closing(results):
        return damaged | {result.shard for _, result in results if result.findings}


def _that_do_not_open(store: Path, entries: tuple[ShardEntry, ...], schema: Schema) -> Iterator[str]:
    try:
        open_shards(store, entries, schema)
    except CorruptStoreError:
        if len(entries) == 1:
            yield entries[0].id
            return
        half = len(entries) // 2
        yield from _that_do_not_open(store, entries[:half], schema)
        yield from _that_do_not_open(store, entries[half:], schema)
