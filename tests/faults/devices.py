"""Small file systems of our own: an ext4 on a loop device that can lose power, a tmpfs that can be full."""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IMAGE_BYTES = 64 << 20
SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32): from then on the file system writes nothing."""
LOG_FLUSH, NO_LOG_FLUSH = 1, 2
"""Whether the journal is written out before: both are moments at which power may go."""
ROOMY_BYTES = 256 << 20


def command(*words: str | os.PathLike[str]) -> None:
    """Run a command; raises RuntimeError with what it said where it fails."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(os.fspath, words))}: {done.stderr.strip()}")


@functools.cache
def why_no_mounts(kind: str) -> str:
    """Return why "ext4" (on a loop device) or "tmpfs" cannot be mounted here; "" where it can."""
    if os.geteuid() != 0:
        return "needs root, to mount a file system of its own"
    needed = [name for name in ("mount", "umount", *(["mkfs.ext4"] if kind == "ext4" else [])) if shutil.which(name) is None]
    if needed:
        return f"needs {needed[0]}"
    try:
        with tempfile.TemporaryDirectory() as folder, mounted_tmpfs(Path(folder, "tmpfs"), 2 * IMAGE_BYTES) as place:
            if kind == "ext4":
                make_image(place / "image")
                with mounted_image(place / "image", place / "disk"):
                    pass
    except (RuntimeError, OSError) as error:
        return f"{kind} cannot be mounted here ({error})"
    return ""


def make_image(image: Path) -> None:
    """Make a file that holds an empty ext4."""
    with open(image, "xb") as file:
        file.truncate(IMAGE_BYTES)
    command("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)


def copy_image(image: Path, copy: Path) -> None:
    command("cp", "--sparse=always", image, copy)


@contextmanager
def mounted_image(image: Path, place: Path) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    command("mount", "-o", "loop", image, place)
    try:
        yield place
    finally:
        command("umount", place)


@contextmanager
def mounted_tmpfs(place: Path, size: int, *, inodes: int = 0) -> Iterator[Path]:
    """Mount a tmpfs of so many bytes, and of so many files and folders where that is not 0."""
    place.mkdir(exist_ok=True)
    command("mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={inodes}", "pixstore-faults", place)
    try:
        yield place
    finally:
        command("umount", place)


def give_space(place: Path) -> None:
    """Let a tmpfs of ours have as much as anybody needs."""
    command("mount", "-o", f"remount,size={ROOMY_BYTES},nr_inodes=0", place)


def cut_power(place: Path, flag: int) -> None:
    """Shut the ext4 down as if power went: nothing that is not on the device yet gets there."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", flag))
    finally:
        os.close(descriptor)
