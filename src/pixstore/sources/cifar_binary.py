"""CIFAR-10 and CIFAR-100 in their binary version: each record is 1 (or 2) label bytes and 3,072 bytes of red, green and blue planes.

CIFAR-10: data_batch_1.bin … data_batch_5.bin, test_batch.bin, names in batches.meta.txt. CIFAR-100: train.bin, test.bin (coarse
label, then fine label), names in fine_label_names.txt and coarse_label_names.txt.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import LabelMismatchError, NotAStoreError, StoreTruncatedError
from pixstore.rows import Extents
from pixstore.schema import KEY, Field, Format, Schema
from pixstore.source import SourceOptions, SourceReport
from pixstore.sources.foreign_file import is_regular, read_whole, state_of
from pixstore.sources.labels import read_text
from pixstore.sources.located import LocatedSource

PLANAR = Format("raw-planar", (32, 32, 3), "uint8")
PIXEL_BYTES = 3072
MAX_FILE_BYTES = 512 << 20


@dataclass(frozen=True)
class Layout:
    """File → split in order; column and file of class names per label byte."""

    files: Mapping[str, str]
    columns: tuple[str, ...]
    names: Mapping[str, str]

    @property
    def record_bytes(self) -> int:
        return len(self.columns) + PIXEL_BYTES


CIFAR_10 = Layout(
    {**{f"data_batch_{number}.bin": "train" for number in range(1, 6)}, "test_batch.bin": "test"}, ("label",), {"label": "batches.meta.txt"}
)
CIFAR_100 = Layout(
    {"train.bin": "train", "test.bin": "test"},
    ("coarse_label", "label"),
    {"label": "fine_label_names.txt", "coarse_label": "coarse_label_names.txt"},
)


class CifarBinary(LocatedSource):
    """CIFAR binary batches, read in place."""

    name: ClassVar[str] = "CIFAR binary batches"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is a folder with binary batches, or one of them, of a size that is whole records."""
        if path.is_dir():
            return _layout(path) is not None
        return is_regular(path) and (layout := _layout_of(path.name)) is not None and _is_whole(path, layout)

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> CifarBinary:
        """Read the labels. Raises StoreTruncatedError for a file that does not hold whole records."""
        report = SourceReport()
        folder = path if path.is_dir() else path.parent
        layout = _layout(path) if path.is_dir() else _layout_of(path.name)
        if layout is None:
            raise NotAStoreError(f"{path}: no CIFAR binary batches here; it was changed meanwhile")
        names = [name for name in layout.files if is_regular(folder / name)] if path.is_dir() else [path.name]
        absent = [name for name in layout.files if name not in names]
        if absent:
            report.notes.append(f"batches that are not here: {', '.join(absent)}")
        return _open(folder, layout, names, report)


def _layout_of(name: str) -> Layout | None:
    return next((layout for layout in (CIFAR_10, CIFAR_100) if name in layout.files), None)


def _layout(folder: Path) -> Layout | None:
    if any(is_regular(folder / name) for name in CIFAR_10.files):
        return CIFAR_10
    # train.bin and test.bin are names that others use too: the size decides.
    if any(is_regular(folder / name) and _is_whole(folder / name, CIFAR_100) for name in CIFAR_100.files):
        return CIFAR_100
    return None


def _is_whole(path: Path, layout: Layout) -> bool:
    size = os.path.getsize(path)
    return size > 0 and size % layout.record_bytes == 0


def _open(folder: Path, layout: Layout, names: list[str], report: SourceReport) -> CifarBinary:
    states = {str(folder / name): state_of(folder / name) for name in names}
    labels = [_label_bytes(folder / name, layout) for name in names]
    counts = [len(each) for each in labels]
    together = np.concatenate(labels).astype(np.int64)
    columns = {column: pa.array(together[:, index]) for index, column in enumerate(layout.columns)}
    columns["split"] = pa.array([layout.files[name] for name, count in zip(names, counts, strict=True) for _ in range(count)], pa.string())
    classes = _classes(folder, layout, together, report)
    starts = [len(layout.columns) + layout.record_bytes * np.arange(count, dtype=np.int64) for count in counts]
    place = Extents(
        [str(folder / name) for name in names],
        np.repeat(np.arange(len(names), dtype=np.uint32), counts),
        np.concatenate(starts),
        np.full(len(together), PIXEL_BYTES, np.int64),
    )
    table = pa.table({KEY: pa.array([f"{row:08}" for row in range(len(together))], pa.string()), **columns})
    schema = Schema((Field(shape=PLANAR.shape, dtype=PLANAR.dtype),), pa.schema([table.schema.field(name) for name in columns]), classes)
    return CifarBinary(schema, table, report, place=place, formats=(PLANAR,), origin=str(folder), states=states)


def _label_bytes(path: Path, layout: Layout) -> NDArray[np.uint8]:
    """Return (N, number of labels) uint8."""
    content = np.frombuffer(read_whole(path, max_bytes=MAX_FILE_BYTES), np.uint8)
    if len(content) % layout.record_bytes:
        raise StoreTruncatedError(f"{path}: {len(content)} bytes are not whole records of {layout.record_bytes}; get the file again")
    return content.reshape(-1, layout.record_bytes)[:, : len(layout.columns)].copy()


def _classes(folder: Path, layout: Layout, labels: NDArray[np.int64], report: SourceReport) -> dict[str, tuple[str, ...]]:
    classes: dict[str, tuple[str, ...]] = {}
    for column, file in layout.names.items():
        if not is_regular(folder / file):
            report.notes.append(f"no {file}, so the classes of {column!r} have numbers only")
            continue
        names = tuple(line.strip() for line in read_text(folder / file).splitlines() if line.strip())
        beyond = int(np.count_nonzero(labels[:, layout.columns.index(column)] >= len(names)))
        if beyond:
            raise LabelMismatchError(f"{folder}: {beyond} labels in {column!r} are beyond the {len(names)} class names in {file}")
        classes[column] = names
    return classes


SOURCE = CifarBinary
