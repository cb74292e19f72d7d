"""Name → engine, path → source; built-in ones by module name, imported when asked for, others by entry point."""

from __future__ import annotations

import difflib
import functools
import importlib
import warnings
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from pixstore.engine import Engine
from pixstore.errors import DependencyError, InvalidInputError, NotAStoreError, PathNotFoundError
from pixstore.source import Source, SourceOptions
from pixstore.sources.lookalike import describe

ENGINES = ("packed", "files", "lmdb", "hdf5", "tar", "feather", "parquet", "zarr", "tiledb", "leveldb", "rocksdb", "sqlite")

EXTRAS = ("zarr", "tiledb", "leveldb", "rocksdb")
"""Engines whose libraries come with an extra of the same name."""

# The order of asking: what has a mark of its own first, the image folder, which takes any folder, last.
SOURCES = (
    "cifar",
    "cifar_binary",
    "idx",
    "webdataset",
    "npy",
    "npz",
    "zip_images",
    "tutorial_lmdb",
    "lmdb_databases",
    "lmdb_basicsr",
    "lmdb_arrays",
    "caffe_lmdb",
    "lmdb_pairs",
    "lmdb_images",
    "caffe_leveldb",
    "tutorial_hdf5",
    "hdf5_images",
    "tutorial_png",
    "parquet",
    "arrow",
    "tfrecord",
    "mds",
    "nuclei",
    "folder",
)

OPTIONS = {
    "label_from": "label_from (--label-from) is for image folders and archives of them",
    "inner": "a place within it (behind '::') is for files that hold several sets of images",
    "files": "a pattern of files is for tar, TFRecord and Parquet shards",
    "channel_order": "channel_order (--channel-order) is for arrays; encoded images know their own",
    "unmatched": "unmatched (--unmatched) is for images and masks that are joined",
}
"""What each option of a source is for, told where a layout has no use for it."""


def engine_names() -> list[str]:
    """Return every name that `engine` takes: the built-in ones, then those of installed plugins."""
    return [*ENGINES, *sorted(_plugins("pixstore.engines").keys() - set(ENGINES))]


@functools.cache
def engine(name: str) -> Engine:
    """Return the engine of this name. Raises InvalidInputError naming those there are, DependencyError where its library is missing."""
    if name in ENGINES:
        loaded = _import(f"pixstore.engines.{name}", name).ENGINE
    elif name in (plugins := _plugins("pixstore.engines")):
        loaded = _loaded(name, plugins[name])
    else:
        raise InvalidInputError(f"no engine {name!r}; engines here: {', '.join(engine_names())}")
    if not isinstance(loaded, Engine):
        raise InvalidInputError(f"engine {name!r} is a {type(loaded).__name__}, not a pixstore.engine.Engine instance; ask its author")
    return loaded


def _loaded(name: str, plugin: EntryPoint) -> object:
    try:
        return plugin.load()
    except (ImportError, AttributeError) as error:
        raise DependencyError(f"engine {name!r} is installed but does not load ({error}); mend or remove its package") from error


def open_source(path: Path, options: SourceOptions) -> Source:
    """Open somebody else's data where it lies.

    Raises what `source_at` raises, InvalidInputError for an option that the layout has no use for, and the source's own error where one
    knows the path but cannot use it.
    """
    source = source_at(path)
    _refuse_useless(source, path, options)
    return source.open(path, options)


def source_at(path: Path) -> type[Source]:
    """Return the layout that lies at the path.

    Raises PathNotFoundError for a path that does not exist (nothing is created), NotAStoreError saying what the path looks like where no
    source knows it.
    """
    if not path.exists():
        raise PathNotFoundError(f"{path}: does not exist{nearest(path)}")
    for source in _sources():
        if source.recognises(path):
            return source
    raise NotAStoreError(f"{path}: {describe(path)}")


def _refuse_useless(source: type[Source], path: Path, options: SourceOptions) -> None:
    """Raise InvalidInputError for the first option that is stated and that this layout does not take."""
    for name, use in OPTIONS.items():
        stated = getattr(options, name)
        if stated and name not in source.takes:
            shown = f"{len(stated)} files" if isinstance(stated, tuple) else repr(stated)
            raise InvalidInputError(f"{path}: {source.name} does not take {name} {shown}: {use}")


def nearest(path: Path) -> str:
    """Return "; did you mean …?" for a sibling with a name like the mistyped one, or nothing."""
    folder = path.parent
    if not folder.is_dir():
        return f"; there is no folder {folder} either"
    close = difflib.get_close_matches(path.name, [each.name for each in folder.iterdir()], n=1)
    return f"; did you mean {folder / close[0]}?" if close else ""


def _sources() -> list[type[Source]]:
    found: list[type[Source]] = []
    for name, entry in _plugins("pixstore.sources").items():
        try:
            found.append(entry.load())
        except Exception as error:
            # A broken plugin must not take the working layouts with it.
            warnings.warn(f"source plugin {name!r} does not load and is left out: {error}", stacklevel=2)
    return found + [_import(f"pixstore.sources.{name}", name).SOURCE for name in SOURCES]


def _plugins(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def _import(module: str, name: str):  # type: ignore[no-untyped-def]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = error.name or str(error)
        command = f"pip install 'pixstore[{name}]'" if name in EXTRAS else f"pip install {missing}"
        raise DependencyError(f"{name!r} needs {missing!r}, which is not installed: {command}") from error
