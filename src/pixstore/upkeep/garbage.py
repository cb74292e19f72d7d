"""Removing what no version needs: pieces that killed writers left, and the files of versions that are kept no longer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pixstore.belongings import LEFTOVER, OURS, SHARDS, SPLITS, VERSIONS, is_real_folder
from pixstore.disk import bytes_of, remove, sync_folder, translated
from pixstore.errors import CorruptStoreError, InvalidInputError, ReadOnlyError
from pixstore.lock import WriterLock
from pixstore.manifest import KEPT_VERSIONS, Manifest, load, version_path
from pixstore.mode import kept_numbers
from pixstore.upkeep.history import files_of, parse_version, require_store

MOST_VERSION_BYTES = 1 << 20
"""Of the files of versions that nobody asked to keep: those of a store of a thousand shards are a third of a megabyte each."""


@dataclass(frozen=True)
class GcReport:
    """What was removed, or would be: files and bytes, versions that are forgotten and versions that are kept."""

    files: int
    bytes: int
    forgotten: tuple[int, ...]
    kept: tuple[int, ...]
    names: tuple[str, ...]
    """The files and folders, relative to the store."""


def gc(store: Path, *, keep: int | None, dry_run: bool) -> GcReport:
    """Remove our files in shards/, versions/ and splits/ that no kept version names, and what a killed commit left by the manifest."""
    if keep is not None and keep < 1:
        raise InvalidInputError(f"keep {keep} is not positive; the current version always stays")
    require_store(store)
    try:
        lock: WriterLock | None = WriterLock(store)
    except ReadOnlyError:
        if not dry_run:
            raise
        # Who may only read may ask all the same.
        lock = None
    try:
        current = load(store)
        kept, forgotten = _versions(store, current, keep)
        rubbish = _rubbish(store, current, kept)
        sizes = [_size(path) for path in rubbish]
        if not dry_run:
            _remove(store, rubbish)
    finally:
        if lock is not None:
            lock.release()
    names = tuple(str(path.relative_to(store)) for path in rubbish)
    return GcReport(sum(count for count, _ in sizes), sum(size for _, size in sizes), forgotten, kept, names)


def _versions(store: Path, current: Manifest, keep: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the versions to keep and those to forget, ascending.

    The last ones stay: `keep` of them, or as a commit leaves them unless their files are large; and those with a tag.
    """
    numbers = kept_numbers(store)
    there = [number for number in numbers if number <= current.version]
    last = there[-(keep or KEPT_VERSIONS) :]
    if keep is None:
        spent = 0
        for number in reversed(last[:-2]):
            spent += version_path(store, number).stat().st_size
            if spent > MOST_VERSION_BYTES:
                last = [each for each in last if each > number]
                break
    kept = {*last, *current.tags.values(), current.version} & {*there, current.version}
    # A version above the current one is of a commit that was cut off: it never was.
    return tuple(sorted(kept)), tuple(number for number in numbers if number not in kept)


def _rubbish(store: Path, current: Manifest, kept: tuple[int, ...]) -> list[Path]:
    """Return our files and folders that no kept version names. Raises CorruptStoreError where a kept one cannot say what it names."""
    shards: set[str] = set()
    splits: set[str] = set()
    for number in kept:
        made = current if number == current.version else _parsed(store, number)
        shards |= files_of(made)
        splits |= set(made.splits.values())
    versions = {version_path(store, number).name for number in kept}
    found = []
    for folder, names in ((VERSIONS, versions), (SHARDS, shards), (SPLITS, splits)):
        if is_real_folder(store / folder):
            found += [store / folder / name for name in sorted(os.listdir(store / folder)) if OURS[folder](name) and name not in names]
    return [*found, *(store / name for name in sorted(os.listdir(store)) if LEFTOVER.fullmatch(name))]


def _parsed(store: Path, number: int) -> Manifest:
    try:
        return parse_version(store, number)
    except CorruptStoreError as error:
        problem = f"{error}; nothing was removed, because it is not known what version {number} needs"
        raise CorruptStoreError(f"{problem}. Forget it (untag it, `pixstore gc --keep N` with a smaller N), or restore the file") from error


def _remove(store: Path, rubbish: Sequence[Path]) -> None:
    """Remove the files of versions first, for good: no moment, not even a loss of power, leaves a version without what it names."""
    versions = [path for path in rubbish if path.parent.name == VERSIONS]
    with translated(store):
        for path in versions:
            remove(path)
        if versions:
            sync_folder(store / VERSIONS)
        for path in rubbish:
            if path.parent.name != VERSIONS:
                remove(path)


def _size(path: Path) -> tuple[int, int]:
    """Return (files, bytes) of a file, or of all files below a folder; a link counts as itself."""
    if path.is_symlink() or not path.is_dir():
        return 1, path.lstat().st_size
    return sum(len(names) for _, _, names in os.walk(path)), bytes_of(path)[0]
