"""Any LMDB whose values are encoded images: the keys are text, the images are what they say of themselves."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError, LabelMismatchError, NotAStoreError
from pixstore.source import Skipped, SourceOptions
from pixstore.sources.labels import shown
from pixstore.sources.lmdb.environment import Database, Found, LmdbSource, text_of
from pixstore.sources.lookalike import is_image

COUNT_KEYS = frozenset((b"num-samples", b"num_samples", b"nSamples", b"__len__", b"length", b"len", b"count"))
SAMPLED_ROWS = 1024
FEWEST_OTHERS, PART_OF_OTHERS = 2, 0.4
"""So many values, and so large a part, that are no images are no damage but another layout: labels under keys of their own."""
META_FILES = ("meta_info.pkl", "meta_info.txt")


class LmdbImages(LmdbSource):
    """An LMDB of encoded images under keys of any kind. Asked after the layouts with marks of their own."""

    name: ClassVar[str] = "LMDB of encoded images"

    @classmethod
    def fits(cls, sample: Database) -> bool:
        return any(is_image(sample.head(row)) for row in range(min(len(sample), 1 + len(COUNT_KEYS))) if not _is_count(sample, row))

    @classmethod
    def rows(cls, database: Database, options: SourceOptions) -> Found:
        counts = [row for row in range(len(database)) if _is_count(database, row)]
        rows = np.setdiff1d(np.arange(len(database)), counts)
        if not len(rows):
            raise NotAStoreError(f"{database.file}: an LMDB without images; its keys: {shown(database.keys())}")
        _refuse_others(database, rows)
        found = Found(database.keys(rows), database.entries.offset[rows], database.entries.length[rows])
        for row in counts:
            found.report.skipped.append(Skipped(database.origin(row), check_count(database, row, len(rows))))
        beside = [name for name in META_FILES if database.beside(name)]
        found.report.notes += [f"{name} lies beside {database.file.name} and was not read" for name in beside]
        return found


def _refuse_others(database: Database, rows: NDArray[np.int64]) -> None:
    """Raise LabelMismatchError where about every second value is no image: each would be lost, with what it says of its image."""
    sampled = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), SAMPLED_ROWS)).astype(np.int64))].tolist()
    others = [row for row in sampled if not is_image(database.head(row))]
    if len(others) >= max(FEWEST_OTHERS, PART_OF_OTHERS * len(sampled)):
        raise LabelMismatchError(
            f"{database.file}: {len(others)} of {len(sampled)} values looked at are no images: {shown(database.keys(others))}; if they are"
            " labels, write the pairs as image_N and label_N, which are read together"
        )


def _is_count(database: Database, row: int) -> bool:
    return database.entries.keys[row] in COUNT_KEYS and not is_image(database.head(row))


def check_count(database: Database, row: int, count: int) -> str:
    """Return why an entry that states the number of images is no row of its own.

    Raises LabelMismatchError where it states another number, CorruptStoreError where it states none.
    """
    value = database.small(row)
    if not value.isdigit() or len(value) > 18:
        raise CorruptStoreError(f"{database.origin(row)}: should be the number of images, is {text_of(value[:40])!r}; correct it")
    if int(value) != count:
        raise LabelMismatchError(f"{database.origin(row)}: states {int(value)} images, there are {count}; get the file again or correct it")
    return f"the number of images, {count}"


SOURCE = LmdbImages
