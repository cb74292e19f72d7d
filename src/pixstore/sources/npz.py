"""NumPy arrays of images, labels and columns in one .npz file: a zip archive of .npy arrays.

Arrays that are stored (numpy.savez) are read in place, deflated ones (numpy.savez_compressed) are inflated into memory, within a limit.
`x_train` and `x_test` with `y_train` and `y_test` become one dataset with a column `split`. Headers are read as data, no pickle is loaded.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError, LabelMismatchError, LimitExceededError, NotAStoreError, PixstoreError
from pixstore.rows import Extents, Slices
from pixstore.schema import KEY, NAME
from pixstore.source import Skipped, SourceOptions, SourceReport
from pixstore.sources.archives.zip_index import ZipMembers, is_zip, members_of, unpacked
from pixstore.sources.folders.metadata import column_name
from pixstore.sources.foreign_file import read_range, refuse_changed, state_of
from pixstore.sources.image_arrays import LABEL_NAMES, Images, described, field_of, images_of, is_images, label_names, labels_of, split_of
from pixstore.sources.located import LocatedSource
from pixstore.sources.npy_header import HEAD_BYTES, ArrayHeader, parsed

SUFFIX = ".npy"
KEYS = ("key", "keys")
CLASSES = "classes"
TAKEN = (KEY, "image", "label", "split")
ORDER = ("train", "val", "test", None)
MAX_INFLATED_BYTES = 1 << 30
MAX_COLUMN_BYTES = 256 << 20


class Npz(LocatedSource):
    """Arrays of images in a .npz file."""

    name: ClassVar[str] = "NumPy .npz file of images"
    takes: ClassVar[frozenset[str]] = frozenset({"inner", "channel_order"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is a zip archive that is called .npz, or that holds nothing but arrays."""
        if not is_zip(path):
            return False
        if path.suffix.lower() == ".npz":
            return True
        try:
            names = members_of(path).names
        except PixstoreError:
            return False
        return bool(names) and all(name.endswith(SUFFIX) for name in names)

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> Npz:
        """Read headers and labels. Raises a PixstoreError that names file, array and what is wrong with it."""
        report, state = SourceReport(), state_of(path)
        file = _Arrays.of(path, members_of(path), report)
        chosen = file.chosen(options.inner)
        images = [images_of(name, file.headers[name], options.channel_order, f"{path}: {name}") for name in chosen]
        parts = [_with_labels(file, each, report) for each in images]
        if len({part.format for part in parts}) > 1:
            raise NotAStoreError(f"{path}: its images differ in shape or type: {_listed(file, [part.name for part in parts])}")
        others = file.others(parts[0]) if len(parts) == 1 and options.inner is None else []
        keys, further, classes = _columns(file, parts, report)
        schema, table = described(parts, further, keys, classes)
        for other in others:
            schema = schema.with_field(field_of(other.name, other.format))
        more = {other.name: (file.place([other]), (other.format,)) for other in others}
        place = file.place(parts)
        refuse_changed(path, state)
        return cls(schema, table, report, place=place, formats=(parts[0].format,), origin=str(path), states={str(path): state}, more=more)


@dataclass
class _Arrays:
    """The arrays of a file by name, their headers read."""

    path: Path
    members: ZipMembers
    number: dict[str, int]
    headers: dict[str, ArrayHeader]

    @classmethod
    def of(cls, path: Path, members: ZipMembers, report: SourceReport) -> _Arrays:
        found = cls(path, members, {}, {})
        for number, member in enumerate(members.names):
            if not member.endswith(SUFFIX):
                report.skipped.append(Skipped(member, "no array"))
                continue
            name = member.removesuffix(SUFFIX)
            header = parsed(found._head(number), f"{path}: {name}")
            if header.start + header.size != int(members.size[number]):
                what = f"{header.dtype} of shape {header.shape} needs {header.start + header.size} bytes, {members.size[number]} are there"
                raise CorruptStoreError(f"{path}: {name}: {what}; save it again")
            found.number[name], found.headers[name] = number, header
        return found

    def _head(self, number: int) -> bytes:
        stored = read_range(str(self.path), int(self.members.offset[number]), min(int(self.members.stored[number]), 2 * HEAD_BYTES))
        if not self.members.is_deflated[number]:
            return stored[:HEAD_BYTES]
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(stored, HEAD_BYTES)
        except zlib.error as error:
            raise CorruptStoreError(f"{self.path}: member {self.members.names[number]!r} is damaged: {error}; get it again") from error

    def whole(self, name: str) -> bytes:
        """Return all bytes of an array, its header before them."""
        number = self.number[name]
        size = int(self.members.size[number])
        if size > MAX_INFLATED_BYTES:
            raise LimitExceededError(f"{self.path}: {name} has {size} bytes, the limit is {MAX_INFLATED_BYTES}; save it with numpy.savez")
        stored = read_range(str(self.path), int(self.members.offset[number]), int(self.members.stored[number]))
        try:
            return unpacked(stored, size, int(self.members.crc[number]), is_deflated=bool(self.members.is_deflated[number]))
        except ValueError as error:
            raise CorruptStoreError(f"{self.path}: {name}: {error}; get it again") from error

    def array(self, name: str) -> NDArray[Any]:
        header = self.headers[name]
        return np.frombuffer(self.whole(name), header.dtype, offset=header.start).reshape(header.shape)

    def chosen(self, inner: str | None) -> list[str]:
        """Return the arrays of images: the one that was asked for, the only one, or one of each split.

        Raises NotAStoreError, listing the arrays, where it is not clear which are meant.
        """
        if inner is not None:
            if inner not in self.headers:
                raise NotAStoreError(f"{self.path}: has no array {inner!r}; arrays here: {_listed(self, list(self.headers))}")
            return [inner]
        candidates = [name for name, header in self.headers.items() if is_images(header)]
        # One image beside many is a mean or an example.
        candidates = [name for name in candidates if not self._is_one(name)] or candidates
        if not candidates:
            raise NotAStoreError(f"{self.path}: no array of images; arrays here: {_listed(self, list(self.headers))}")
        splits = [split_of(name) for name in candidates]
        if len(candidates) == 1 or (None not in splits and len(set(splits)) == len(splits)):
            return sorted(candidates, key=lambda name: ORDER.index(split_of(name)))
        called = [name for name in candidates if name in LABEL_NAMES or name == "arr_0"]
        if len(called) == 1:
            return called
        example = f"{self.path.name}::{candidates[0]}"
        raise NotAStoreError(f"{self.path}: several arrays of images: {_listed(self, candidates)}; name one, as in {example}")

    def others(self, images: Images) -> list[Images]:
        """Return the further arrays with an image for each of these: masks, depths."""
        names = [name for name, header in self.headers.items() if name != images.name and is_images(header) and NAME.match(name)]
        found = [images_of(name, self.headers[name], None, f"{self.path}: {name}") for name in names if name not in TAKEN]
        return [other for other in found if other.count == images.count]

    def _is_one(self, name: str) -> bool:
        return images_of(name, self.headers[name], None, name).count == 1

    def place(self, parts: Sequence[Images]) -> Extents | Slices:
        """Return where the images lie: in the file, or in one buffer where any array is deflated."""
        size = parts[0].format.decoded_bytes
        numbers = [self.number[part.name] for part in parts]
        in_place = not self.members.is_deflated[numbers].any()
        whole = [] if in_place else [self.whole(part.name) for part in parts]
        begins = self.members.offset[numbers].tolist() if in_place else np.cumsum([0, *(len(each) for each in whole)]).tolist()
        offset = np.concatenate(
            [begin + part.start + size * np.arange(part.count, dtype=np.int64) for begin, part in zip(begins, parts, strict=False)]
        )
        length = np.full(len(offset), size, np.int64)
        if in_place:
            return Extents([str(self.path)], np.zeros(len(offset), np.uint32), offset, length)
        return Slices(b"".join(whole), offset, length)


def _with_labels(file: _Arrays, images: Images, report: SourceReport) -> Images:
    name = _name_of_labels(file, images)
    if name is None:
        report.notes.append(f"{file.path.name}: no labels for {images.name}")
        return images
    return images.with_labels(labels_of(_values(file, name), images, f"{file.path}: {name}", report))


def _name_of_labels(file: _Arrays, images: Images) -> str | None:
    is_alone = sum(is_images(header) for header in file.headers.values()) == 1
    names = (name for name in label_names(images.name, is_alone=is_alone) if name in file.headers)
    return next((name for name in names if name != images.name and not is_images(file.headers[name])), None)


def _values(file: _Arrays, name: str) -> NDArray[Any]:
    """Return an array that becomes a column. Raises LimitExceededError for a larger one than columns are."""
    if file.headers[name].size > MAX_COLUMN_BYTES:
        raise LimitExceededError(f"{file.path}: {name} has {file.headers[name].size} bytes, the limit for labels is {MAX_COLUMN_BYTES}")
    return file.array(name)


def _columns(
    file: _Arrays, parts: Sequence[Images], report: SourceReport
) -> tuple[pa.Array | None, dict[str, pa.Array], tuple[str, ...] | None]:
    """Return keys, further columns and class names: the other arrays with one value per image, where there is one array of images."""
    keys, classes = None, None
    used = {name for part in parts for name in (part.name, _name_of_labels(file, part))}
    columns: dict[str, pa.Array] = {} if parts[0].labels is None else {"label": parts[0].labels.values}
    for name, header in file.headers.items():
        if name in used or is_images(header):
            continue
        if name == CLASSES and len(header.shape) == 1 and np.dtype(header.dtype).kind == "U":
            classes = _classes(file, parts)
        elif len(parts) > 1 or not _is_column(header, parts[0]) or split_of(name) not in (None, parts[0].split):
            report.notes.append(f"{file.path.name}: array {name}, {header.dtype} of shape {header.shape}, is no column and was left out")
        else:
            values = pa.array(file.array(name).astype(np.dtype(header.dtype).newbyteorder("=")))
            if name in KEYS and pa.types.is_string(values.type) and len(values.unique()) == len(values):
                keys = values
            else:
                columns[column_name(name, report.notes, columns)] = values
    return keys, columns, classes


def _is_column(header: ArrayHeader, images: Images) -> bool:
    return header.shape == (images.count,) and np.dtype(header.dtype).kind in "buifU" and header.size <= MAX_COLUMN_BYTES


def _classes(file: _Arrays, parts: Sequence[Images]) -> tuple[str, ...] | None:
    """Return the names in the array `classes`, None where labels are names already. Raises LabelMismatchError for a label beyond them."""
    names = tuple(str(name) for name in _values(file, CLASSES).tolist())
    labels = [part.labels for part in parts if part.labels is not None]
    if not labels or any(each.classes is not None for each in labels):
        return None
    values = np.concatenate([each.values.to_numpy() for each in labels])
    beyond = np.flatnonzero((values < 0) | (values >= len(names)))
    if len(beyond):
        raise LabelMismatchError(
            f"{file.path}: {len(beyond)} labels are beyond the {len(names)} names in {CLASSES}, such as {values[beyond[0]]}"
        )
    return names


def _listed(file: _Arrays, names: Sequence[str]) -> str:
    shown = [f"{name} ({file.headers[name].dtype} {file.headers[name].shape})" for name in names[:10]]
    return ", ".join(shown) or "none"


SOURCE = Npz
