"""Scan the folders below one: what their entries say, before any file is opened or any link followed.

A scan holds text in Arrow arrays, no object per file. Names are kept as keys (see image_names.py), folders with "/" at their end.
"""

from __future__ import annotations

import itertools
import os
import stat
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixstore.source import Skipped
from pixstore.sources.folders.image_names import METADATA_NAMES, images_among, is_hidden_folder, key_of, keys_below, name_of, why_left_out

Progress: TypeAlias = Callable[[int, int, int], None]

ENTRIES_AT_ONCE = 8192
KEYS_PER_CHUNK = 1 << 16
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
MARKS = 4
WORD = (1 << 64) - 1


@dataclass(frozen=True)
class Scan:
    """What lies below a folder, as its folders say.

    images: keys of the image files that may be read, ascending. unsure: keys of what more than its folder decides, links and files that may
    not be read, to be looked at each time. marks: device, inode, modification and change time (ns) of each folder, which are others
    as soon as an entry is added, removed or replaced. is_whole: whether every folder could be listed.
    """

    images: pa.Array
    unsure: pa.Array
    metadata: pa.Array
    skipped: pa.Array
    reasons: pa.Array
    folders: pa.Array
    marks: NDArray[np.uint64]
    is_whole: bool = True

    def left_out(self) -> list[Skipped]:
        """Return the entries that are no images, and why."""
        return [Skipped(*each) for each in zip(self.skipped.to_pylist(), self.reasons.to_pylist(), strict=True)]


class _Found:
    """The scan in the making."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._told = self._files = 0
        self._keys: list[str] = []
        self._chunks: list[pa.Array] = []
        self._marks = array("Q")
        self.unsure: list[str] = []
        self.metadata: list[str] = []
        self.skipped: list[tuple[str, str]] = []
        self.folders: list[str] = []
        self.is_whole = True

    def add_folder(self, key: str, status: os.stat_result) -> None:
        self.folders.append(key)
        self._marks.extend(marks_of(status))

    def add_images(self, keys: list[str]) -> None:
        self._keys += keys
        if len(self._keys) >= KEYS_PER_CHUNK:
            self._pack()

    def count_files(self, count: int) -> None:
        self._files += count
        if self._progress is not None and self._files - self._told >= ENTRIES_AT_ONCE:
            self._told = self._files
            self._progress(self._files, 0, 0)

    def _pack(self) -> None:
        self._chunks.append(_texts(self._keys))
        self._keys = []

    def finish(self) -> Scan:
        self._pack()
        self.skipped.sort(key=lambda each: each[0])
        return Scan(
            images=in_order(pa.concat_arrays(self._chunks)),
            unsure=_texts(self.unsure),
            metadata=_texts(self.metadata),
            skipped=_texts([key for key, _ in self.skipped]),
            reasons=_texts([reason for _, reason in self.skipped]),
            folders=_texts(self.folders),
            marks=np.array(self._marks, np.uint64).reshape(-1, MARKS),
            is_whole=self.is_whole,
        )


def _texts(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.string())


def scan(root: Path, progress: Progress | None = None) -> Scan:
    """Return what lies below the folder; `progress(files, 0, 0)` is called as it goes.

    What cannot be listed is left out with its reason. Links are never followed, but by the path of the folder itself.
    """
    found = _Found(progress)
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            folders.extend(sorted(_scan_folder(root, folder, found), reverse=True))
        except OSError as error:
            found.skipped.append((key_of(folder), f"folder cannot be listed: {error.strerror}"))
            found.is_whole = False
    return found.finish()


def _scan_folder(root: Path, folder: str, found: _Found) -> list[str]:
    """Add the entries of one folder; return the names of the folders within."""
    key = key_of(folder)
    inner: list[str] = []
    descriptor = open_folder(root, folder)
    try:
        # The marks come first: what is added while the folder is listed changes them.
        found.add_folder(key, os.fstat(descriptor))
        with os.scandir(descriptor) as entries:
            for chunk in _chunks(entries):
                files = [entry.name for entry in chunk if entry.is_file(follow_symlinks=False)]
                _add_files(files, key, descriptor, found)
                if len(files) < len(chunk):
                    others = [entry for entry in chunk if not entry.is_file(follow_symlinks=False)]
                    inner += [f"{folder}{entry.name}/" for entry in others if _is_folder_to_scan(entry, key, found)]
    finally:
        os.close(descriptor)
    return inner


def _chunks(entries: Iterator[os.DirEntry[str]]) -> Iterator[list[os.DirEntry[str]]]:
    while chunk := list(itertools.islice(entries, ENTRIES_AT_ONCE)):
        yield chunk


def _add_files(names: list[str], folder: str, descriptor: int, found: _Found) -> None:
    images = sorted(images_among(names))
    readable = [name for name in images if os.access(name, os.R_OK, dir_fd=descriptor)]
    found.add_images(keys_below(folder, readable))
    found.count_files(len(names))
    if len(readable) < len(images):
        found.unsure += keys_below(folder, sorted(set(images) - set(readable)))
    if len(images) < len(names):
        others = sorted(set(names) - set(images))
        found.metadata += keys_below(folder, [name for name in others if name in METADATA_NAMES])
        found.skipped += [(folder + key_of(name), why_left_out(name)) for name in others if name not in METADATA_NAMES]


def _is_folder_to_scan(entry: os.DirEntry[str], folder: str, found: _Found) -> bool:
    """Return whether this entry is a folder to go into; note everything else."""
    key = folder + key_of(entry.name)
    if entry.is_symlink():
        found.unsure.append(key)
    elif not entry.is_dir(follow_symlinks=False):
        found.skipped.append((key, f"not a regular file but {_kind(entry)}"))
    elif is_hidden_folder(entry.name):
        found.skipped.append((f"{key}/", "hidden or system folder"))
    else:
        return True
    return False


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
    except OSError as error:
        return f"something that cannot be looked at: {error.strerror}"
    kinds = ((stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))
    return next((name for is_kind, name in kinds if is_kind(mode)), "something special")


def open_folder(root: Path, folder: str) -> int:
    """Return a descriptor of a folder below the root; a link in its place is refused."""
    if not folder:
        return os.open(root, FOLDER_FLAGS)
    # With its "/" at the end, a link would be followed all the same.
    return os.open(os.path.join(root, folder.rstrip("/")), FOLDER_FLAGS | os.O_NOFOLLOW)


def marks_of(status: os.stat_result) -> tuple[int, int, int, int]:
    """Return device, inode, modification time and change time of a folder, each in 64 bits."""
    return status.st_dev & WORD, status.st_ino & WORD, status.st_mtime_ns & WORD, status.st_ctime_ns & WORD


def is_unchanged(root: Path, scanned: Scan) -> bool:
    """Return whether every folder is the one that was scanned, with the entries it had then."""
    for start in range(0, len(scanned.folders), ENTRIES_AT_ONCE):
        stop = start + ENTRIES_AT_ONCE
        for key, marks in zip(scanned.folders[start:stop].to_pylist(), scanned.marks[start:stop].tolist(), strict=True):
            try:
                status = os.stat(os.path.join(root, name_of(key).rstrip("/")) if key else root, follow_symlinks=not key)
            except OSError:
                return False
            if marks != list(marks_of(status)):
                return False
    return True


def in_order(keys: pa.Array) -> pa.Array:
    """Return the keys in ascending order of their code points."""
    if pc.all(pc.less(keys[:-1], keys[1:]), min_count=0).as_py():
        return keys
    return keys.take(pc.array_sort_indices(keys))
