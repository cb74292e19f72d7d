"""What datasets hold, compared as tests of conversions and exports need it: exactly, but for what was named as lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import pixstore
from pixstore.export_proof import PIXELS_CHANGE, has_label_names, label_texts

BY_NUMBER = "keys"


@dataclass(frozen=True)
class Contents:
    """What a dataset holds, in memory."""

    dataset: pixstore.Dataset
    keys: list[str]
    images: dict[str, list[Any]]

    @classmethod
    def of(cls, dataset: pixstore.Dataset) -> Contents:
        images = {}
        for field in dataset.schema.field_names:
            images[field] = list(dataset.read(slice(None), fields=[field], columns=[], threads=1)[field])
        return cls(dataset, dataset.keys.to_pylist(), images)


def require_same(source: Contents, store: Contents) -> None:
    """A store holds what its source held: keys, columns, class names and pixels, in the same order."""
    assert store.keys == source.keys and store.dataset.schema.classes == source.dataset.schema.classes
    assert store.dataset.table.equals(source.dataset.table)
    assert store.images.keys() == source.images.keys()
    for field, images in source.images.items():
        for key, before, after in zip(source.keys, images, store.images[field], strict=True):
            assert same_pixels(before, after), f"{field} of {key}"


def require_kept(store: Contents, found: Contents, lost: Collection[str], *, is_folder: bool) -> None:
    """An export opened again holds what the store held, but for what was named."""
    rows = rows_of(store, found, lost, is_folder=is_folder)
    assert len(rows) == len(store.keys) or "missing" in lost
    assert "fields" in lost or found.images.keys() == store.images.keys()
    if not {"columns", "splits"} & set(lost):
        require_columns(store, found, rows)
    labels = labels_of(store, found, lost)
    for row, key in enumerate(store.keys):
        if row in rows:
            assert labels is None or labels[0][row] == labels[1][rows[row]], key
            for field in set() if PIXELS_CHANGE & set(lost) else store.images.keys() & found.images.keys():
                assert same_pixels(store.images[field][row], found.images[field][rows[row]]), f"{field} of {key}"


def require_columns(store: Contents, found: Contents, rows: Mapping[int, int]) -> None:
    """All columns but labels, which may have come to be names, are there with their values."""
    for name in store.dataset.schema.columns.names:
        if name != "label":
            before, after = store.dataset.table[name].to_pylist(), found.dataset.table[name].to_pylist()
            assert [before[row] for row in rows] == [after[place] for place in rows.values()], name


def rows_of(store: Contents, found: Contents, lost: Collection[str], *, is_folder: bool) -> dict[int, int]:
    """Return where each sample of the store is in what was found: by key, or by number where keys were lost."""
    if BY_NUMBER in lost:
        present = [row for row, image in enumerate(store.images["image"]) if image is not None]
        assert len(found.keys) == len(present)
        return dict(zip(present, range(len(present)), strict=True))
    keys = found.keys
    if is_folder:
        own = found.dataset.table["metadata_key"].to_pylist() if "metadata_key" in found.dataset.table.column_names else keys
        keys = [key_in(str(key), set(store.keys)) for key in own]
    where = {key: row for row, key in enumerate(keys)}
    return {row: where[key] for row, key in enumerate(store.keys) if store.images["image"][row] is not None}


def key_in(path: str, keys: Collection[str]) -> str:
    """Return the key that a file's path says: without folders of split and class, without its suffix."""
    parts = path.split("/")
    tails = ["/".join(parts[start:]) for start in range(len(parts))]
    return next(each for tail in tails for each in (tail, tail.rpartition(".")[0]) if each in keys)


def labels_of(store: Contents, found: Contents, lost: Collection[str]) -> tuple[list[str], list[str]] | None:
    both = (store.dataset, found.dataset)
    if any("label" not in each.table.column_names for each in both):
        assert "label" not in store.dataset.table.column_names or "columns" in lost, "labels are gone"
        return None
    by_name = all(map(has_label_names, both))
    first, second = (label_texts(each, by_name=by_name) for each in both)
    return first, second


def same_pixels(before: Any, after: Any) -> bool:
    """Return whether two images are the same; a last axis of one channel does not count."""
    if before is None or after is None:
        return before is after
    shapes = [each.shape[:-1] if each.ndim == 3 and each.shape[-1] == 1 else each.shape for each in (before, after)]
    return shapes[0] == shapes[1] and before.dtype == after.dtype and np.array_equal(before.reshape(shapes[0]), after.reshape(shapes[1]))
