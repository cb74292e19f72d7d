"""An LMDB file with several databases: the one that is meant is opened in the layout that it has.

That is the one named in the address; without a name the only one that holds images, where there is but one.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, NoReturn

from pixstore.errors import InvalidInputError, NotAStoreError, PixstoreError
from pixstore.source import Source, SourceOptions
from pixstore.sources import caffe_lmdb, lmdb_arrays, lmdb_basicsr, lmdb_images, lmdb_pairs
from pixstore.sources.labels import shown
from pixstore.sources.lmdb.environment import LmdbSource, looked_at, opened
from pixstore.sources.lmdb.header import data_file, map_file
from pixstore.sources.lmdb.tree import database_names
from pixstore.sources.located import LocatedSource

LAYOUTS: tuple[type[LmdbSource], ...] = (
    lmdb_basicsr.SOURCE,
    lmdb_arrays.SOURCE,
    caffe_lmdb.SOURCE,
    lmdb_pairs.SOURCE,
    lmdb_images.SOURCE,
)
"""In the order of asking; the last takes whatever holds encoded images."""


class LmdbDatabases(LocatedSource):
    """An LMDB file of which a database has to be chosen by its name; what is opened is a source of the layout found there."""

    name: ClassVar[str] = "LMDB with named databases"
    takes: ClassVar[frozenset[str]] = frozenset({"inner", "channel_order"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        try:
            return len(_names(path, limit=1)) > 1
        except PixstoreError:
            return False

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> Source:
        """Open the database that is meant: the one that is named, or the only one with images. Otherwise NotAStoreError lists them."""
        names = _names(path) if options.inner is None else [options.inner]
        layouts = {name: layout for name in names if (layout := _layout_of(path, name)) is not None}
        if len(layouts) != 1:
            _refuse(path, options)
        ((name, layout),) = layouts.items()
        if options.channel_order and "channel_order" not in layout.takes:
            stated = repr(options.channel_order)
            raise InvalidInputError(f"{path}: {layout.name} does not take channel_order {stated}: encoded images know their own")
        source = layout.open(path, replace(options, inner=name))
        others = [other for other in names if other != name]
        if others:
            source.report.notes.append(f"the database {name!r} is read; others in the file hold no images: {shown(others)}")
        return source


def _names(path: Path, *, limit: int | None = None) -> list[str]:
    file = data_file(path)
    if file is None:
        return []
    with closing(map_file(file)) as data:
        return database_names(data, file, limit=limit)


def _layout_of(path: Path, name: str) -> type[LmdbSource] | None:
    with looked_at(path, name) as sample:
        return None if sample is None else next((each for each in LAYOUTS if each.fits(sample)), None)


def _refuse(path: Path, options: SourceOptions) -> NoReturn:
    """Raise NotAStoreError: the databases there are, or what the one that is named holds."""
    with opened(path, options) as database:
        raise NotAStoreError(
            f"{path}: the database {options.inner!r} holds neither encoded images nor arrays of a known layout; its keys: "
            f"{shown(database.keys())}"
        )


SOURCE = LmdbDatabases
