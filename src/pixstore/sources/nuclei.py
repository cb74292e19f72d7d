"""One folder for each image, with all its masks: `ID/images/ID.png` beside `ID/masks/*.png`, as in the Data Science Bowl of 2018 (nuclei).

Each mask is of one thing on the image, so a sample has a stack of them, N·H·W. An empty folder `masks` is an image without things; where
there is no such folder, nobody has looked.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from pixstore.errors import LabelMismatchError, NotAStoreError, RecordError
from pixstore.rows import WHOLE_FILE, Buffer, Extents, Indices, Records
from pixstore.samples import IMAGE
from pixstore.schema import KEY, Field, Format, Schema
from pixstore.source import Skipped, SourceOptions, SourceReport
from pixstore.sources.folders.image_names import is_hidden_folder, is_image_name, key_of, why_left_out
from pixstore.sources.folders.mask_stacks import UNKNOWN, one_error, read_stack
from pixstore.sources.labels import shown
from pixstore.sources.located import LocatedSource, checked_rows

MASKS = "masks"
IMAGES_FOLDER, MASKS_FOLDER = "images", "masks"
LOOKED_AT = 64
"""Folders that are looked at to recognise the layout."""


class Nuclei(LocatedSource):
    """Images where they lie, in field `image`; the masks of each, read as one array N·H·W, in field `masks`."""

    name: ClassVar[str] = "folders of an image and its masks"
    takes: ClassVar[frozenset[str]] = frozenset({"unmatched"})

    def __init__(self, root: Path, samples: Sequence[_Sample], report: SourceReport) -> None:
        count = len(samples)
        place = Extents(
            [os.path.join(root, each.folder, IMAGES_FOLDER, each.images[0]) for each in samples],
            np.arange(count, dtype=np.uint32),
            np.zeros(count, np.int64),
            np.full(count, WHOLE_FILE, np.int64),
        )
        table = pa.table({KEY: pa.array([each.key for each in samples], pa.string())})
        schema = Schema((Field(IMAGE), Field(MASKS, is_stack=True)))
        super().__init__(schema, table, report, place=place, formats=(UNKNOWN,), origin=str(root))
        self._images = place.paths
        self._root = root
        self._samples = samples

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether one of the first folders here has a folder `masks` and no more than one image in `images`; a split has many."""
        try:
            return any(os.path.isdir(each / MASKS_FOLDER) and _has_one_image_at_most(each / IMAGES_FOLDER) for each in _first_folders(path))
        except OSError:
            return False

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> Nuclei:
        """List images and masks; none is opened.

        Raises LabelMismatchError naming folders with no image or several, or without a folder of masks, unless these are to be skipped.
        """
        report = SourceReport()
        found = [_listed(path, name, report) for name in _folders(path, report)]
        wrong = [(each.folder, reason) for each in found if (reason := each.why_unfit)]
        if wrong and options.unmatched != "skip":
            reasons = "; ".join(
                f"{each}: {shown([folder for folder, reason in wrong if reason == each])}" for each in sorted({each for _, each in wrong})
            )
            raise LabelMismatchError(f"{path}: {reasons}; mend these folders, or leave them out with unmatched='skip' (--unmatched skip)")
        report.skipped += [Skipped(folder, reason) for folder, reason in wrong]
        samples = [each for each in found if each.why_unfit is None]
        if not samples:
            raise NotAStoreError(f"{path}: no folder here has one image and its masks; {len(report.skipped)} entries were left out")
        return cls(path, samples, report)

    def locate(self, field: str, rows: Indices) -> Records | None:
        """Return where images lie; None for masks, which are many files for each sample."""
        if field != MASKS:
            return super().locate(field, rows)
        checked_rows(self, field, rows)
        return None

    def read(self, field: str, rows: Indices) -> Records:
        if field != MASKS:
            return super().read(field, rows)
        rows = checked_rows(self, field, rows)
        stacks: list[Buffer] = []
        formats: dict[Format, int] = {}
        number: list[int] = []
        failures: list[RecordError] = []
        for row in rows.tolist():
            try:
                stack, found = read_stack(self._images[row], self._masks(row), row, self._samples[row].key)
            except RecordError as error:
                failures.append(error)
                continue
            stacks.append(stack)
            number.append(formats.setdefault(found, len(formats)))
        if failures:
            raise one_error(failures, len(rows))

        def name(record: int) -> tuple[int, str, str]:
            sample = self._samples[int(rows[record])]
            return int(rows[record]), sample.key, os.path.join(self._root, sample.folder, MASKS_FOLDER)

        return Records(stacks, list(formats), np.array(number, np.int32), name)

    def _masks(self, row: int) -> list[str]:
        sample = self._samples[row]
        return [os.path.join(self._root, sample.folder, MASKS_FOLDER, name) for name in sample.masks]


@dataclass(frozen=True)
class _Sample:
    """One folder: the names of what lies in its `images` and `masks`, in order; None where there is no such folder."""

    folder: str
    images: list[str] = field(default_factory=list)
    masks: list[str] = field(default_factory=list)
    has_masks: bool = True

    @property
    def key(self) -> str:
        return key_of(self.folder)

    @property
    def why_unfit(self) -> str | None:
        if len(self.images) != 1:
            return "no image in images/" if not self.images else "several images in images/, where one is expected"
        return None if self.has_masks else "no folder masks/"


def _first_folders(path: Path) -> list[Path]:
    with os.scandir(path) as entries:
        folders = (Path(entry.path) for entry in entries if not is_hidden_folder(entry.name) and entry.is_dir(follow_symlinks=False))
        return [folder for folder, _ in zip(folders, range(LOOKED_AT), strict=False)]


def _has_one_image_at_most(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        return len(list(islice((entry for entry in entries if is_image_name(entry.name)), 2))) < 2


def _folders(path: Path, report: SourceReport) -> list[str]:
    """Return the names of the folders here, in order; everything else is noted as left out."""
    found = []
    with os.scandir(path) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if entry.is_dir(follow_symlinks=False) and not is_hidden_folder(entry.name):
                found.append(entry.name)
            else:
                reason = "a link; links are not followed" if entry.is_symlink() else "lies beside the folders of images"
                report.skipped.append(Skipped(key_of(entry.name), reason))
    return found


def _listed(root: Path, folder: str, report: SourceReport) -> _Sample:
    """Return what a folder holds; what is no image is noted as left out."""
    images, masks = (_images_in(root, f"{folder}/{each}", report) for each in (IMAGES_FOLDER, MASKS_FOLDER))
    return _Sample(folder, images or [], masks or [], masks is not None)


def _images_in(root: Path, folder: str, report: SourceReport) -> list[str] | None:
    """Return the names of the images in a folder, in order; None where there is no such folder."""
    place = root / folder
    if place.is_symlink() or not place.is_dir():
        return None
    found = []
    with os.scandir(place) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if is_image_name(entry.name) and entry.is_file(follow_symlinks=False):
                found.append(entry.name)
            else:
                reason = "a link; links are not followed" if entry.is_symlink() else why_left_out(entry.name)
                report.skipped.append(Skipped(key_of(f"{folder}/{entry.name}"), reason))
    return found


SOURCE = Nuclei
