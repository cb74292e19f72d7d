"""What in a folder is ours, told by its name: nothing else is ever removed, whatever stands beside it.

    shards/<16 hex>.arrow  .keys  .partial  .<extension of an engine>
    versions/<8 digits or more>.json
    splits/<name>.<16 hex>.arrow
    manifest.json  bad.csv  duplicates.csv  lost.csv  .lock

A file that is being replaced has ".<pid>.partial" behind its name. Links to folders are not followed: they are somebody's, not ours.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pixstore import registry
from pixstore.disk import remove
from pixstore.errors import DependencyError, InvalidInputError
from pixstore.lock import NAME as LOCK
from pixstore.manifest import NAME as MANIFEST

SHARDS, VERSIONS, SPLITS = "shards", "versions", "splits"
EXTENSIONS = frozenset((
    *(".arrow", ".keys", ".partial", ".bin", ".files", ".lmdb", ".h5"),
    *(".tar", ".feather", ".parquet", ".zarr", ".tiledb", ".leveldb", ".rocksdb", ".sqlite"),
))  # fmt: skip
"""Of what stands in `shards`; engines of plugins have others."""
SHARD_ID = 16
LISTS = frozenset(("bad.csv", "duplicates.csv", "lost.csv"))
"""What a conversion or a repair puts beside the manifest before its first commit."""
LEFTOVER = re.compile(r"(manifest\.json|bad\.csv|duplicates\.csv|lost\.csv)\.\d+\.partial", re.ASCII)
"""What a killed process leaves of a file that it was about to put beside the manifest, or to replace there."""
VERSION = re.compile(r"\d{8,}\.json(\.\d+\.partial)?", re.ASCII)
SPLIT = re.compile(r"\w[\w.-]{0,99}\.[0-9a-f]{16}\.arrow(\.[0-9]+\.partial)?")
KEPT = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.ENOENT, errno.EBUSY}
"""Why a folder stays: others' files are in it, it is a link or a mount, or it is gone already."""


def is_our_shard_file(name: str) -> bool:
    """Return whether an entry of `shards` has a name that writers give: of a file, of a folder of files, of a shard in the making."""
    shard, extension = name[:SHARD_ID], name[SHARD_ID:]
    return re.fullmatch(r"[0-9a-f]{16}", shard) is not None and (extension in EXTENSIONS or extension in _plugin_extensions())


def is_our_version(name: str) -> bool:
    """Return whether an entry of `versions` has the name of a version's file, or of one in the making."""
    return VERSION.fullmatch(name) is not None


def is_our_split(name: str) -> bool:
    """Return whether an entry of `splits` has the name of a saved split, which ends with a digest, or of one in the making."""
    return SPLIT.fullmatch(name) is not None


OURS = {SPLITS: is_our_split, VERSIONS: is_our_version, SHARDS: is_our_shard_file}
"""In the order of removal: lists and splits count as ours only beside the others, wherever it is cut off."""


def is_real_folder(path: Path) -> bool:
    """Return whether a folder itself is there, not a link to one."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return stat.S_ISDIR(path.lstat().st_mode)
    return False


def holds_only_ours(place: Path) -> bool:
    """Return whether everything in a folder is ours, as a killed writer leaves it; so is an empty folder.

    Lists and splits count as ours only beside shards, versions and a lock.
    """
    if not place.is_dir():
        return False
    names = os.listdir(place)
    is_begun = {SHARDS, VERSIONS, LOCK} <= set(names)
    return all(_is_ours(place, name, is_begun=is_begun) for name in names)


def _is_ours(place: Path, name: str, *, is_begun: bool) -> bool:
    """Return whether an entry of a store's folder is ours, with all that it holds."""
    if name in OURS:
        return (is_begun or name != SPLITS) and _holds_only(place / name, OURS[name])
    if is_real_folder(place / name):
        return False
    if name in LISTS:
        return is_begun
    return name == LOCK or LEFTOVER.fullmatch(name) is not None or (name == MANIFEST and _is_manifest(place / name))


def _holds_only(folder: Path, is_ours: Callable[[str], bool]) -> bool:
    return is_real_folder(folder) and all(map(is_ours, os.listdir(folder)))


def remove_ours(place: Path) -> None:
    """Remove a store, whole or half made, but nothing that is not ours: folders that hold something else stay, with that in them.

    Call with the writer's lock held. The manifest goes first, so that what is left at any moment is no store; the lock goes last.
    """
    names = os.listdir(place)
    if _is_manifest(place / MANIFEST):
        remove(place / MANIFEST)
    for name in names:
        if (name in LISTS or LEFTOVER.fullmatch(name)) and not is_real_folder(place / name):
            remove(place / name)
    for folder, is_ours in OURS.items():
        if is_real_folder(place / folder):
            for name in filter(is_ours, os.listdir(place / folder)):
                remove(place / folder / name)
            _remove_folder(place / folder)
    remove(place / LOCK)
    _remove_folder(place)


def _is_manifest(path: Path) -> bool:
    with suppress(OSError), open(path, "rb") as file:
        return file.read(64).lstrip().startswith(b'{"pixstore":')
    return False


def _remove_folder(path: Path) -> None:
    try:
        path.rmdir()
    except OSError as error:
        if error.errno not in KEPT:
            raise


@functools.cache
def _plugin_extensions() -> frozenset[str]:
    found = set()
    for name in set(registry.engine_names()) - set(registry.ENGINES):
        # One that does not load has written nothing that we could tell from others' files.
        with suppress(DependencyError, InvalidInputError):
            found.add(registry.engine(name).extension)
    return frozenset(found)
