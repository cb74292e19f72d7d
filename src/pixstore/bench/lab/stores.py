"""Our ways with options that they leave at their defaults: levels, qualities, shard sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pixstore
from pixstore.bench.ways.base import Work
from pixstore.bench.ways.ours import STORE, StoreWay
from pixstore.writer import DEFAULT_SHARD_BYTES


class VariedStore(StoreWay):
    """The same engine and codec with another level (PNG), quality (JPEG) or shard size; named so after an @."""

    def __init__(
        self, way: StoreWay, *, level: int | None = None, quality: int | None = None, shard_bytes: int = DEFAULT_SHARD_BYTES
    ) -> None:
        marks = {"level": level, "quality": quality, "shards": shard_bytes}
        name = way.name + "".join(f"@{mark}{value}" for mark, value in marks.items() if value is not None)
        super().__init__(name, way.engine, way.codec, way.durability, way.threads)
        self._level = level
        self._quality = quality
        self._shard_bytes = shard_bytes

    def store_many(self, folder: Path, work: Work) -> None:
        store(self, folder, work, level=self._level, quality=self._quality, shard_bytes=self._shard_bytes)


def store(
    way: StoreWay,
    folder: Path,
    work: Work,
    *,
    level: int | None = None,
    quality: int | None = None,
    shard_bytes: int = DEFAULT_SHARD_BYTES,
) -> None:
    """Store the work as this way does, with these options; the way itself reads it back."""
    images: Any = work.encoded if way.codec == "keep" else work.images
    with pixstore.Writer(
        folder / STORE,
        engine=way.engine,
        codec=way.codec,
        durability=way.durability,
        threads=way.threads,
        level=level,
        quality=quality,
        shard_bytes=shard_bytes,
    ) as writer:
        writer.add_batch(images, label=work.labels)
