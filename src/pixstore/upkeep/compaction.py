"""Making a store small again: the living rows of shards with deleted, few or borrowed ones are copied, proved, and switched to at once."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pixstore.builder import remove_shard
from pixstore.disk import FULL, translated
from pixstore.errors import InvalidInputError, PixstoreError, StoreFullError
from pixstore.manifest import Manifest, ShardEntry, commit, load
from pixstore.opening import unfinished_words
from pixstore.record_table import FOLDER
from pixstore.store import StoreRows
from pixstore.upkeep.copying import Copier
from pixstore.upkeep.history import changing, now, require_store, size_of
from pixstore.upkeep.plan import Part, Plan, pixel_files, plan_of

Progress = Callable[[int, int, int], None]
"""Called with rows done, rows in all, bytes done; each row is copied and proved, so it counts twice."""


@dataclass(frozen=True)
class CompactReport:
    """What compacting wins, or won: `version` is the new one, None where nothing was done.

    Bytes are those of pixel files: before, and after; what a dry run says of the latter is foretold. The former files stay for as
    long as a kept version names them; `gc` removes them then.
    """

    version: int | None
    shards_before: int
    shards_after: int
    rewritten_shards: int
    rewritten_rows: int
    deleted_rows: int
    borrowed_rows: int
    borrowed_bytes: int
    bytes_before: int
    bytes_after: int

    @property
    def bytes_won(self) -> int:
        return self.bytes_before - self.bytes_after

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to do."""
        return self.rewritten_shards > 0


def compact(
    store: Path,
    *,
    shard_bytes: int,
    dry_run: bool,
    threads: int | None,
    announce: Callable[[CompactReport], None] | None,
    progress: Progress | None,
) -> CompactReport:
    """Do what `plan_of` says, in one commit; the store is as it was after any error."""
    if shard_bytes < 1:
        raise InvalidInputError(f"shard_bytes {shard_bytes} is not positive")
    require_store(store)
    if dry_run:
        current = load(store)
        if current.is_unfinished:
            raise InvalidInputError(unfinished_words(store, current))
        return _foretold(plan_of(StoreRows(store, current.version), shard_bytes))
    with changing(store) as current:
        rows = StoreRows(store, current.version)
        plan = plan_of(rows, shard_bytes)
        foretold = _foretold(plan)
        if announce is not None:
            announce(foretold)
        if not foretold.is_needed:
            return foretold
        _require_space(store, plan)
        counted = _Counted(2 * plan.rows_copied, progress)
        copier = Copier(rows, current.durability == "power", shard_bytes, threads, counted)
        shards, written = _switch(store, current, plan, copier)
    after = sum(size_of(store / FOLDER / name) for entry in written for name in pixel_files(entry))
    return replace(foretold, version=current.version + 1, shards_after=len(shards), bytes_after=after)


def _foretold(plan: Plan) -> CompactReport:
    return CompactReport(
        None,
        plan.shards_before,
        plan.shards_after,
        plan.joined_shards,
        plan.rows_copied,
        plan.deleted_rows,
        plan.borrowed_rows,
        plan.borrowed_bytes,
        plan.bytes_before,
        plan.bytes_after,
    )


class _Counted:
    """Adds up what is done, for those who watch."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total, self._progress = total, progress
        self._rows = self._bytes = 0

    def __call__(self, rows: int, size: int) -> None:
        self._rows += rows
        self._bytes += size
        if self._progress is not None:
            self._progress(self._rows, self._total, self._bytes)


def _require_space(store: Path, plan: Plan) -> None:
    """Raise StoreFullError before anything is written where it cannot end well."""
    free = shutil.disk_usage(store).free
    if free < plan.bytes_after:
        words = f"{FULL[errno.ENOSPC]}, {plan.bytes_after:,} bytes needed, {free:,} bytes free"
        raise StoreFullError(errno.ENOSPC, f"{store}: {words}; free some space, then run the same again")


def _switch(store: Path, current: Manifest, plan: Plan, copier: Copier) -> tuple[list[ShardEntry], list[ShardEntry]]:
    """Write, prove and commit the new shards; return all shards of the new version, and those that are new."""
    shards: list[ShardEntry] = []
    written: list[ShardEntry] = []
    try:
        for step in plan.steps:
            if isinstance(step, Part):
                for start, stop in step.ranges:
                    written.append(copier.copy(step, start, stop))
                    copier.prove(written[-1], step, start)
                    shards.append(written[-1])
            else:
                shards.append(step)
        commit(store, current.next(created=now(), shards=tuple(shards)))
    except BaseException:
        _remove(store, written)
        raise
    return shards, written


def _remove(store: Path, written: Sequence[ShardEntry]) -> None:
    """Remove shards that no manifest names, as far as can be: what stays is rubbish for `gc`, and the first error is the one to tell."""
    with suppress(OSError, PixstoreError), translated(store):
        # A commit that failed on its last step may have made them visible all the same.
        named = {each.id for each in load(store).shards}
        for entry in written:
            if entry.id not in named:
                remove_shard(store, entry)
