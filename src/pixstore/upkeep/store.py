"""Store: what looks after a store, where `open` reads it and `Writer` writes it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pixstore.dataset import Dataset
from pixstore.opening import open_dataset
from pixstore.reading import Io
from pixstore.upkeep import compaction, garbage, history
from pixstore.upkeep.compaction import CompactReport, Progress
from pixstore.upkeep.garbage import GcReport
from pixstore.upkeep.history import VersionFacts, require_store
from pixstore.writer import DEFAULT_SHARD_BYTES


class Store:
    """The versions of the store at `path`, their tags, and its upkeep.

    Every commit is a version; the last ten are kept, and those with a tag. History goes forward: going back makes a further version.
    Each method takes the writer's lock for as long as it needs it, and none changes what a kept version reads.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raise PathNotFoundError or NotAStoreError where there is no store; nothing is created, nothing stays open."""
        self.path = Path(path).absolute()
        require_store(self.path)

    def versions(self) -> list[VersionFacts]:
        """Return the kept versions, oldest first: number, time, rows, bytes that are new in it, tags, engine, durability."""
        return history.facts_of_versions(self.path)

    def open(self, version: int | str | None = None, *, io: Io = "auto", threads: int | None = None) -> Dataset:
        """Return the dataset of a version, by number or tag; of the current one for None."""
        return open_dataset(self.path, version=version, io=io, threads=threads)

    def tag(self, name: str, version: int | str | None = None, *, replace: bool = False) -> int:
        """Name a version, the current one by default, and return its number. It is kept for as long as it has a tag.

        Raises InvalidInputError for a version that is not kept or a name that is a number, DestinationExistsError where another version
        has the tag, unless `replace`.
        """
        return history.tag(self.path, name, version, replacing=replace)

    def untag(self, name: str) -> int:
        """Take a tag away and return the number of the version it was of. Raises InvalidInputError where no version has it."""
        return history.untag(self.path, name)

    def rollback(self, version: int | str) -> int:
        """Commit a new version that holds what an older one holds, by number or tag; return its number.

        No pixels are copied. Numbers that were given as keys are not given again; tags stay where they are. A store whose manifest is
        damaged is whole again after it. Raises InvalidInputError for a version that is not kept, CorruptStoreError where files of it
        are missing.
        """
        return history.rollback(self.path, version)

    def compact(
        self,
        *,
        shard_bytes: int = DEFAULT_SHARD_BYTES,
        dry_run: bool = False,
        threads: int | None = None,
        announce: Callable[[CompactReport], None] | None = None,
        progress: Progress | None = None,
    ) -> CompactReport:
        """Write shards that have deleted rows, few rows or borrowed pixels anew, as one new version; return what it won.

        Rows keep their order, records their bytes and their engine, fields their layout. What is written is read back and compared
        before the version is committed; after any error the store is as it was. About 100 MB of memory are used, and more only for a
        single record that is larger. `announce` is called once with what it will win, before anything is written; `dry_run` ends
        there. The former files go with `gc`, once no kept version names them: `store.gc(keep=1)` right after makes the store smallest.

        Raises StoreBusyError, StoreFullError (before it begins where that can be foreseen), CorruptRecordError naming damaged samples.
        """
        return compaction.compact(
            self.path, shard_bytes=shard_bytes, dry_run=dry_run, threads=threads, announce=announce, progress=progress
        )

    def gc(self, *, keep: int | None = None, dry_run: bool = False) -> GcReport:
        """Remove the files that no kept version names, and forget versions beyond the last `keep`; return what went.

        Without `keep`, what a commit keeps is kept: the last ten versions, fewer where their files are large, two at least. Versions
        with a tag always stay, and so do files that have no name as pixstore gives them. A reader that opened a version which is
        forgotten now reads on what it has open already; a file it has not touched yet is a MissingRecordError, as the system gives no
        file back that was removed. Raises StoreBusyError while somebody writes, CorruptStoreError where a kept version's file is
        damaged: then nothing is removed.
        """
        return garbage.gc(self.path, keep=keep, dry_run=dry_run)

    def __repr__(self) -> str:
        return f"<Store {str(self.path)!r}>"
