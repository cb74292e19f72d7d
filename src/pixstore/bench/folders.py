"""Folders for stores that do not disturb each other.

ext4 does not give a deleted file's inode away again for some minutes, and looks past each of them when a file is made nearby: making
20,000 files in the place of 20,000 just deleted took up to thirty times as long as the first time. A folder marked as a top of
unrelated hierarchies (`chattr +T`) has its sub-folders spread over the disk by their names, so a store in a folder of a new name
meets an untouched neighbourhood. See docs/decisions/0003-fresh-folders.md.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
from contextlib import suppress
from pathlib import Path

GET_FLAGS = 0x80086601
SET_FLAGS = 0x40086602
TOP_OF_HIERARCHIES = 0x00020000


class StoreFolders:
    """Hands out a fresh folder for every store of a way, and removes the one before."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made = 0
        self._current: dict[str, Path] = {}
        spread(root)

    def fresh(self, name: str) -> Path:
        """Return an empty folder for a store of this way, never of a name used before; its store before is removed."""
        self.remove(name)
        self._current[name] = self.another(name)
        return self._current[name]

    def another(self, name: str) -> Path:
        """Return an empty folder of a name never used before, which stays until it is discarded."""
        self._made += 1
        place = self._root / f"{self._made}-{name.replace('/', '+')}"
        place.mkdir()
        return place

    def discard(self, place: Path) -> None:
        shutil.rmtree(place, ignore_errors=True)

    def clear(self) -> None:
        """Remove everything."""
        self._current.clear()
        for place in self._root.iterdir():
            self.discard(place)

    def current(self, name: str) -> Path:
        """Return where this way's last store is."""
        return self._current.get(name, self._root / "nothing-stored")

    def remove(self, name: str) -> None:
        if name in self._current:
            shutil.rmtree(self._current.pop(name), ignore_errors=True)


def spread(folder: Path) -> None:
    """Ask the file system to keep sub-folders of this one apart; nothing happens where it knows no such wish."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            flags = struct.unpack("l", fcntl.ioctl(descriptor, GET_FLAGS, struct.pack("l", 0)))[0]
            fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("l", flags | TOP_OF_HIERARCHIES))
    finally:
        os.close(descriptor)
