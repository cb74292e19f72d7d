"""How to open a dataset again elsewhere: what a pickled one is, and what tells that other bytes lie there now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore import core, manifest, registry
from pixstore.errors import InvalidInputError, StoreBusyError
from pixstore.joined import Joined, Part
from pixstore.naming import Unmatched
from pixstore.rows import Rows
from pixstore.schema import KEY
from pixstore.source import Source, SourceOptions
from pixstore.sources.foreign_file import FileState, is_regular, state_of
from pixstore.store import StoreRows


class OpenStore:
    """How to open one version of a store again."""

    def __init__(self, path: Path, made: manifest.Manifest) -> None:
        self.path = path
        self.version = made.version
        self.rows = _digest_of_rows(made)

    def __call__(self) -> Rows:
        """Return the same rows. Raises InvalidInputError where the version has others now: that of a conversion grows until it is done."""
        opened = StoreRows(self.path, self.version)
        if _digest_of_rows(opened.manifest) != self.rows:
            raise InvalidInputError(f"{self.path}: version {self.version} has other rows than when it was opened; open it anew")
        return opened


def _digest_of_rows(made: manifest.Manifest) -> int:
    """Return what tells versions of other rows apart; a shard's id is never given twice."""
    return core.hash_bytes("".join(f"{shard.id} {shard.deleted} " for shard in made.shards).encode())


class OpenJoined:
    """How to open several datasets as one again."""

    def __init__(self, parts: tuple[tuple[str, str, Callable[[], Rows]], ...], unmatched: Unmatched) -> None:
        self.parts = parts
        self.unmatched = unmatched

    def __call__(self) -> Rows:
        return Joined([Part(field, place, reopen()) for field, place, reopen in self.parts], unmatched=self.unmatched)

    def whatever_lies_there(self) -> OpenJoined:
        """Return how to open the parts as they will be then."""
        return OpenJoined(tuple((field, place, unpinned(reopen)) for field, place, reopen in self.parts), self.unmatched)


def open_source(path: Path, options: SourceOptions) -> tuple[Source, OpenedSource]:
    """Return somebody else's data, and how to open the same again. Raises what `registry.open_source` raises."""
    # Before opening: what changes meanwhile is not taken for what was opened.
    files = tuple(state_of(each) for each in options.files or (path,) if is_regular(each))
    opened = registry.open_source(path, options)
    return opened, OpenedSource(path, replace(options, progress=None), opened, files)


class OpenedSource:
    """How to open again a source that is open. What tells its state is computed where it is pickled, which most never are."""

    def __init__(self, path: Path, options: SourceOptions, opened: Source, files: tuple[FileState, ...]) -> None:
        self._path = path
        self._options = options
        self._opened = opened
        self._files = files

    def __call__(self) -> Rows:
        return SameSource(self._path, self._options, self.digest)()

    def __reduce__(self) -> tuple[Any, ...]:
        return SameSource, (self._path, self._options, self.digest)

    def whatever_lies_there(self) -> SameSource:
        """Return how to open what will lie there then."""
        return SameSource(self._path, self._options, None)

    @cached_property
    def digest(self) -> int:
        """What tells this state: size and mtime of its files, keys, columns, class names.

        Files of a folder of images are not asked one by one: a million would take longer than to list them.
        """
        states = [*self._files, *(state for _, state in sorted(self._opened.states.items()))]
        schema = self._opened.schema
        # Inodes differ where the same files are mounted elsewhere.
        told = repr(([state[1:] for state in states], schema.classes, schema.field_names))
        arrays = [np.frombuffer(told.encode(errors="surrogatepass"), np.uint8), *_values(self._opened.table)]
        return core.hash_bytes(b"".join(core.hash_bytes(_bytes(each)).to_bytes(8, "little") for each in arrays))


class SameSource:
    """How to open, elsewhere, a source that was open and nothing else; without a digest, whatever lies there then."""

    def __init__(self, path: Path, options: SourceOptions, digest: int | None) -> None:
        self.path = path
        self.options = options
        self.digest = digest

    def __reduce__(self) -> tuple[Any, ...]:
        return SameSource, (self.path, self.options, self.digest)

    def __call__(self) -> Rows:
        """Return the source. Raises StoreBusyError where another lies there now."""
        opened, again = open_source(self.path, self.options)
        if self.digest is not None and again.digest != self.digest:
            opened.close()
            raise StoreBusyError(f"{self.path}: was changed after it was opened; open it again when its writer is done")
        return opened


def unpinned(reopen: Callable[[], Rows]) -> Callable[[], Rows]:
    """Return how to open what will lie there then, for work that compares keys itself. A version of a store stays what it is."""
    return reopen.whatever_lies_there() if isinstance(reopen, (OpenedSource, OpenJoined)) else reopen


def _values(table: pa.Table) -> Iterator[NDArray[Any]]:
    """Yield keys and columns of numbers and of text; how Arrow cuts them into chunks makes no difference."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if name == KEY or pa.types.is_string(kind) or pa.types.is_large_string(kind):
            values = core.hash_keys(column.fill_null(""))
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            values = column.fill_null(False if pa.types.is_boolean(kind) else 0).to_numpy()
        else:
            continue
        yield from (np.frombuffer(name.encode(), np.uint8), values)
        if column.null_count:
            yield column.is_null().to_numpy()


def _bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)
