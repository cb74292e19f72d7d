"""Everything that a store can be asked, compared with the truth: each answer is right, or an error of ours is raised."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from faults.rot_store import SPLIT, Row, Truth
from pixstore.dataset import Dataset
from pixstore.errors import PixstoreError, RecordError
from pixstore.opening import open_dataset


@dataclass
class Reading:
    """What reading found: wrong answers, errors that are not ours, the errors of ours, and the records that such an error named."""

    wrong: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    named: set[tuple[str, str]] = field(default_factory=set)
    opened: bool = False


def read_everything(store: Path, truth: Truth, *, older: bool = True) -> Reading:
    """Ask the current version for keys, columns, images as pixels and as bytes, each key's row, the split; and the older versions."""
    reading = Reading()
    _guard(reading, lambda: _current(reading, store, truth))
    for version in range(1, truth.current) if older else ():
        _guard(reading, lambda version=version: _older(reading, store, version, truth.versions[version]))
    return reading


def read_rows(store: Path, rows: dict[str, Row]) -> Reading:
    """Ask a store that must hold these rows, all of them sound, for keys, columns and images."""
    reading = Reading()
    dataset = open_dataset(store, threads=1)
    _guard(reading, lambda: _columns(reading, dataset, rows))
    for name in ("image", "mask"):
        _guard(reading, lambda name=name: _images(reading, dataset, name, rows))
    dataset.close()
    return reading


def _current(reading: Reading, store: Path, truth: Truth) -> None:
    dataset = open_dataset(store, threads=1)
    reading.opened = True
    _guard(reading, lambda: _columns(reading, dataset, truth.rows))
    for name in ("image", "mask"):
        _guard(reading, lambda name=name: _images(reading, dataset, name, truth.rows))
    _guard(reading, lambda: _stored(reading, dataset, truth.rows))
    _guard(reading, lambda: _places(reading, dataset, truth.rows))
    _guard(reading, lambda: _parts(reading, dataset, truth))
    dataset.close()


def _older(reading: Reading, store: Path, version: int, rows: dict[str, Row]) -> None:
    dataset = open_dataset(store, version=version, threads=1)
    _guard(reading, lambda: _columns(reading, dataset, rows))
    _guard(reading, lambda: _images(Reading(reading.wrong), dataset, "image", rows))
    dataset.close()


def _guard(reading: Reading, ask: Callable[[], None]) -> None:
    """Note an error of ours as a refusal, which is a right answer, and any other as one that was not foreseen."""
    try:
        ask()
    except PixstoreError as error:
        reading.refusals.append(f"{type(error).__name__}: {error}")
    except Exception:
        reading.foreign.append(traceback.format_exc(limit=-4))


def _columns(reading: Reading, dataset: Dataset, rows: dict[str, Row]) -> None:
    found = dataset.table.to_pylist()
    if len(found) != len(dataset) or {each["key"] for each in found} != rows.keys():
        reading.wrong.append(f"keys differ: {sorted({each['key'] for each in found} ^ rows.keys())[:3]}")
    for each in found:
        row = rows.get(each["key"])
        if row is not None and (each["label"], each["name"]) != (row.label, row.name):
            reading.wrong.append(f"{each['key']!r} has label {each['label']}, name {each['name']!r}")


def _images(reading: Reading, dataset: Dataset, name: str, rows: dict[str, Row]) -> None:
    """Compare the pixels of every sample; where some are refused, those of all others."""
    keys = dataset.keys.to_pylist()
    chosen = list(range(len(dataset)))
    try:
        images = dataset.read(chosen, fields=[name], columns=[])[name]
    except RecordError as error:
        reading.refusals.append(f"{type(error).__name__}: {error}")
        reading.named |= {(bad.key, name) for bad in error.bad_rows}
        chosen = sorted(set(chosen) - {bad.row for bad in error.bad_rows})
        images = dataset.read(chosen, fields=[name], columns=[])[name] if chosen else []
    for row, image in zip(chosen, images, strict=True):
        expected = getattr(rows[keys[row]], name) if keys[row] in rows else None
        if (image is None) != (expected is None) or (image is not None and not np.array_equal(image, expected)):
            reading.wrong.append(f"{name} of {keys[row]!r} has other pixels")


def _stored(reading: Reading, dataset: Dataset, rows: dict[str, Row]) -> None:
    keys = dataset.keys.to_pylist()
    for key in keys[::3]:
        _guard(reading, lambda key=key: _stored_of(reading, dataset, key, rows[key]))


def _stored_of(reading: Reading, dataset: Dataset, key: str, row: Row) -> None:
    if dataset.encoded(key) != (row.encoded if row.encoded is not None else row.image.tobytes()):
        reading.wrong.append(f"{key!r} has other bytes")


def _places(reading: Reading, dataset: Dataset, rows: dict[str, Row]) -> None:
    keys = dataset.keys.to_pylist()
    for row, key in enumerate(keys):
        if (found := dataset.row_of(key)) != row:
            reading.wrong.append(f"{key!r} is said to be in row {found}, and stands in {row}")
    if "photo/nobody" in dataset:
        reading.wrong.append("a key that was never there is found")


def _parts(reading: Reading, dataset: Dataset, truth: Truth) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = dataset.split(name=SPLIT)
    found = {key: name for name, part in parts.items() for key in part.keys.to_pylist()}
    if found != truth.parts:
        reading.wrong.append(f"the split says otherwise of {len(dict(found.items() ^ truth.parts.items()))} samples")
