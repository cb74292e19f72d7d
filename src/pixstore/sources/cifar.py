"""CIFAR-10 and CIFAR-100 as their python batches: a folder, one batch, or the archive as published (.tar.gz, .tar.xz, .tar).

A batch is a pickled dict; `data` is (N, 3072) uint8, a row being the red, green and blue planes of a 32 × 32 image. From a folder
the images are read in place, at their offset within the pickle; from an archive they lie in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError, DuplicateKeyError, LabelMismatchError, NotAStoreError
from pixstore.rows import Extents, Slices
from pixstore.schema import KEY, Field, Format, Schema
from pixstore.source import SourceOptions, SourceReport
from pixstore.sources.archives.archive import first_names, has_tar_magic, read_members
from pixstore.sources.foreign_file import FileState, is_regular, read_head, read_whole, state_of
from pixstore.sources.located import LocatedSource
from pixstore.sources.pickles.data import read_pickle
from pixstore.sources.pickles.patterns import PickledArray

PLANAR = Format("raw-planar", (32, 32, 3), "uint8")
RECORD_BYTES = 3072
MAX_BATCH_BYTES = 256 << 20
MAX_META_BYTES = 1 << 20
MAX_CLASSES = 1 << 31


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
EXPECTED = frozenset({*CIFAR_10.batches, *CIFAR_100.batches, CIFAR_10.meta, CIFAR_100.meta})


@dataclass(frozen=True)
class Batch:
    """What a batch says about its images, and where their bytes begin in its file (None where they are not in one piece)."""

    name: str
    count: int
    offset: int | None
    columns: Mapping[str, list[int]]
    filenames: list[str] | None


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
        if path.is_dir():
            return _open_folder(path, report)
        if has_tar_magic(read_head(path, 512)):
            return _open_archive(path, report)
        return _open_files(path.parent, _layout_of(path.name), [path.name], report)


def _is_pickle(head: bytes) -> bool:
    return head[:1] == b"\x80" or head[:2] in (b"(d", b"}q")


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _layout_of(batch: str) -> Layout:
    return CIFAR_10 if batch in CIFAR_10.batches else CIFAR_100


def _folder_layout(path: Path) -> Layout | None:
    if any(_is_pickle(read_head(path / name, 16)) for name in CIFAR_10.batches):
        return CIFAR_10
    if any(_is_pickle(read_head(path / name, 16)) for name in CIFAR_100.batches) and is_regular(path / CIFAR_100.meta):
        return CIFAR_100
    return None


def _open_folder(path: Path, report: SourceReport) -> CifarPython:
    layout = _folder_layout(path)
    if layout is None:
        raise NotAStoreError(f"{path}: no CIFAR batches here; it was changed meanwhile")
    return _open_files(path, layout, [name for name in layout.batches if is_regular(path / name)], report)


def _open_files(folder: Path, layout: Layout, names: Sequence[str], report: SourceReport) -> CifarPython:
    states = {str(folder / name): state_of(folder / name) for name in names}
    # One batch in memory at a time: only its labels and the place of its images are kept.
    batches = [_parse(name, _batch_bytes(folder / name), folder / name)[0] for name in names]
    place: Extents | Slices
    if all(batch.offset is not None for batch in batches):
        place = _in_files(folder, batches)
    else:
        place = _in_memory(((name, _batch_bytes(folder / name)) for name in names), folder)[1]
    meta = read_whole(folder / layout.meta, max_bytes=MAX_META_BYTES) if is_regular(folder / layout.meta) else None
    return _source(folder, layout, batches, meta, place, report, states)


def _batch_bytes(path: Path) -> bytes:
    return read_whole(path, max_bytes=MAX_BATCH_BYTES)


def _open_archive(path: Path, report: SourceReport) -> CifarPython:
    meta: dict[str, bytes] = {}

    def batches_of() -> Iterable[tuple[str, bytes]]:
        for member, data in read_members(path, lambda name: _base(name) in EXPECTED, max_member_bytes=MAX_BATCH_BYTES):
            if _base(member) in (CIFAR_10.meta, CIFAR_100.meta):
                meta[_base(member)] = data
            else:
                yield _base(member), data

    batches, place = _in_memory(batches_of(), path)
    if not batches:
        raise NotAStoreError(f"{path}: an archive without CIFAR batches ({', '.join(CIFAR_10.batches)})")
    layout = _layout_of(batches[0].name)
    return _source(path, layout, batches, meta.get(layout.meta), place, report, {})


def _parse(name: str, data: bytes, path: Path) -> tuple[Batch, NDArray[np.uint8]]:
    content = read_pickle(data, origin=str(path))
    if not isinstance(content, dict):
        raise CorruptStoreError(f"{path}: the batch is a {type(content).__name__}, a dict is expected")
    entries = {text(key): value for key, value in content.items()}
    images = entries.get("data")
    if not isinstance(images, PickledArray):
        raise CorruptStoreError(f"{path}: the batch has no array 'data'; it has {', '.join(sorted(entries))[:200]}")
    pixels = images.array
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != RECORD_BYTES:
        raise CorruptStoreError(f"{path}: 'data' is {pixels.shape} {pixels.dtype}, (N, {RECORD_BYTES}) uint8 is expected")
    layout, count = _layout_of(name), len(pixels)
    columns = {column: _labels(entries.get(entry), entry, count, path) for entry, column in layout.columns.items()}
    filenames = _filenames(entries.get("filenames"), count, path)
    return Batch(name, count, images.offset, columns, filenames), pixels


def text(value: object) -> str:
    """Return text as it is and Python 2's byte strings as UTF-8, with escapes for what is not."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _labels(value: object, entry: str, count: int, path: Path) -> list[int]:
    labels = value.array.tolist() if isinstance(value, PickledArray) else value
    if not isinstance(labels, list) or len(labels) != count:
        found = f"{len(labels)} labels" if isinstance(labels, list) else "no list of labels"
        raise LabelMismatchError(f"{path}: {entry!r} has {found} for {count} images; get the file again")
    wrong = [index for index, label in enumerate(labels) if type(label) is not int or not 0 <= label < MAX_CLASSES]
    if wrong:
        raise LabelMismatchError(f"{path}: {entry!r} holds {len(wrong)} values that are no label, the first for image {wrong[0]}")
    return labels


def _filenames(value: object, count: int, path: Path) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != count or not all(isinstance(each, str | bytes) for each in value):
        raise LabelMismatchError(f"{path}: 'filenames' does not name the {count} images one to one; get the file again")
    return [text(each) for each in value]


def _in_files(folder: Path, batches: Sequence[Batch]) -> Extents:
    return Extents(
        [str(folder / batch.name) for batch in batches],
        np.repeat(np.arange(len(batches), dtype=np.uint32), [batch.count for batch in batches]),
        np.concatenate([(batch.offset or 0) + RECORD_BYTES * np.arange(batch.count, dtype=np.int64) for batch in batches]),
        np.full(sum(batch.count for batch in batches), RECORD_BYTES, np.int64),
    )


def _in_memory(members: Iterable[tuple[str, bytes]], path: Path) -> tuple[list[Batch], Slices]:
    """Return the batches in the published order and their images in one buffer, which has them in the order they came."""
    pixels = bytearray()
    found: dict[str, tuple[Batch, int]] = {}
    for name, data in members:
        if name in found:
            raise DuplicateKeyError(f"{path}: holds {name!r} twice; which one is meant cannot be known")
        batch, images = _parse(name, data, path / name)
        found[name] = batch, len(pixels)
        pixels += np.ascontiguousarray(images).data
    names = [name for layout in (CIFAR_10, CIFAR_100) for name in layout.batches if name in found]
    if len({_layout_of(name).meta for name in names}) > 1:
        raise CorruptStoreError(f"{path}: holds batches of CIFAR-10 and of CIFAR-100; keep one of them")
    starts = [found[name][1] + RECORD_BYTES * np.arange(found[name][0].count, dtype=np.int64) for name in names]
    offset = np.concatenate([*starts, np.zeros(0, np.int64)])
    return [found[name][0] for name in names], Slices(pixels, offset, np.full(len(offset), RECORD_BYTES, np.int64))


def _source(
    path: Path,
    layout: Layout,
    batches: Sequence[Batch],
    meta: bytes | None,
    place: Extents | Slices,
    report: SourceReport,
    states: Mapping[str, FileState],
) -> CifarPython:
    absent = [name for name in layout.batches if name not in [batch.name for batch in batches]]
    if absent:
        report.notes.append(f"batches that are not here: {', '.join(absent)}")
    columns = {
        column: pa.array(np.concatenate([np.asarray(batch.columns[column], np.int64) for batch in batches]))
        for column in layout.columns.values()
    }
    columns["split"] = pa.array([layout.batches[batch.name] for batch in batches for _ in range(batch.count)], pa.string())
    filenames = [name for batch in batches for name in batch.filenames or ()]
    count = sum(batch.count for batch in batches)
    if count and len(filenames) == count:
        columns["filename"] = pa.array(filenames, pa.string())
    classes = _classes(layout, meta, path, columns, report)
    table = pa.table({KEY: pa.array([f"{row:08}" for row in range(count)], pa.string()), **columns})
    schema = Schema((Field(shape=PLANAR.shape, dtype=PLANAR.dtype),), pa.schema([table.schema.field(name) for name in columns]), classes)
    return CifarPython(schema, table, report, place=place, formats=(PLANAR,), origin=str(path), states=states)


def _classes(
    layout: Layout, meta: bytes | None, path: Path, columns: Mapping[str, pa.Array], report: SourceReport
) -> dict[str, tuple[str, ...]]:
    if meta is None:
        report.notes.append(f"no {layout.meta}, so classes have numbers only")
        return {}
    content = read_pickle(meta, origin=str(path / layout.meta))
    if not isinstance(content, dict):
        raise CorruptStoreError(f"{path / layout.meta}: holds a {type(content).__name__}, a dict of class names is expected")
    entries = {text(key): value for key, value in content.items()}
    classes: dict[str, tuple[str, ...]] = {}
    for entry, column in layout.names.items():
        names = entries.get(entry)
        if not isinstance(names, list) or not all(isinstance(each, str | bytes) for each in names):
            raise CorruptStoreError(f"{path / layout.meta}: has no list {entry!r}; get the file again")
        classes[column] = tuple(text(each) for each in names)
        beyond = int(np.count_nonzero(columns[column].to_numpy() >= len(names)))
        if beyond:
            raise LabelMismatchError(f"{path}: {beyond} labels in {column!r} are beyond the {len(names)} class names in {layout.meta}")
    return classes


SOURCE = CifarPython
