"""The file under HDF5 while a shard is written: refusals of the system are kept from the library, which does not survive them.

HDF5 writes part of a file when it closes it. Where the system refuses that, the file stays half closed within the library, and closing
another one later ends the process. So the library is told that every write went well, what follows a refused one is dropped, and who
writes the shard asks afterwards whether it is whole.

A process that was forked meanwhile closes the file too, when it ends. What its library would write then is older than what is there, so
none but the process that made the file writes to it.
"""

from __future__ import annotations

import io
import os
from typing import Any


class LastingFile(io.RawIOBase):
    """A file for h5py over an open descriptor, which it leaves open."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._place = 0
        self._refusal: OSError | None = None
        self._owner = os.getpid()

    def require_whole(self) -> None:
        """Raise the error with which the system refused to write something, if it did."""
        if self._refusal is not None:
            raise self._refusal

    @property
    def _writes(self) -> bool:
        return self._refusal is None and os.getpid() == self._owner

    def write(self, data: Any) -> int:
        """Write all of it at the current place, unless something was refused before or this is another process."""
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view) and self._writes:
                done += os.pwrite(self._descriptor, view[done:], self._place + done)
        except OSError as error:
            self._refusal = error
        self._place += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Make the file this long, unless something was refused before or this is another process."""
        length = self._place if size is None else size
        try:
            if self._writes:
                os.ftruncate(self._descriptor, length)
        except OSError as error:
            self._refusal = error
        return length

    def readinto(self, buffer: Any) -> int:
        """Read at the current place; what was dropped reads as zeros."""
        view = memoryview(buffer).cast("B")
        count = os.preadv(self._descriptor, [view], self._place)
        if self._refusal is not None:
            view[count:] = bytes(len(view) - count)
            count = len(view)
        self._place += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._place}
        self._place = (starts[whence] if whence in starts else os.fstat(self._descriptor).st_size) + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
