"""The tutorial's LMDB: keys of 8 digits, each value a pickled object with `image` (bytes), `size`, `channels` and `label`.

The object's class is a name and is never looked up. Images are read in place: the bytes of `image` lie whole inside the pickle.
"""

from __future__ import annotations

import mmap
import re
import warnings
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from pixstore.disk import is_network
from pixstore.errors import CorruptStoreError, LabelMismatchError, LimitExceededError, NotAStoreError, PixstoreError
from pixstore.rows import Extents, Slices
from pixstore.schema import KEY, Field, Format, Schema
from pixstore.source import SourceOptions, SourceReport
from pixstore.sources import labels
from pixstore.sources.foreign_file import FileState, refuse_changed, state_of
from pixstore.sources.labels import Labels, shown
from pixstore.sources.lmdb.header import data_file, map_file, refuse_images_beside
from pixstore.sources.lmdb.tree import read_entries
from pixstore.sources.located import LocatedSource
from pixstore.sources.pickles.data import offset_of, read_pickle
from pixstore.sources.pickles.patterns import DataObject, PickledArray

KEY_PATTERN = re.compile(rb"[0-9]{8,}\Z")
MAX_VALUE_BYTES = 1 << 30
MAX_COPIED_BYTES = 1 << 30
ATTRIBUTES = ("image", "size", "channels")


class TutorialLmdb(LocatedSource):
    """An LMDB environment of pickled image objects, read as data."""

    name: ClassVar[str] = "LMDB of pickled images (tutorial layout)"
    takes: ClassVar[frozenset[str]] = frozenset({"inner"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is an LMDB whose first key has 8 digits and whose first value is a pickled object."""
        file = data_file(path)
        if file is None:
            return False
        try:
            with closing(map_file(file)) as data:
                entries = read_entries(data, file, limit=1)
                return bool(entries.keys) and _fits(entries.keys[0], data, int(entries.offset[0]), int(entries.length[0]))
        except NotAStoreError:
            return False
        except PixstoreError:
            # A damaged LMDB: opening it says what is wrong with it.
            return True

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> TutorialLmdb:
        """Read every value's label and the place of its image. Raises a PixstoreError naming the file and the key that is wrong."""
        file = data_file(path)
        if file is None:
            raise NotAStoreError(f"{path}: no LMDB here; it was changed meanwhile")
        refuse_images_beside(path)
        if is_network(file):
            warnings.warn(
                f"{file}: lies on a network file system, where LMDB is not safe to read while others write; copy it", stacklevel=2
            )
        report, state = SourceReport(), state_of(file)
        with closing(map_file(file)) as data:
            entries = read_entries(data, file, name=options.inner)
            reader = _ValueReader(data, file)
            for key, offset, length in zip(entries.keys, entries.offset.tolist(), entries.length.tolist(), strict=True):
                reader.read(key, offset, length)
        refuse_changed(file, state)
        return _source(file, state, [key.decode("utf-8", "backslashreplace") for key in entries.keys], reader, report)


def _fits(key: bytes, data: mmap.mmap, offset: int, length: int) -> bool:
    head = data[offset : offset + min(length, 200)]
    return KEY_PATTERN.match(key) is not None and (head[:1] == b"\x80" or head.startswith((b"ccopy_reg\n", b"ccopyreg\n")))


@dataclass(frozen=True)
class _Template:
    """A value that was read in full: whatever equals it outside the image and the label has its structure."""

    head: bytes
    tail: bytes
    image: slice
    label: slice | None
    format: Format


@dataclass
class _ValueReader:
    """Reads values one after the other and collects what they say."""

    data: mmap.mmap
    file: Path
    templates: dict[int, _Template] = field(default_factory=dict)
    labels: list[object] = field(default_factory=list)
    formats: list[Format] = field(default_factory=list)
    offset: list[int] = field(default_factory=list)
    length: list[int] = field(default_factory=list)
    copied: bytearray = field(default_factory=bytearray)
    in_place: bool = True

    def read(self, key: bytes, offset: int, length: int) -> None:
        if length > MAX_VALUE_BYTES:
            raise LimitExceededError(f"{self.file}: the value of {key!r} has {length} bytes, the limit is {MAX_VALUE_BYTES}")
        template = self.templates.get(length)
        if template is None or not self._read_alike(template, offset, length):
            self._read_in_full(key, offset, length)

    def _read_alike(self, template: _Template, offset: int, length: int) -> bool:
        """Take a value that differs from the template in nothing but pixels and label; return whether it does."""
        label = template.label
        if label is None:
            return False
        head = self.data[offset : offset + template.image.start]
        tail = self.data[offset + template.image.stop : offset + length]
        begin, end = label.start - template.image.stop, label.stop - template.image.stop
        if begin < 0:
            head, number = head[: label.start] + head[label.stop :], head[label]
        else:
            tail, number = tail[:begin] + tail[end:], tail[begin:end]
        if head != template.head or tail != template.tail:
            return False
        self._add(template.format, offset + template.image.start, template.image, int.from_bytes(number, "little", signed=len(number) == 8))
        return True

    def _add(self, found: Format, offset: int, image: slice, label: object) -> None:
        self.formats.append(found)
        self.offset.append(offset)
        self.length.append(image.stop - image.start)
        self.labels.append(label)

    def _read_in_full(self, key: bytes, offset: int, length: int) -> None:
        value = self.data[offset : offset + length]
        origin = f"{self.file}, key {key.decode('utf-8', 'backslashreplace')!r}"
        image, found, label = _image_object(value, origin)
        inside = offset_of(image)
        if inside is None:
            self._copy(found, image, label)
            return
        place = slice(inside, inside + len(image))
        self._add(found, offset + inside, place, label)
        self.templates[length] = _template(value, place, found, label, origin)

    def _copy(self, found: Format, image: bytes, label: object) -> None:
        """Keep pixels that an early protocol wrote as escaped text: they are nowhere in the file as they are."""
        if len(self.copied) + len(image) > MAX_COPIED_BYTES:
            raise LimitExceededError(f"{self.file}: over {MAX_COPIED_BYTES} bytes of images in pickle protocol 2 or less; use 3 or more")
        self.in_place = False
        self._add(found, len(self.copied), slice(0, len(image)), label)
        self.copied += image


def _image_object(value: bytes, origin: str) -> tuple[bytes, Format, object]:
    """Return the image's bytes, their format and the label (None without one) of a pickled object."""
    found = read_pickle(value, origin=origin, objects=True)
    if not isinstance(found, DataObject) or found.state is None:
        raise CorruptStoreError(f"{origin}: holds a {type(found).__name__}, an object with {', '.join(ATTRIBUTES)} and label is expected")
    state = found.state
    missing = [name for name in ATTRIBUTES if name not in state]
    if missing:
        has = ", ".join(sorted(state))[:200]
        raise CorruptStoreError(f"{origin}: the {found.class_name} object has no {', '.join(missing)}; it has {has}")
    image, size, channels = (state[name] for name in ATTRIBUTES)
    shape = (*size, channels) if isinstance(size, tuple | list) else ()
    numbers = tuple(each for each in shape if type(each) is int and 0 < each < 1 << 31)
    if not isinstance(image, bytes) or len(numbers) != 3 or len(numbers) != len(shape):
        raise CorruptStoreError(f"{origin}: image, size and channels should be bytes, (height, width) and a number")
    needed = numbers[0] * numbers[1] * numbers[2]
    if needed != len(image):
        raise CorruptStoreError(f"{origin}: the image has {len(image)} bytes, {' × '.join(map(str, numbers))} needs {needed}")
    label = state.get("label")
    if isinstance(label, PickledArray) and label.array.size == 1:
        label = label.array.item()
    return image, Format("raw", numbers, "uint8"), label


def _template(value: bytes, image: slice, found: Format, label: object, origin: str) -> _Template:
    place = _label_place(value, image, label, origin)
    if place is None:
        return _Template(b"", b"", image, None, found)
    cut = value[: place.start] + b"\0" * (place.stop - place.start) + value[place.stop :]
    head, tail = cut[: image.start], cut[image.stop :]
    if place.start < image.start:
        head = head[: place.start] + head[place.stop :]
    else:
        tail = tail[: place.start - image.stop] + tail[place.stop - image.stop :]
    return _Template(head, tail, image, place, found)


def _label_place(value: bytes, image: slice, label: object, origin: str) -> slice | None:
    """Return where the label's number lies, proven by reading the value again with another number there."""
    if type(label) is not int or not 0 <= label < 1 << 15:
        return None
    for instruction, size in ((b"K", 1), (b"M", 2), (b"C\x08", 8)):
        if label >= 1 << 8 * size:
            continue
        wanted = instruction + label.to_bytes(size, "little")
        at = value.find(wanted, 0, image.start)
        at = value.find(wanted, image.stop) if at < 0 else at
        while at >= 0:
            begin, end = at + len(instruction), at + len(instruction) + size
            other = label ^ 0x55
            if _reads_as(value[:begin] + other.to_bytes(size, "little") + value[end:], other, origin):
                return slice(begin, end)
            at = value.find(wanted, max(at + 1, image.stop))
    return None


def _reads_as(value: bytes, label: int, origin: str) -> bool:
    try:
        return _image_object(value, origin)[2] == label
    except PixstoreError:
        return False


def _source(file: Path, state: FileState, keys: Sequence[str], reader: _ValueReader, report: SourceReport) -> TutorialLmdb:
    length = np.array(reader.length, np.int64)
    offset = np.array(reader.offset, np.int64)
    place: Extents | Slices
    if reader.in_place:
        place = Extents([str(file)], np.zeros(len(keys), np.uint32), offset, length)
    elif len(reader.copied) == int(length.sum()):
        place = Slices(bytes(reader.copied), offset, length)
    else:
        raise CorruptStoreError(f"{file}: some objects are in an early pickle protocol and some are not; save them all in one")
    found = _labels(reader.labels, keys, file)
    columns = {} if found is None else {"label": found.values}
    table = pa.table({KEY: pa.array(keys, pa.string()), **columns})
    kinds = set(reader.formats)
    uniform = Field(shape=reader.formats[0].shape, dtype="uint8") if len(kinds) == 1 else Field()
    classes = {"label": found.classes} if found is not None and found.classes is not None else {}
    schema = Schema((uniform,), pa.schema([table.schema.field(name) for name in columns]), classes)
    formats = list(kinds) if len(kinds) == 1 else reader.formats
    return TutorialLmdb(schema, table, report, place=place, formats=formats, origin=str(file), states={str(file): state})


def _labels(values: Sequence[object], keys: Sequence[str], file: Path) -> Labels | None:
    if all(value is None for value in values):
        return None
    if all(type(value) is int and -(1 << 63) <= value < 1 << 63 for value in values):
        return Labels(pa.array(values, pa.int64()), None)
    if all(isinstance(value, str) for value in values):
        return labels.from_names([str(value) for value in values])
    wrong = [key for key, value in zip(keys, values, strict=True) if type(value) is not int]
    raise LabelMismatchError(f"{file}: labels that are no integers: {shown(wrong)}; correct them")


SOURCE = TutorialLmdb
