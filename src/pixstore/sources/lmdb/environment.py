"""The common part of sources in LMDB files: one database of a file, mapped, and how its rows become an open source."""

from __future__ import annotations

import mmap
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.disk import is_network
from pixstore.errors import KeyInvalidError, LimitExceededError, NotAStoreError, PixstoreError
from pixstore.rows import Extents
from pixstore.schema import KEY, ChannelOrder, Field, Format, Schema
from pixstore.source import SourceOptions, SourceReport
from pixstore.sources.foreign_file import FileState, is_regular, refuse_changed, state_of
from pixstore.sources.labels import Labels
from pixstore.sources.lmdb.header import data_file, map_file, refuse_images_beside
from pixstore.sources.lmdb.tree import Entries, read_entries
from pixstore.sources.located import LocatedSource

UNKNOWN = Format(None, None, None)
BGR_CODECS = frozenset(("raw-bgr", "raw-planar-bgr"))
HEAD_BYTES = 64
MAX_SMALL_BYTES = 1 << 16


@dataclass(frozen=True)
class Database:
    """One database of an LMDB file: its entries, and the bytes of the whole file, mapped while it is in use."""

    file: Path
    state: FileState
    data: mmap.mmap
    entries: Entries

    def __len__(self) -> int:
        return len(self.entries.keys)

    def head(self, row: int, count: int = HEAD_BYTES) -> bytes:
        """Return up to `count` first bytes of a value."""
        offset, length = int(self.entries.offset[row]), int(self.entries.length[row])
        return self.data[offset : offset + min(length, count)]

    def small(self, row: int) -> bytes:
        """Return a value that is a label or a number. Raises LimitExceededError for one of more than 64 KiB."""
        length = int(self.entries.length[row])
        if length > MAX_SMALL_BYTES:
            raise LimitExceededError(f"{self.origin(row)}: {length} bytes, the limit for such a value is {MAX_SMALL_BYTES}")
        return self.head(row, length)

    def origin(self, row: int) -> str:
        """Return the file and the key of a value, for a message."""
        return f"{self.file}, key {text_of(self.entries.keys[row])!r}"

    def beside(self, name: str) -> Path | None:
        """Return the regular file of this name in the same folder, None where there is none."""
        found = self.file.parent / name
        return found if is_regular(found) else None

    def keys(self, rows: Sequence[int] | NDArray[np.int64] | None = None) -> list[str]:
        """Return the keys of these rows, or of all, as text. Raises KeyInvalidError where two become the same text."""
        chosen = self.entries.keys if rows is None else [self.entries.keys[row] for row in rows]
        texts = [text_of(key) for key in chosen]
        if len(set(texts)) < len(texts):
            raise KeyInvalidError(f"{self.file}: keys that are no UTF-8 are the same text when escaped; rename them")
        return texts


def text_of(key: bytes) -> str:
    """Return a key as text; bytes that are no UTF-8 are escaped with a backslash."""
    return key.decode("utf-8", "backslashreplace")


@contextmanager
def opened(path: Path, options: SourceOptions) -> Iterator[Database]:
    """Yield the database that is meant at this path; the file must stay as it is meanwhile.

    Raises NotAStoreError where there is none, StoreBusyError where it was written to, and what the tree's walk finds wrong.
    """
    file = data_file(path)
    if file is None:
        raise NotAStoreError(f"{path}: no LMDB here; it was changed meanwhile")
    refuse_images_beside(path)
    if is_network(file):
        warnings.warn(f"{file}: lies on a network file system, where LMDB is not safe to read while others write; copy it", stacklevel=3)
    state = state_of(file)
    with closing(map_file(file)) as data:
        yield Database(file, state, data, read_entries(data, file, name=options.inner))
    refuse_changed(file, state)


@contextmanager
def looked_at(path: Path, name: str | None = None) -> Iterator[Database | None]:
    """Yield the first entries of a database, to tell its layout by; None where there are none or the file is no sound LMDB."""
    file = data_file(path)
    if file is None:
        yield None
        return
    with closing(map_file(file)) as data:
        try:
            entries = read_entries(data, file, name=name, limit=1)
        except PixstoreError:
            entries = Entries([], np.zeros(0, np.int64), np.zeros(0, np.int64))
        yield Database(file, (0, 0, 0), data, entries) if entries.keys else None


@dataclass
class Found:
    """What a layout found in a database: per row where its image lies, what it is, and its columns."""

    keys: list[str]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]
    formats: Sequence[Format] = (UNKNOWN,)
    image: Field = field(default_factory=Field)
    columns: dict[str, pa.Array] = field(default_factory=dict)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    more: dict[str, tuple[NDArray[np.int64], NDArray[np.int64], Sequence[Format]]] = field(default_factory=dict)
    """Further image fields: offset, length and formats of their records."""
    source: type[LmdbSource] | None = None
    """The class of source that reads these records, where it is not the one that found them."""
    report: SourceReport = field(default_factory=SourceReport)

    def add_labels(self, name: str, labels: Labels | None) -> None:
        """Add a column of labels, and the names of its classes where it has them."""
        if labels is not None:
            self.columns[name] = labels.values
            if labels.classes is not None:
                self.classes[name] = labels.classes


class LmdbSource(LocatedSource):
    """A layout within one LMDB database. A module adds the mark by which it is told, and how its entries become rows."""

    takes: ClassVar[frozenset[str]] = frozenset({"inner"})

    @classmethod
    @abstractmethod
    def fits(cls, sample: Database) -> bool:
        """Return whether these first entries (one at least) are of the layout. Never raises for foreign content."""

    @classmethod
    @abstractmethod
    def rows(cls, database: Database, options: SourceOptions) -> Found:
        """Return the rows of the whole database. Raises a PixstoreError naming the file and the key that is wrong."""

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is an LMDB with one database that begins like the layout."""
        with looked_at(path) as sample:
            return sample is not None and cls.fits(sample)

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> LmdbSource:
        """Find every row's image and columns. Raises a PixstoreError naming the file and the key that is wrong."""
        with opened(path, options) as database:
            found = cls.rows(database, options)
        return (found.source or cls)._of(database.file, database.state, found)

    @classmethod
    def _of(cls, file: Path, state: FileState, found: Found) -> Self:
        table = pa.table({KEY: pa.array(found.keys, pa.string()), **found.columns})
        fields = (found.image, *(Field(name) for name in found.more))
        schema = Schema(fields, pa.schema([table.schema.field(name) for name in found.columns]), found.classes)
        return cls(
            schema,
            table,
            found.report,
            place=extents(file, found.offset, found.length),
            formats=found.formats,
            origin=str(file),
            states={str(file): state},
            more={name: (extents(file, offset, length), formats) for name, (offset, length, formats) in found.more.items()},
        )


def extents(file: Path, offset: NDArray[np.int64], length: NDArray[np.int64]) -> Extents:
    """Return places that all lie in one file."""
    return Extents([str(file)], np.zeros(len(offset), np.uint32), offset, length)


def uniform(formats: Sequence[Format]) -> tuple[Sequence[Format], Field]:
    """Return the formats, once where they are all the same, and the image field that they make."""
    distinct = list(dict.fromkeys(formats))
    order: ChannelOrder = "bgr" if any(each.codec in BGR_CODECS for each in distinct) else "rgb"
    if len(distinct) > 1 or not distinct:
        return formats, Field(channel_order=order)
    return distinct, Field(shape=distinct[0].shape, dtype=distinct[0].dtype, channel_order=order)
