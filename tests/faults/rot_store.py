"""The store that rots: small, and with one of everything that a store can hold; and the truth of what must be read from it."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import pixstore
from pixstore.manifest import load
from pixstore.opening import open_dataset
from pixstore.writer import Writer

SPLIT = "half"
SIDE = 24
RAW_ROWS, ENCODED_ROWS = 20, 30

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """One sample as it was put in; `encoded` are the bytes handed in, None where an array was."""

    image: Pixels
    label: int
    name: str
    encoded: bytes | None
    mask: Pixels | None


@dataclass(frozen=True)
class Span:
    """Where a record lies: bytes [start, stop) of a file, and whose it is."""

    file: str
    start: int
    stop: int
    key: str
    field: str


@dataclass(frozen=True)
class Truth:
    """What was put in: rows by key for each version, the parts of the split by key, where the current version's records lie."""

    engine: str
    versions: dict[int, dict[str, Row]]
    parts: dict[str, str]
    spans: tuple[Span, ...]
    shard_keys: dict[str, frozenset[str]]

    @property
    def current(self) -> int:
        return max(self.versions)

    @property
    def rows(self) -> dict[str, Row]:
        return self.versions[self.current]


def build(path: Path, engine: str, seed: int = 0) -> Truth:
    """Write the store: raw, PNG and JPEG records, some masks, deleted rows, changed images, a shard that is a table alone, a split."""
    generator = np.random.default_rng(seed)
    rows: dict[str, Row] = {}
    versions = {}
    options: dict[str, Any] = {"engine": engine, "durability": "process", "threads": 1}
    with Writer(path, shard_bytes=20_000, **options) as writer:
        for number in range(RAW_ROWS):
            rows[f"{number:08}"] = _raw(generator, number)
            _add(writer, None, rows[f"{number:08}"])
        for number in range(RAW_ROWS, RAW_ROWS + ENCODED_ROWS):
            rows[f"photo/é {number}.jpg"] = _encoded(generator, number)
            _add(writer, f"photo/é {number}.jpg", rows[f"photo/é {number}.jpg"])
    versions[1] = dict(rows)
    with Writer(path, mode="a", **options) as writer:
        for key in list(rows)[::7]:
            writer.delete(key)
            del rows[key]
        for key in list(rows)[3::9]:
            rows[key] = replace(rows[key], image=_pixels(generator), encoded=None)
            writer.update(key, rows[key].image)
    versions[2] = dict(rows)
    with Writer(path, mode="a", **options) as writer:
        for key in list(rows)[::5]:
            rows[key] = replace(rows[key], label=1000 + rows[key].label, name="renamed")
            writer.update(key, label=rows[key].label, name="renamed")
    versions[3] = dict(rows)
    parts = _save_split(path)
    versions[4] = dict(rows)
    return Truth(engine, versions, parts, tuple(_spans(path)), _shard_keys(path))


def _pixels(generator: np.random.Generator) -> Pixels:
    return generator.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)


def _raw(generator: np.random.Generator, number: int) -> Row:
    mask = generator.integers(0, 5, (SIDE, SIDE)).astype(np.uint8) if number % 3 == 0 else None
    return Row(_pixels(generator), number, f"raw {number}", None, mask)


def _encoded(generator: np.random.Generator, number: int) -> Row:
    side = SIDE + number % 4
    pixels = generator.integers(0, 256, (side, SIDE, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG" if number % 2 else "JPEG")
    data = file.getvalue()
    return Row(np.asarray(Image.open(io.BytesIO(data))), number, f"ü {number}", data, None)


def _add(writer: Writer, key: str | None, row: Row) -> None:
    writer.add(row.image if row.encoded is None else row.encoded, key=key, mask=row.mask, label=row.label, name=row.name)


def _save_split(path: Path) -> dict[str, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = pixstore.open(path).split({"a": 0.5, "b": 0.5}, name=SPLIT)
    return {key: name for name, part in parts.items() for key in part.keys.to_pylist()}


def _spans(path: Path) -> list[Span]:
    """Return where each record of the current version lies, as the sound store says it."""
    dataset, found = open_dataset(path), []
    keys = dataset.keys.to_pylist()
    for field in dataset.schema.field_names:
        rows = np.delete(np.arange(len(dataset)), dataset.absent(field, slice(None)))
        place = dataset.located(field, rows).place
        for row, file, start, length in zip(rows.tolist(), place.file.tolist(), place.offset.tolist(), place.length.tolist(), strict=True):
            name = str(Path(place.paths[file]).relative_to(path))
            found.append(Span(name, start, start + length, keys[row], field))
    return found


def _shard_keys(path: Path) -> dict[str, frozenset[str]]:
    """Return the keys that each shard's table holds in the current version, by the shard's id."""
    rows = open_dataset(path)._rows
    return {shard.entry.id: frozenset(shard.table["key"].to_pylist()) for shard in rows.shards}  # type: ignore[attr-defined]


def named_files(path: Path) -> list[str]:
    """Return every file of the store but the lock, relative to it."""
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file() and each.name != ".lock")


def current_shards(path: Path) -> set[str]:
    """Return the ids of the shards of the current version."""
    return {each.id for each in load(path).shards}
