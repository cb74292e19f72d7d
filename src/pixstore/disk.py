"""What the store asks of the file system: durable writes, atomic replacement, and its refusals in our words."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pixstore.errors import PixstoreError, ReadOnlyError, StoreFullError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def sync_file(path: Path) -> None:
    """Return when the file's bytes are on the medium."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Return when the folder's entries (names, not contents) are on the medium."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, data: bytes, *, durable: bool) -> None:
    """Write a new file. Raises FileExistsError if there is one."""
    with open(path, "xb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def replace_file(path: Path, data: bytes, *, durable: bool) -> None:
    """Put `data` at `path` in one step: readers see the whole former file or the whole new one."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with suppress(FileNotFoundError):
        partial.unlink()
    try:
        write_file(partial, data, durable=durable)
        os.replace(partial, path)
    except BaseException:
        remove(partial)
        raise
    if durable:
        sync_folder(path.parent)


def make_folders(path: Path, *, durable: bool) -> None:
    """Make a folder and those above it that are not there. With `durable`, their names are on the medium when this returns."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    with translated(path):
        path.mkdir(parents=True, exist_ok=True)
        for each in missing if durable else ():
            sync_folder(each.parent)


def remove(path: Path) -> None:
    """Remove a file or a folder with all it holds; nothing happens where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        return
    with suppress(FileNotFoundError):
        path.unlink()


def bytes_of(path: Path) -> tuple[int, int]:
    """Return (apparent, allocated) bytes of a file, or of all files below a folder."""
    if not path.is_dir():
        status = path.lstat()
        return status.st_size, status.st_blocks * 512
    apparent = allocated = 0
    for folder, _, names in os.walk(path):
        status = os.lstat(folder)
        allocated += status.st_blocks * 512
        for name in names:
            status = os.lstat(os.path.join(folder, name))
            apparent += status.st_size
            allocated += status.st_blocks * 512
    return apparent, allocated


@contextmanager
def translated(path: Path, *, needed: int | None = None) -> Iterator[None]:
    """Turn the system's refusal to write at `path` into StoreFullError or ReadOnlyError; other errors pass unchanged."""
    try:
        yield
    except PixstoreError:
        raise
    except OSError as error:
        raise refusal(error, path, needed=needed) from error


def refusal(error: OSError, path: Path, *, needed: int | None = None) -> OSError:
    """Return our error for the system's refusal to write at `path`, or the same error where it is another matter."""
    if error.errno in FULL:
        return StoreFullError(error.errno, f"{path}: {full_words(path, needed)}; free some space, then run the same again")
    if error.errno in REFUSED:
        return ReadOnlyError(
            error.errno, f"{path}: cannot be written ({os.strerror(error.errno)}); choose another place or mend the permissions"
        )
    return error


def full_words(path: Path, needed: int | None) -> str:
    asked = "" if needed is None else f", {needed:,} bytes needed"
    with suppress(OSError):
        place = path if path.exists() else path.parent
        return f"no space left{asked}, {shutil.disk_usage(place).free:,} bytes free"
    return f"no space left{asked}"


NETWORK = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "glusterfs",
    "9p",
    "afs",
    "fuse.sshfs",
    "fuse.glusterfs",
}


def is_network(path: Path) -> bool:
    """Return whether the path lies on a network file system, where a mapped file may fail under the reader."""
    return file_system(path) in NETWORK


def file_system(path: Path) -> str:
    """Return the type of the file system that holds the path, as /proc/self/mountinfo names it; "" where that is unknown."""
    place = os.path.realpath(path)
    best, kind = "", ""
    try:
        lines = os.fsdecode(Path("/proc/self/mountinfo").read_bytes()).rstrip("\n").split("\n")
    except OSError:
        return ""
    for line in lines:
        before, _, after = line.partition(" - ")
        # Space, tab, newline and backslash stand as three octal digits.
        mount = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), before.split(" ")[4])
        inside = place == mount or place.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, after.split(" ")[0]
    return kind
