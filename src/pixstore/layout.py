"""The contract for layouts: how a dataset leaves pixstore, in the form that other people's readers open."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore import codec
from pixstore.dataset import Dataset
from pixstore.errors import InvalidInputError
from pixstore.rows import Indices
from pixstore.samples import IMAGE
from pixstore.schema import KEY, Format

Progress = Callable[[int, int, int], None]
READ_BYTES = 32 << 20
FIRST_ROWS = 16
MOST_ROWS = 4096


@dataclass(frozen=True)
class Loss:
    """What a layout cannot hold of a dataset: the name by which it is accepted, and what becomes of it in words."""

    name: str
    words: str


@dataclass(frozen=True)
class Encoded:
    """Samples as they are stored: key and columns, and per record its bytes (None where a sample has none) and its format."""

    rows: Indices
    table: pa.Table
    records: Sequence[bytes | None]
    formats: Sequence[Format]

    @property
    def keys(self) -> list[str]:
        return [str(key) for key in self.table[KEY].to_pylist()]


@dataclass(frozen=True)
class Export:
    """What is to be written: a dataset, at a place that is not there yet and that is renamed when all is written."""

    dataset: Dataset
    place: Path
    shard_bytes: int = 1 << 28
    threads: int | None = None
    progress: Progress | None = None

    def encoded(self, field: str = IMAGE) -> Iterator[Encoded]:
        """Yield all samples in order, some megabytes at a time, with the stored bytes of one field, checked and untouched."""
        for rows in self._parts(field):
            yield Encoded(rows, self.dataset.table.take(pa.array(rows)), *self._records(field, rows))

    def pixels(self, field: str = IMAGE) -> Iterator[tuple[Indices, NDArray[Any] | list[NDArray[Any]]]]:
        """Yield row numbers and decoded images of all samples in order, some megabytes at a time: N·H·W·C, or a list where they differ."""
        for rows in self._parts(field):
            yield rows, self.dataset.read(rows, fields=[field], columns=[], threads=self.threads)[field]

    def _records(self, field: str, rows: Indices) -> tuple[list[bytes | None], list[Format]]:
        absent = self.dataset.absent(field, rows)
        records: list[bytes | None] = [None] * len(rows)
        formats = [Format(None, None, None)] * len(rows)
        present = np.setdiff1d(np.arange(len(rows)), absent)
        if len(present):
            stored = self.dataset.encoded_many(rows[present], field=field, threads=self.threads)
            described = self.dataset.formats(rows[present], field=field)
            for place, record, form in zip(present.tolist(), stored, described, strict=True):
                records[place], formats[place] = record, form
        return records, formats

    def _parts(self, field: str) -> Iterator[Indices]:
        """Yield row numbers in order, as many at a time as have some megabytes of pixels; a single larger image comes alone."""
        start, total, written, count = 0, len(self.dataset), 0, FIRST_ROWS
        while start < total:
            rows = np.arange(start, min(start + count, total))
            sizes = np.cumsum(self._sizes(field, rows))
            kept = max(1, int(np.searchsorted(sizes, READ_BYTES, side="right")))
            yield rows[:kept]
            count = min(MOST_ROWS, count * 2) if kept >= len(rows) else kept
            kept = min(kept, len(rows))
            start, written = start + kept, written + int(sizes[kept - 1])
            if self.progress is not None:
                self.progress(start, total, written)

    def _sizes(self, field: str, rows: Indices) -> NDArray[np.int64]:
        """Return the bytes of each sample's pixels, 0 where it has none."""
        sizes = np.zeros(len(rows), np.int64)
        present = np.delete(np.arange(len(rows)), self.dataset.absent(field, rows))
        if len(present):
            known = self.dataset.formats(rows[present], field=field)
            sizes[present] = [each.decoded_bytes if each.is_known else 0 for each in known]
        return sizes


class Layout(ABC):
    """One foreign layout, without state; a module under layouts/ ends in `LAYOUT = MyLayout()` and stands in layouts/catalog.py."""

    name: ClassVar[str]
    """As in `--to`."""
    words: ClassVar[str]
    """What it is and who opens it, in one line for `--help`."""
    is_file: ClassVar[bool] = False
    """Whether it is one file; else a folder."""

    @abstractmethod
    def losses(self, dataset: Dataset) -> list[Loss]:
        """Return what would not survive, what weighs most first. Raises InvalidInputError for what cannot be written like this at all."""

    def notes(self, dataset: Dataset) -> list[str]:
        """Return what is not lost but what readers, or who opens the result again, should know of it."""
        return []

    @abstractmethod
    def write(self, export: Export) -> None:
        """Write everything at `export.place`, which does not exist yet. What the user did not accept to lose does not occur."""

    def reopened(self, dataset: Dataset, place: Path) -> Path:
        """Return where within `place` the images of this dataset, once written, are opened again."""
        return place


def encode_png(images: Sequence[NDArray[Any]], threads: int | None = None) -> list[bytes]:
    """Return these images as PNG files. Raises InvalidInputError for what PNG does not hold."""
    return [bytes(view or b"") for view in codec.encode(list(images), "png", threads=threads).slices.views()]


def require_image_field(dataset: Dataset, layout: str) -> None:
    """Raise InvalidInputError where a dataset has no field `image`, which the layout is made of."""
    if IMAGE not in dataset.schema.field_names:
        raise InvalidInputError(
            f"{layout} holds one image per sample, and there is no field {IMAGE!r}; fields here: {', '.join(dataset.schema.field_names)}"
        )
