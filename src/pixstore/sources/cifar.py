"""CIFAR-10 and CIFAR-100 as their python batches: a folder, one batch, or the archive as published (.tar.gz, .tar.xz, .tar).

A batch is a pickled dict; `data` is (N, 3072) uint8, a row being the red, green and blue planes of a 32 × 32 image. From a folder
the images are read in place, at their offset within the pickle; from an archive they lie in memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError, DuplicateKeyError, LabelMismatchError, NotAStoreError
from pixstore.rows import Extents, Slices
from pixstore.schema import KEY, Field, Format, Schema
from pixstore.source import SourceOptions, SourceReport
from pixstore.sources.archive import first_names, has_tar_magic, read_members
from pixstore.sources.foreign_file import is_regular, read_head, read_whole
from pixstore.sources.located import LocatedSource
from pixstore.sources.pickle_data import PickledArray, read_pickle

PLANAR = Format("raw-planar", (32, 32, 3), "uint8")
RECORD_BYTES = 3072
MAX_BATCH_BYTES = 256 << 20


@dataclass(frozen=True)
class Layout:
    """The files of one of the two sets, in their order, with the split each belongs to."""

    batches: Mapping[str, str]
    meta: str
    columns: Mapping[str, str]
    names: Mapping[str, str]


CIFAR_10 = Layout(
    batches={**{f"data_batch_{number}": "train" for number in range(1, 6)}, "test_batch": "test"},
    meta="batches.meta",
    columns={"labels": "label"},
    names={"label_names": "label"},
)
CIFAR_100 = Layout(
    batches={"train": "train", "test": "test"},
    meta="meta",
    columns={"fine_labels": "label", "coarse_labels": "coarse_label"},
    names={"fine_label_names": "label", "coarse_label_names": "coarse_label"},
)
FOLDER_NAME = re.compile(r"(^|/)cifar-(10-batches-py|100-python)(/|$)")


@dataclass
class Batch:
    """One batch: where its images begin, or the images themselves where they are not contiguous, and its columns."""

    name: str
    images: PickledArray
    columns: dict[str, list[int]]
    filenames: list[str] | None

    def __len__(self) -> int:
        return int(self.images.array.shape[0])


@dataclass
class Content:
    """The bytes of a set's files: batches in their order, and the meta file."""

    layout: Layout
    batches: dict[str, bytes] = field(default_factory=dict)
    meta: bytes | None = None


class CifarPython(LocatedSource):
    """CIFAR-10 or CIFAR-100 python batches, read through a reader of pickles that runs nothing."""

    name: ClassVar[str] = "CIFAR python batches"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is a folder with batches, one batch, or an archive that begins with some."""
        if path.is_dir():
            return _folder_layout(path) is not None
        if not is_regular(path):
            return False
        head = read_head(path, 512)
        if path.name in CIFAR_10.batches or path.name in CIFAR_100.batches:
            return _is_pickle(head)
        return has_tar_magic(head) and any(FOLDER_NAME.search(name) or _base(name) in CIFAR_10.batches for name in first_names(path))

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> CifarPython:
        """Read every batch's labels. Raises a PixstoreError naming the batch that is damaged, truncated or hostile."""
        report = SourceReport()
        if options.label_from is not None:
            report.notes.append("label_from has no meaning here; the labels of the batches are used")
        if path.is_dir():
            return _open_folder(path, report)
        if has_tar_magic(read_head(path, 512)):
            return _open_archive(path, report)
        layout = CIFAR_10 if path.name in CIFAR_10.batches else CIFAR_100
        return _open_files(path.parent, layout, [path.name], report)


def _is_pickle(head: bytes) -> bool:
    return head[:1] == b"\x80" or head[:3] in (b"(dp", b"(d\n", b"}q\x01", b"}q\x00")


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _folder_layout(path: Path) -> Layout | None:
    if any(_is_pickle(read_head(path / name, 16)) for name in CIFAR_10.batches):
        return CIFAR_10
    if any(_is_pickle(read_head(path / name, 16)) for name in CIFAR_100.batches) and is_regular(path / CIFAR_100.meta):
        return CIFAR_100
    return None


def _open_folder(path: Path, report: SourceReport) -> CifarPython:
    layout = _folder_layout(path)
    if layout is None:
        raise NotAStoreError(f"{path}: no CIFAR batches here any more; it was changed meanwhile")
    present = [name for name in layout.batches if is_regular(path / name)]
    return _open_files(path, layout, present, report)


def _open_files(folder: Path, layout: Layout, present: Sequence[str], report: SourceReport) -> CifarPython:
    batches = []
    for name in present:
        # One batch in memory at a time: only labels and the place of the images are kept.
        batch = _parse(read_whole(folder / name, max_bytes=MAX_BATCH_BYTES), folder / name, layout)
        batches.append(_without_pixels(batch))
    meta = read_whole(folder / layout.meta, max_bytes=1 << 20) if is_regular(folder / layout.meta) else None
    offsets = [batch.images.offset for batch in batches]
    place: Extents | Slices
    if None in offsets:
        whole = [_parse(read_whole(folder / name, max_bytes=MAX_BATCH_BYTES), folder / name, layout) for name in present]
        place = _in_memory(whole)
    else:
        place = _in_files(folder, batches)
    return _source(folder, layout, batches, meta, place, report)


def _open_archive(path: Path, report: SourceReport) -> CifarPython:
    names = {*CIFAR_10.batches, *CIFAR_100.batches, CIFAR_10.meta, CIFAR_100.meta}
    found: dict[str, bytes] = {}
    for member, data in read_members(path, lambda name: _base(name) in names, max_member_bytes=MAX_BATCH_BYTES):
        if _base(member) in found:
            raise DuplicateKeyError(f"{path}: holds {_base(member)!r} twice; which one is meant cannot be known")
        found[_base(member)] = data
    layout = CIFAR_10 if found.keys() & CIFAR_10.batches.keys() else CIFAR_100
    batches = [_parse(found[name], path / name, layout) for name in layout.batches if name in found]
    if not batches:
        raise NotAStoreError(f"{path}: an archive without CIFAR batches ({', '.join(layout.batches)})")
    return _source(path, layout, batches, found.get(layout.meta), _in_memory(batches), report)
