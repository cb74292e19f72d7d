"""A folder of image files, or one image file: keys are relative paths, sub-folders are classes, train/val/test are splits."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from pixstore.errors import LabelMismatchError, NotAStoreError
from pixstore.rows import WHOLE_FILE, Extents, Indices, Records
from pixstore.schema import KEY, Field, Format, Schema
from pixstore.source import SourceOptions, SourceReport
from pixstore.sources import labels, lookalike
from pixstore.sources.foreign_file import is_regular, read_head
from pixstore.sources.labels import Labels, shown
from pixstore.sources.listing import has_image, is_image_name, key_of, list_images, name_of
from pixstore.sources.located import LocatedSource, checked_rows
from pixstore.sources.metadata import read_metadata

SPLITS = frozenset({"train", "val", "validation", "valid", "test"})
UNKNOWN = Format(None, None, None)
LABEL = "label"
SPLIT = "split"


class ImageFolder(LocatedSource):
    """Image files as they lie; no header is read before an image is asked for."""

    name: ClassVar[str] = "image folder"

    def __init__(self, root: Path, schema: Schema, table: pa.Table, report: SourceReport) -> None:
        # Paths are made from keys when asked for: a list of ten million of them would cost more than the keys.
        place = Extents((), np.zeros(len(table), np.uint32), np.zeros(len(table), np.int64), np.full(len(table), WHOLE_FILE, np.int64))
        super().__init__(schema, table, report, place=place, formats=(UNKNOWN,), origin=str(root))
        self._root = str(root)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is an image file, or a folder with one somewhere below it."""
        if path.is_dir():
            return has_image(path)
        return is_regular(path) and (is_image_name(path.name) or lookalike.is_image(read_head(path, 16)))

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> ImageFolder:
        """List the images. Raises LabelMismatchError where labels and images do not match, NotAStoreError where there is no image."""
        return _open_file(path, options) if not path.is_dir() else _open_folder(path, options)

    def locate(self, field: str, rows: Indices) -> Records:
        rows = checked_rows(self, field, rows)
        paths = [os.path.join(self._root, name_of(key)) for key in self._table[KEY].take(rows).to_pylist()]
        count = len(rows)
        place = Extents(paths, np.arange(count, dtype=np.uint32), np.zeros(count, np.int64), np.full(count, WHOLE_FILE, np.int64))

        def name(record: int) -> tuple[int, str, str]:
            return int(rows[record]), key_of(os.path.relpath(paths[record], self._root)), paths[record]

        return Records(place, (UNKNOWN,), np.zeros(count, np.int32), name)


def _open_file(path: Path, options: SourceOptions) -> ImageFolder:
    head = read_head(path, lookalike.HEAD_BYTES)
    if not lookalike.is_image(head):
        raise NotAStoreError(f"{path}: named like an image, but {lookalike.describe(path)}")
    keys = [key_of(path.name)]
    report = SourceReport()
    chosen = _chosen_labels(options.label_from, keys, keys) if options.label_from else None
    return _source(path.parent, keys, {}, chosen, report)


def _open_folder(path: Path, options: SourceOptions) -> ImageFolder:
    listing = list_images(path)
    report = SourceReport(skipped=listing.skipped)
    if not listing.images:
        raise NotAStoreError(f"{path}: no image can be read here, {len(listing.skipped)} entries were left out; {lookalike.describe(path)}")
    keys = list(map(key_of, listing.images))
    splits, inner = _splits(keys, report)
    columns: dict[str, pa.Array] = {} if splits is None else {SPLIT: pa.array(splits, pa.string())}
    metadata_files = _metadata_files(listing.metadata, splits, report)
    if metadata_files:
        columns |= read_metadata(path, metadata_files, keys, report.notes)
    if options.label_from is not None:
        columns.pop(LABEL, None)
        chosen: Labels | None = _chosen_labels(options.label_from, keys, inner)
    else:
        chosen = None if LABEL in columns else _folder_labels(inner, report)
    return _source(path, keys, columns, chosen, report)


def _source(root: Path, keys: Sequence[str], columns: dict[str, pa.Array], chosen: Labels | None, report: SourceReport) -> ImageFolder:
    classes: dict[str, tuple[str, ...]] = {}
    if chosen is not None:
        columns = {LABEL: chosen.values, **columns}
        if chosen.classes is not None:
            classes[LABEL] = chosen.classes
    table = pa.table({KEY: pa.array(keys, pa.string()), **columns})
    schema = Schema((Field(),), pa.schema([table.schema.field(name) for name in columns]), classes)
    return ImageFolder(root, schema, table, report)


def _splits(keys: Sequence[str], report: SourceReport) -> tuple[list[str] | None, Sequence[str]]:
    """Return each image's split and its path within it, or None and the keys where not every image lies in a split's folder."""
    first = [key.partition("/")[0] if "/" in key else "" for key in keys]
    names = set(first)
    if names <= SPLITS:
        return first, [key.partition("/")[2] for key in keys]
    if names & SPLITS:
        outside = [key for key, name in zip(keys, first, strict=True) if name not in SPLITS]
        found = ", ".join(sorted(names & SPLITS))
        report.notes.append(f"{found}: not taken as splits, because other images lie outside them: {shown(outside)}")
    return None, keys


def _metadata_files(found: Sequence[str], splits: Sequence[str] | None, report: SourceReport) -> list[str]:
    folders = {""} if splits is None else {"", *set(splits)}
    used = [name for name in found if name.rpartition("/")[0] in folders]
    ignored = [name for name in found if name not in used]
    if ignored:
        report.notes.append(f"metadata files that lie too deep and were not read: {shown(ignored)}")
    return used


def _chosen_labels(label_from: str, keys: Sequence[str], inner: Sequence[str]) -> Labels:
    if label_from == "folder":
        without = [key for key, name in zip(keys, inner, strict=True) if "/" not in name]
        if without:
            raise LabelMismatchError(f"label_from 'folder': images that lie in no class folder: {shown(without)}; move them")
        return labels.from_names([name.partition("/")[0] for name in inner])
    if os.path.exists(label_from) or label_from.lower().endswith((".csv", ".tsv", ".txt")):
        return labels.from_file(Path(label_from), keys)
    return labels.from_expression(label_from, keys)


def _folder_labels(inner: Sequence[str], report: SourceReport) -> Labels | None:
    without = [name for name in inner if "/" not in name]
    if not without:
        return labels.from_names([name.partition("/")[0] for name in inner])
    if len(without) < len(inner):
        report.notes.append(f"no labels from folders, because some images lie in no class folder: {shown(without)}")
    return None


SOURCE = ImageFolder
