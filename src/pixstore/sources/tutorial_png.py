"""The tutorial's files: `0.png`, `1.png` … with labels in CSV, one `N.csv` per image or one `COUNT.csv` with a row per image.

The CSV is delimited by spaces and quoted by `|`; each row is one label. A folder may hold the CSV files of several runs, since a
larger run writes over the images of a smaller one: `COUNT.csv` of as many images as there are, with as many rows, is the one that
counts; without it every image needs its own CSV.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from pixstore.errors import LabelMismatchError, NotAStoreError
from pixstore.schema import KEY, Field, Schema
from pixstore.source import Skipped, SourceOptions, SourceReport
from pixstore.sources import labels
from pixstore.sources.folder import LABEL, ImageFolder
from pixstore.sources.folders.listing import list_images
from pixstore.sources.foreign_file import is_regular
from pixstore.sources.labels import read_rows, shown

IMAGE = re.compile(r"(0|[1-9][0-9]{0,17})\.png\Z")
TABLE = re.compile(r"(0|[1-9][0-9]{0,17})\.csv\Z")


class TutorialPng(ImageFolder):
    """PNG files by number, labels in CSV files beside them; keys are the file names, rows in the order of the numbers."""

    name: ClassVar[str] = "PNG files with CSV labels (tutorial layout)"
    takes: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is a folder with both a numbered PNG and a numbered CSV."""
        has_image = has_table = False
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    # A folder of a million images may hold one table: what the suffix rules out is not looked at further.
                    has_image = has_image or IMAGE.match(entry.name) is not None
                    has_table = has_table or (entry.name.endswith(".csv") and TABLE.match(entry.name) is not None)
                    if has_image and has_table:
                        return True
        except OSError:
            return False
        return False

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> TutorialPng:
        """List the images and read their labels. Raises LabelMismatchError where they do not match one to one."""
        listing = list_images(path, options.progress)
        names = listing.names()
        numbers = sorted(int(found[1]) for name in names if (found := IMAGE.match(name)))
        if not numbers:
            raise NotAStoreError(f"{path}: no numbered PNG can be read here")
        report = SourceReport([Skipped(name, "not a numbered PNG") for name in names if not IMAGE.match(name)])
        report.skipped += [each for each in listing.skipped if not TABLE.match(each.path)]
        keys = [f"{number}.png" for number in numbers]
        found_labels = labels.from_texts(_label_texts(path, numbers, report), keys, str(path))
        table = pa.table({KEY: pa.array(keys, pa.string()), LABEL: found_labels.values})
        classes = {} if found_labels.classes is None else {LABEL: found_labels.classes}
        return cls(path, Schema((Field(),), pa.schema([table.schema.field(LABEL)]), classes), table, report)


def _label_texts(path: Path, numbers: Sequence[int], report: SourceReport) -> list[str]:
    """Return the label of each image as it is written."""
    count = len(numbers)
    tables = {int(found[1]) for name in os.listdir(path) if (found := TABLE.match(name)) and _is_own_file(path / name)}
    without = [number for number in numbers if number not in tables]
    rows = _read_table(path / f"{count}.csv") if count in tables and numbers[-1] == count - 1 else None
    if rows is not None and (len(rows) == count or without):
        if len(rows) != count:
            raise LabelMismatchError(f"{path / f'{count}.csv'}: {len(rows)} labels for {count} images; they should be as many")
        _note_others(tables - {count}, report)
        return rows
    if without:
        raise LabelMismatchError(
            f"{path}: {count} images, but no {count}.csv with a row for each, and no CSV of their own for"
            f" {shown([f'{number}.png' for number in without])}; CSV files here: {shown([f'{number}.csv' for number in sorted(tables)])}"
        )
    _note_others(tables - set(numbers), report)
    return [_only_label(path / f"{number}.csv") for number in numbers]


def _is_own_file(path: Path) -> bool:
    return is_regular(path) and not path.is_symlink()


def _only_label(path: Path) -> str:
    rows = _read_table(path)
    if len(rows) != 1:
        raise LabelMismatchError(f"{path}: {len(rows)} labels for one image; it should hold one")
    return rows[0]


def _read_table(path: Path) -> list[str]:
    rows = read_rows(path, delimiter=" ", quote="|")
    wide = [" ".join(row) for row in rows if len(row) != 1]
    if wide:
        raise LabelMismatchError(f"{path}: rows with more than a label: {shown(wide)}; correct them")
    return [row[0] for row in rows]


def _note_others(others: set[int], report: SourceReport) -> None:
    if others:
        report.notes.append(f"CSV files of other runs, not read: {shown([f'{number}.csv' for number in sorted(others)])}")


SOURCE = TutorialPng
