"""Touch files that others made: only regular files are opened, and sizes are checked before bytes are read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TypeAlias

from pixstore.errors import (
    LimitExceededError,
    MissingRecordError,
    PathNotFoundError,
    PixstoreError,
    ReadFailedError,
    StoreBusyError,
    UnsafeInputError,
)

FileState: TypeAlias = tuple[int, int, int]
"""Inode, size and modification time (ns) of a file: any writer that goes through the system changes it."""

# A FIFO or a device that takes a file's place must not make the open wait.
OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
MAX_READ_BYTES = 1 << 30


def is_regular(path: Path) -> bool:
    """Return whether the path is a file with bytes: no folder, FIFO, device or broken link."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def state_of(path: str | Path) -> FileState:
    """Return what changes when the file does. Raises PathNotFoundError where it is gone."""
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise PathNotFoundError(f"{path}: does not exist") from error
    return status.st_ino, status.st_size, status.st_mtime_ns


def refuse_changed(path: str | Path, state: FileState) -> None:
    """Raise StoreBusyError for a file whose places were found when it was another."""
    if state_of(path) != state:
        raise StoreBusyError(f"{path}: was changed after it was opened; open it again when its writer is done")


def read_head(path: Path, size: int) -> bytes:
    """Return up to `size` first bytes; none where the path is no regular file or cannot be read."""
    try:
        descriptor = open_regular(path)
    except PixstoreError:
        return b""
    try:
        return os.pread(descriptor, size, 0)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def read_whole(path: Path, *, max_bytes: int) -> bytes:
    """Return all bytes of a file. Raises LimitExceededError, before reading, for one of more than `max_bytes`."""
    descriptor = open_regular(path)
    with open(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        if size > max_bytes:
            raise LimitExceededError(f"{path}: {size} bytes, the limit for such a file is {max_bytes}")
        try:
            return file.read(size)
        except OSError as error:
            raise ReadFailedError(f"{path}: cannot be read: {error.strerror}; check the disk") from error


def open_regular(path: str | Path) -> int:
    """Return a descriptor of a regular file.

    Raises PathNotFoundError, UnsafeInputError for a FIFO, device or folder, ReadFailedError where the system refuses.
    """
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except FileNotFoundError as error:
        raise PathNotFoundError(f"{path}: does not exist") from error
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENODEV):
            raise UnsafeInputError(f"{path}: is not a regular file; only files are read") from error
        raise ReadFailedError(f"{path}: cannot be opened: {error.strerror}; check its permissions") from error
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise UnsafeInputError(f"{path}: is not a regular file; only files are read")


def read_range(path: str, offset: int, length: int) -> bytes:
    """Return `length` bytes from `offset`, or the whole file for a negative length.

    Raises MissingRecordError where the file is missing or ends before, ReadFailedError, LimitExceededError beyond 1 GiB.
    """
    try:
        descriptor = open_regular(path)
    except PathNotFoundError as error:
        raise MissingRecordError(str(error)) from error
    try:
        size = os.fstat(descriptor).st_size
        wanted = size if length < 0 else length
        if wanted > MAX_READ_BYTES:
            raise LimitExceededError(f"{path}: a record of {wanted} bytes, the limit is {MAX_READ_BYTES}")
        if offset + wanted > size:
            raise MissingRecordError(f"{path}: bytes {offset} to {offset + wanted} are asked for, the file ends at {size}")
        found = os.pread(descriptor, wanted, offset)
    except OSError as error:
        raise ReadFailedError(f"{path}: cannot be read: {error.strerror}; check the disk") from error
    finally:
        os.close(descriptor)
    if len(found) != wanted:
        raise MissingRecordError(f"{path}: {wanted} bytes from {offset} are asked for, {len(found)} came; the file was changed")
    return found
