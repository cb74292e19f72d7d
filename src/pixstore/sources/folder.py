"""A folder of image files, or one image file: keys are relative paths, sub-folders are classes, train/val/test are splits."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixstore.errors import LabelMismatchError, NotAStoreError
from pixstore.rows import WHOLE_FILE, Extents, Indices, JoinedPaths, Records, arrow_rows
from pixstore.schema import KEY, Field, Format, Schema
from pixstore.source import SourceOptions, SourceReport
from pixstore.sources import labels, lookalike
from pixstore.sources.folders.image_names import is_image_name, key_of, name_of
from pixstore.sources.folders.listing import has_image, list_images
from pixstore.sources.folders.metadata import read_metadata
from pixstore.sources.folders.side_by_side import images_and_masks
from pixstore.sources.foreign_file import is_regular, read_head
from pixstore.sources.labels import Labels, shown
from pixstore.sources.located import LocatedSource, checked_rows

SPLITS = frozenset({"train", "val", "validation", "valid", "test"})
MOST_CLASSES = 1_000_000
UNKNOWN = Format(None, None, None)
LABEL = "label"
LABEL_NAME = "label_name"
SPLIT = "split"


class ImageFolder(LocatedSource):
    """Image files as they lie; no header is read before an image is asked for."""

    name: ClassVar[str] = "image folder"
    takes: ClassVar[frozenset[str]] = frozenset({"label_from"})

    def __init__(self, root: Path, schema: Schema, table: pa.Table, report: SourceReport) -> None:
        # Paths are made from keys when asked for: a list of ten million of them would cost more than the keys.
        count = len(table)
        zeros, whole = np.broadcast_to(np.int64(0), count), np.broadcast_to(np.int64(WHOLE_FILE), count)
        place = Extents((), np.broadcast_to(np.uint32(0), count), zeros, whole)
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
        root = os.path.join(self._root, "")
        keys = self._keys.take(arrow_rows(rows))
        # Text of a million paths is made only where keys are not the bytes of the names.
        paths: Sequence[str] = JoinedPaths(root, keys) if self._keys_are_names else [root + name_of(key) for key in keys.to_pylist()]
        count = len(rows)
        place = Extents(paths, np.arange(count, dtype=np.uint32), np.zeros(count, np.int64), np.full(count, WHOLE_FILE, np.int64))

        def name(record: int) -> tuple[int, str, str]:
            return int(rows[record]), self._keys[int(rows[record])].as_py(), paths[record]

        return Records(place, (UNKNOWN,), np.zeros(count, np.int32), name)

    @cached_property
    def _keys_are_names(self) -> bool:
        """Whether every key in UTF-8 is the name of its file as the system has it."""
        has_escapes = pc.any(pc.match_substring(self._keys, "%"), min_count=0).as_py()
        return sys.getfilesystemencoding() == "utf-8" and not has_escapes

    @cached_property
    def _keys(self) -> pa.Array:
        column = self._table[KEY]
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _open_file(path: Path, options: SourceOptions) -> ImageFolder:
    head = read_head(path, lookalike.HEAD_BYTES)
    if not lookalike.is_image(head):
        raise NotAStoreError(f"{path}: named like an image, but {lookalike.describe(path)}")
    keys = pa.array([key_of(path.name)])
    report = SourceReport()
    chosen = chosen_labels(options.label_from, keys, folder_names(keys, 0)) if options.label_from else None
    return _source(path.parent, keys, {}, chosen, report)


def _open_folder(path: Path, options: SourceOptions) -> ImageFolder:
    listing = list_images(path, options.progress)
    report = SourceReport(skipped=listing.skipped)
    keys = listing.keys
    if not len(keys):
        raise NotAStoreError(f"{path}: no image can be read here, {len(listing.skipped)} entries were left out; {lookalike.describe(path)}")
    outermost = folder_names(keys, 0)
    splits = split_names(keys, outermost, report)
    columns: dict[str, pa.Array] = {} if splits is None else {SPLIT: splits.cast(pa.string())}
    metadata_files = _metadata_files(listing.metadata, splits, report)
    if metadata_files:
        columns |= read_metadata(path, metadata_files, keys.to_pylist(), report.notes)
    classes = outermost if splits is None else folder_names(keys, 1)
    if options.label_from is not None:
        columns.pop(LABEL, None)
        chosen: Labels | None = chosen_labels(options.label_from, keys, classes)
    else:
        chosen = named_labels(columns)
        if chosen is None and LABEL not in columns:
            chosen = folder_labels(keys, classes, is_split=splits is not None, report=report)
            told = images_and_masks(path, keys, classes, is_split=splits is not None)
            report.notes += [] if told is None else [told]
    return _source(path, keys, columns, chosen, report)


def _source(root: Path, keys: pa.Array, columns: dict[str, pa.Array], chosen: Labels | None, report: SourceReport) -> ImageFolder:
    classes: dict[str, tuple[str, ...]] = {}
    if chosen is not None:
        columns = {LABEL: chosen.values, **columns}
        if chosen.classes is not None:
            classes[LABEL] = chosen.classes
    table = pa.table({KEY: keys, **columns})
    schema = Schema((Field(),), pa.schema([table.schema.field(name) for name in columns]), classes)
    return ImageFolder(root, schema, table, report)


def folder_names(keys: pa.Array, depth: int) -> pa.DictionaryArray:
    """Return the name of the folder at this depth (0 is the outermost) in which each key's file lies; null where there is none."""
    found = pc.extract_regex(keys, rf"^(?:[^/]*/){{{depth}}}(?P<name>[^/]*)/")
    return pc.struct_field(found, "name").dictionary_encode()


def split_names(keys: pa.Array, folders: pa.DictionaryArray, report: SourceReport) -> pa.DictionaryArray | None:
    """Return each image's split, None where not every image lies in a split's folder."""
    names = set(folders.dictionary.to_pylist())
    if names <= SPLITS and not folders.null_count:
        return folders
    if names & SPLITS:
        outside = keys.filter(pc.invert(pc.is_in(folders.cast(pa.string()), pa.array(sorted(SPLITS)))))
        found = ", ".join(sorted(names & SPLITS))
        report.notes.append(f"{found}: not taken as splits, because other images lie outside them: {shown(outside)}")
    return None


def _metadata_files(found: Sequence[str], splits: pa.DictionaryArray | None, report: SourceReport) -> list[str]:
    folders = {""} if splits is None else {"", *splits.dictionary.to_pylist()}
    used = [name for name in found if name.rpartition("/")[0] in folders]
    ignored = [name for name in found if name not in used]
    if ignored:
        report.notes.append(f"metadata files that lie too deep and were not read: {shown(ignored)}")
    return used


def chosen_labels(label_from: str, keys: pa.Array, classes: pa.DictionaryArray) -> Labels:
    """Return the labels that a user asked for; `classes` has the name of each image's class folder. Raises LabelMismatchError."""
    if label_from == "folder":
        if classes.null_count:
            without = keys.filter(classes.is_null())
            raise LabelMismatchError(f"label_from 'folder': images that lie in no class folder: {shown(without)}; move them")
        return labels.from_dictionary(classes)
    if os.path.exists(label_from) or label_from.lower().endswith((".csv", ".tsv", ".txt")):
        return labels.from_file(Path(label_from), keys.to_pylist())
    return labels.from_expression(label_from, keys.to_pylist())


def named_labels(columns: dict[str, pa.Array]) -> Labels | None:
    """Take the columns of numbers and their names out of `columns`, as labels, where each number has one name and each name one number."""
    if not {LABEL, LABEL_NAME} <= columns.keys() or not pa.types.is_integer(columns[LABEL].type):
        return None
    pairs = set(zip(columns[LABEL].to_pylist(), columns[LABEL_NAME].to_pylist(), strict=True))
    names = {number: name for number, name in pairs if isinstance(name, str) and number is not None and 0 <= number < MOST_CLASSES}
    if not names or len(names) != sum(name is not None for _, name in pairs) or len(set(names.values())) != len(names):
        return None
    del columns[LABEL_NAME]
    return Labels(columns.pop(LABEL), tuple(names.get(number, str(number)) for number in range(max(names) + 1)))


def folder_labels(keys: pa.Array, classes: pa.DictionaryArray, *, is_split: bool, report: SourceReport) -> Labels | None:
    """Return the names of class folders as labels; None, with a note, where some images lie in none."""
    if not classes.null_count:
        return labels.from_dictionary(classes)
    if classes.null_count < len(keys):
        without = keys.filter(classes.is_null())
        inner = pc.replace_substring_regex(without, "^[^/]*/", "") if is_split else without
        report.notes.append(f"no labels from folders, because some images lie in no class folder: {shown(inner)}")
    return None


SOURCE = ImageFolder
