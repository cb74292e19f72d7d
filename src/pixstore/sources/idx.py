"""MNIST's IDX files: images (N·H·W, or N·H·W·C) and labels (N), plain or gzip-compressed, one pair or a folder of train and test.

A file is two zero bytes, the type of a number, how many dimensions, each as 32 bits, then the numbers, all big-endian (yann.lecun.com,
"The MNIST database", FILE FORMATS). Plain files are read in place, compressed ones are unpacked into memory.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError, LabelMismatchError, LimitExceededError, NotAStoreError, StoreTruncatedError
from pixstore.rows import Extents, Indices, Slices
from pixstore.schema import KEY, Field, Format, Schema
from pixstore.source import SourceOptions, SourceReport
from pixstore.sources.archives.archive import first_bytes, read_unpacked
from pixstore.sources.folders.listing import has_image
from pixstore.sources.foreign_file import MAX_READ_BYTES, FileState, is_regular, read_head, read_range, refuse_changed, state_of
from pixstore.sources.located import LocatedSource

TYPES = {0x08: "|u1", 0x09: "|i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP = b"\x1f\x8b"
HEADER_BYTES = 4 + 4 * 4
MAX_UNPACKED_BYTES = 1 << 30
IMAGES_NAME = re.compile(
    r"(?P<set>.*)(images|image)(?P<mark>[-._]?)(idx[34])?(?P<rest>[-._]?(?:ubyte)?(?:\.idx|\.bin)?)(?:\.gz)?\Z", re.IGNORECASE
)
SPLITS = {"train": "train", "t10k": "test", "test": "test", "valid": "val", "val": "val"}


@dataclass(frozen=True)
class Array:
    """An IDX file whose header was checked against its size: what its numbers are, and where they begin."""

    path: Path
    state: FileState
    dtype: str
    shape: tuple[int, ...]
    start: int
    data: bytes | None
    """All of the file, where it was compressed."""


@dataclass(frozen=True)
class Pair:
    """Images and, where there are some, their labels."""

    images: Array
    labels: NDArray[np.int64] | None
    split: str | None


class Idx(LocatedSource):
    """IDX images with the labels beside them."""

    name: ClassVar[str] = "MNIST IDX files"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is an IDX file, plain or compressed, or a folder with IDX images and no image files."""
        if path.is_dir():
            return bool(_images_in(path)) and not has_image(path)
        return _head(path) is not None

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> Idx:
        """Read headers and labels. Raises LabelMismatchError where images and labels differ in number."""
        report = SourceReport()
        files = _chosen(path) if path.is_dir() else {None: path}
        pairs = [_pair(file, split, report) for split, file in files.items()]
        shapes = {(pair.images.shape[1:], pair.images.dtype) for pair in pairs}
        if len(shapes) > 1:
            raise NotAStoreError(f"{path}: holds images of {sorted(shapes)}; open one of the files")
        source = _source(path, pairs, report)
        for pair in pairs:
            refuse_changed(pair.images.path, pair.images.state)
        return source


def _head(path: Path) -> bytes | None:
    """Return the first bytes of an IDX file, unpacked; None where it is none."""
    head = read_head(path, HEADER_BYTES)
    if head.startswith(GZIP):
        head = first_bytes(path, HEADER_BYTES)
    return head if head[:2] == b"\0\0" and len(head) >= 4 and head[2] in TYPES and 1 <= head[3] <= 4 else None


def _images_in(folder: Path) -> list[Path]:
    """Return the files of a folder that are IDX images by name and content; a plain file rather than the compressed one beside it."""
    try:
        names = sorted(each.name for each in folder.iterdir() if IMAGES_NAME.match(each.name))
    except OSError:
        return []
    found = []
    for name in names:
        if name.endswith(".gz") and name[:-3] in names:
            continue
        head = _head(folder / name)
        if head is not None and head[3] >= 3:
            found.append(folder / name)
    return found


def _chosen(folder: Path) -> dict[str | None, Path]:
    """Return the images of each split. Raises NotAStoreError, listing the files, where two are of one split."""
    files = _images_in(folder)
    splits = [_split_of(file.name) for file in files]
    if len(files) > 1 and (None in splits or len(set(splits)) < len(files)):
        shown = ", ".join(file.name for file in files[:10])
        raise NotAStoreError(f"{folder}: holds several sets of images: {shown}; open one of these files")
    if not files:
        raise NotAStoreError(f"{folder}: no IDX images here; it was changed meanwhile")
    order = list(SPLITS.values())
    found: dict[str | None, Path] = dict(zip(splits, files, strict=True))
    return dict(sorted(found.items(), key=lambda each: order.index(each[0] or "train")))


def _split_of(name: str) -> str | None:
    words = re.split(r"[^a-z0-9]+", name.lower())
    return next((split for word, split in SPLITS.items() if word in words), None)


def _pair(file: Path, split: str | None, report: SourceReport) -> Pair:
    images = _array(file)
    if len(images.shape) not in (3, 4) or 0 in images.shape[1:]:
        raise NotAStoreError(
            f"{file}: an IDX file of shape {images.shape}, which are no images; open the file of images, its labels are found"
        )
    size = math.prod(images.shape[1:]) * np.dtype(images.dtype).itemsize
    if size > MAX_READ_BYTES:
        raise LimitExceededError(f"{file}: images of shape {images.shape[1:]}, each of {size} bytes; the limit is {MAX_READ_BYTES}")
    labels_file = _labels_beside(file)
    if labels_file is None:
        report.notes.append(f"{file.name}: no file of labels beside it")
        return Pair(images, None, split)
    labels = _array(labels_file)
    if len(labels.shape) != 1 or labels.dtype.startswith(">f"):
        report.notes.append(f"{labels_file.name}: {labels.dtype} of shape {labels.shape} are no labels and were left out")
        return Pair(images, None, split)
    if labels.shape[0] != images.shape[0]:
        raise LabelMismatchError(
            f"{labels_file}: has {labels.shape[0]} labels for the {images.shape[0]} images in {file.name}; get both again"
        )
    values = labels.data or read_range(str(labels_file), 0, labels.start + labels.shape[0] * np.dtype(labels.dtype).itemsize)
    return Pair(images, np.frombuffer(values, labels.dtype, labels.shape[0], labels.start).astype(np.int64), split)


def _labels_beside(file: Path) -> Path | None:
    """Return the labels of a file of images: the same name with labels for images and idx1 for idx3, compressed or not."""
    found = IMAGES_NAME.match(file.name)
    if found is None:
        return None
    for word in ("labels", "label"):
        for index in ("idx1", ""):
            for ending in ("", ".gz"):
                beside = file.with_name(found["set"] + word + found["mark"] + index + found["rest"] + ending)
                if beside != file and is_regular(beside) and _head(beside) is not None:
                    return beside
    return None


def _array(path: Path) -> Array:
    """Return what a file's header says. Raises StoreTruncatedError, CorruptStoreError where the file has other bytes than that."""
    state = state_of(path)
    head = read_head(path, HEADER_BYTES)
    data = _unpacked(path) if head.startswith(GZIP) else None
    head, size = (head, state[1]) if data is None else (data[:HEADER_BYTES], len(data))
    if len(head) < 4 or head[2] not in TYPES or len(head) < 4 + 4 * head[3]:
        raise StoreTruncatedError(f"{path}: {size} bytes, an IDX file that ends within its header; get it again")
    shape = struct.unpack_from(f">{head[3]}I", head, 4)
    start, dtype = 4 + 4 * head[3], TYPES[head[2]]
    needed = start + math.prod(shape) * np.dtype(dtype).itemsize
    if size < needed:
        raise StoreTruncatedError(
            f"{path}: its header says {dtype} of shape {shape}, which needs {needed} bytes; {size} are there; get it again"
        )
    if size > needed:
        raise CorruptStoreError(f"{path}: its header says {dtype} of shape {shape}, which needs {needed} bytes; {size} are there, too many")
    return Array(path, state, dtype, shape, start, data)


def _unpacked(path: Path) -> bytes:
    try:
        return read_unpacked(path, max_bytes=MAX_UNPACKED_BYTES)
    except LimitExceededError as error:
        raise LimitExceededError(f"{error}; unpacked with gunzip it is read in place, at any size") from error


def _source(path: Path, pairs: Sequence[Pair], report: SourceReport) -> Idx:
    counts = [pair.images.shape[0] for pair in pairs]
    columns: dict[str, pa.Array] = {}
    labels = [pair.labels for pair in pairs]
    if any(each is not None for each in labels):
        each_set = [pa.nulls(count, pa.int64()) if each is None else pa.array(each) for each, count in zip(labels, counts, strict=True)]
        columns["label"] = pa.concat_arrays(each_set)
    splits = [pair.split for pair in pairs]
    if None not in splits:
        columns["split"] = pa.array([split for split, count in zip(splits, counts, strict=True) for _ in range(count)], pa.string())
    images = pairs[0].images
    form = Format("raw", images.shape[1:], np.dtype(images.dtype).str if images.dtype.startswith(">") else np.dtype(images.dtype).name)
    table = pa.table({KEY: pa.array([f"{row:08}" for row in range(sum(counts))], pa.string()), **columns})
    schema = Schema((Field(shape=form.shape, dtype=form.dtype),), pa.schema([table.schema.field(name) for name in columns]))
    states = {str(pair.images.path): pair.images.state for pair in pairs}
    place = _place([pair.images for pair in pairs], form.decoded_bytes)
    return Idx(schema, table, report, place=place, formats=(form,), origin=str(path), states=states)


def _place(arrays: Sequence[Array], record: int) -> Extents | Slices:
    """Return where the images lie: in the files, or in one buffer where any file was compressed."""
    counts = [array.shape[0] for array in arrays]
    length = np.full(sum(counts), record, np.int64)
    if all(array.data is None for array in arrays):
        file = np.repeat(np.arange(len(arrays), dtype=np.uint32), counts)
        return Extents([str(array.path) for array in arrays], file, _offsets([array.start for array in arrays], counts, record), length)
    whole = [read_range(str(array.path), 0, -1) if array.data is None else array.data for array in arrays]
    begins = np.cumsum([0, *(len(each) for each in whole)]).tolist()
    starts = [begin + array.start for begin, array in zip(begins, arrays, strict=False)]
    return Slices(b"".join(whole), _offsets(starts, counts, record), length)


def _offsets(starts: Sequence[int], counts: Sequence[int], record: int) -> Indices:
    return np.concatenate([start + record * np.arange(count, dtype=np.int64) for start, count in zip(starts, counts, strict=True)])


SOURCE = Idx
