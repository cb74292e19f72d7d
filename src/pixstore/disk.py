"""What the store asks of the file system: durable writes, atomic replacement, and its refusals in our words."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pixstore.errors import PathNotFoundError, PixstoreError, ReadOnlyError, StoreFullError

FULL = {
    errno.ENOSPC: "no space left",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "above the largest file that is allowed (ulimit -f, or the file system's)",
}
GONE = {errno.ENOENT, errno.ESTALE}
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
    """Turn the system's refusal to write at `path` into StoreFullError, ReadOnlyError or PathNotFoundError, as `refusal` says."""
    try:
        yield
    except PixstoreError:
        raise
    except OSError as error:
        raise refusal(error, path, needed=needed) from error


def refusal(error: OSError, path: Path, *, needed: int | None = None) -> OSError:
    """Return our error for the system's refusal to write at `path`, or the same error where it is another matter."""
    if error.errno in FULL:
        return StoreFullError(error.errno, f"{path}: {full_words(error.errno, path, needed)}; free some space, then run the same again")
    if error.errno in REFUSED:
        return ReadOnlyError(
            error.errno, f"{path}: cannot be written ({os.strerror(error.errno)}); choose another place or mend the permissions"
        )
    if error.errno in GONE and not isinstance(error, PixstoreError):
        gone = error.filename or path
        return PathNotFoundError(error.errno, f"{gone}: gone while {path} was written; whoever moved or removed it should put it back")
    if error.errno == errno.EIO and not (isinstance(error.filename, str) and os.path.isabs(error.filename)):
        return OSError(error.errno, "input/output error: the medium or its connection fails; what was committed before is kept", str(path))
    return error


def full_words(code: int, path: Path, needed: int | None) -> str:
    """Return in words that there is no room for `needed` more bytes at `path`, and how much is free there."""
    asked = "" if needed is None else f", {needed:,} bytes needed"
    with suppress(OSError):
        place = path if path.exists() else path.parent
        status = os.statvfs(place)
        if code == errno.ENOSPC and status.f_files and not status.f_favail:
            return f"no inodes left, so no more files, though {shutil.disk_usage(place).free:,} bytes are free{asked}"
        return f"{FULL[code]}{asked}, {shutil.disk_usage(place).free:,} bytes free"
    return f"{FULL[code]}{asked}"


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
