"""The contract for sources: somebody else's data, read where it lies and never trusted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa

from pixstore.rows import Indices, Records
from pixstore.schema import ChannelOrder, Schema


@dataclass(frozen=True)
class Skipped:
    """A file that a source left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class SourceOptions:
    """What a user may state about a source. `Source.takes` names those that a layout has a use for; the others are refused for it."""

    label_from: str | None = None
    """"folder", a regular expression with one group, or a CSV file with key and label."""
    inner: str | None = None
    """What within the file is meant: the part of an address behind `::`, as in `file.h5::/group/images`."""
    files: tuple[Path, ...] = ()
    """The files that a pattern such as `train-{000..011}.tar` named, all there, in order; the source's path is the first of them."""
    channel_order: ChannelOrder | None = None
    """The order of colours in arrays, where the user knows better than the layout's custom."""
    unmatched: Literal["skip"] | None = None
    """"skip": images without masks, and masks without images, are left out and listed instead of refused."""
    progress: Callable[[int, int, int], None] | None = field(default=None, compare=False)
    """Called as `progress(done, 0, 0)` with the files found so far, while a folder is listed."""


@dataclass
class SourceReport:
    """What opening a source found besides its samples."""

    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Source(ABC):
    """One foreign layout; a module under sources/ ends in `SOURCE = MySource`. An instance is an open source and a `Rows`."""

    name: ClassVar[str]
    """What people call this layout: "image folder", "CIFAR-10 python batches" …"""
    takes: ClassVar[frozenset[str]] = frozenset()
    """The names in SourceOptions that this layout has a use for; an option that it does not take is refused before `open`."""
    report: SourceReport

    @classmethod
    @abstractmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether this path looks like the layout. Cheap, reads a few bytes, never raises for foreign content."""

    @classmethod
    @abstractmethod
    def open(cls, path: Path, options: SourceOptions) -> Source:
        """Open the source. Raises a PixstoreError that names the file and the reason where it cannot be used."""

    @property
    @abstractmethod
    def schema(self) -> Schema: ...

    @property
    @abstractmethod
    def table(self) -> pa.Table: ...

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def states(self) -> Mapping[str, tuple[int, int, int]]:
        """Inode, size and mtime (ns) of the files that hold the samples, as they were when opened; none where each sample is a file."""
        return {}

    @abstractmethod
    def locate(self, field: str, rows: Indices) -> Records | None: ...

    @abstractmethod
    def read(self, field: str, rows: Indices) -> Records: ...

    def absent(self, field: str, rows: Indices) -> Indices:
        """Return the places in `rows` of those that have no record in this field; in most layouts every row has all."""
        return np.empty(0, np.int64)

    def close(self) -> None:  # noqa: B027  sources that hold no file have nothing to release
        """Release files; may be called more than once."""
