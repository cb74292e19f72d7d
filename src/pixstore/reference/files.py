"""Whole files: their sizes and times, and the hashes of their tiles."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pixstore.headers import RecordFailedError
from pixstore.reference.hashes import hash_bytes
from pixstore.reference.places import Failure, Paths, check, path_count, path_of


def stat_files(paths: Paths, *, threads: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Failure]]:
    """Return size and modification time (nanoseconds since 1970) of each regular file, -1 where there is none."""
    count = path_count(paths)
    sizes, times = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
    failures: list[Failure] = []
    for index in range(count):
        try:
            sizes[index], times[index] = stamp_of(path_of(paths, index))
        except RecordFailedError as error:
            failures.append((index, error.kind, error.detail))
    return sizes, times, failures


def stamp_of(path: str | int) -> tuple[int, int]:
    """Return size and modification time of a regular file, by its path or descriptor. Raises RecordFailedError."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RecordFailedError("missing", "no such file") from error
    except (OSError, ValueError) as error:
        raise RecordFailedError("read", str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise RecordFailedError("read", "not a regular file")
    return status.st_size, status.st_mtime_ns


def hash_file_tiles(path: str, tile_bytes: int, *, threads: int = 0) -> NDArray[np.uint64]:
    """Return what `hash_tiles` returns for the content of a file. Raises OSError where it cannot be read."""
    if tile_bytes < 1:
        raise ValueError(f"tile_bytes must be at least 1, not {tile_bytes}")
    stamp_of_regular(path)
    hashes: Sequence[int] = []
    with open(path, "rb") as file:
        hashes = [hash_bytes(tile) for tile in iter(lambda: file.read(tile_bytes), b"")]
    return np.array(hashes, np.uint64)


def check_tiles(
    path: str,
    tile_bytes: int,
    tiles: NDArray[np.int64],
    *,
    offset: NDArray[np.int64],
    length: NDArray[np.int64],
    checksums: NDArray[np.uint64],
    seeds: NDArray[np.uint64],
    threads: int = 0,
) -> tuple[NDArray[np.uint64], list[Failure], list[Failure]]:
    """Hash these tiles of a file, and compare n records of the file with their checksums; return hashes, unread tiles, failed records."""
    if tile_bytes < 1:
        raise ValueError(f"tile_bytes must be at least 1, not {tile_bytes}")
    if tiles.min(initial=0) < 0 or bool(np.any(np.diff(tiles) <= 0)):
        raise ValueError("`tiles` are the numbers of tiles, ascending, each once")
    hashes = np.zeros(len(tiles), np.uint64)
    unread: list[Failure] = []
    try:
        stamp_of_regular(path)
        with open(path, "rb") as file:
            for index, tile in enumerate(tiles.tolist()):
                file.seek(tile * tile_bytes)
                hashes[index] = hash_bytes(file.read(tile_bytes))
    except OSError as error:
        kind = "missing" if isinstance(error, FileNotFoundError | NotADirectoryError) else "read"
        unread = [(index, kind, str(error)) for index in range(len(tiles))]
    place = [path], np.zeros(len(offset), np.uint32), offset, length
    return hashes, unread, check(place, checksums=checksums, seeds=seeds)


def stamp_of_regular(path: str) -> None:
    """Raise OSError where the path leads to no regular file: opening a FIFO would wait for its writer."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(f"{path}: not a regular file")
