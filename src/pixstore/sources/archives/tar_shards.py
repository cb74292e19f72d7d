"""Tar shards as one run of members: plain archives lie in their files, compressed ones are unpacked into memory, within a limit."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixstore.errors import LimitExceededError, NotAStoreError
from pixstore.rows import Extents, Indices, Slices
from pixstore.sources.archives.archive import has_tar_magic, read_unpacked
from pixstore.sources.archives.content import FileContent, MemoryContent
from pixstore.sources.archives.sample_columns import Read
from pixstore.sources.archives.sample_groups import NONE, Samples
from pixstore.sources.archives.tar_index import Members, members_of
from pixstore.sources.foreign_file import read_head

MAX_UNPACKED_BYTES = 1 << 30


@dataclass
class Shards:
    """Shards and their members; `offset` and `size` are those of all members, within `memory` where shards were compressed."""

    files: list[Path]
    members: list[Members]
    memory: bytes | None
    offset: Indices
    size: Indices
    _opened: tuple[int, FileContent] | None = None

    @classmethod
    def of(cls, files: list[Path], stack: ExitStack) -> Shards:
        """Read the headers of the archives; `stack` closes what is opened later. Raises a PixstoreError that names archive and place."""
        packed = [is_packed(file) for file in files]
        if any(packed) and not all(packed):
            raise NotAStoreError(f"{files[packed.index(True)]}: is compressed, other shards are not; unpack it with gunzip")
        members: list[Members] = []
        unpacked: list[bytes] = []
        for file in files:
            if any(packed):
                unpacked.append(_unpacked(file, MAX_UNPACKED_BYTES - sum(map(len, unpacked))))
                members.append(members_of(MemoryContent(unpacked[-1]), str(file)))
            else:
                # One at a time: a process may have fewer files open than there are shards.
                with closing(FileContent(file)) as content:
                    members.append(members_of(content, str(file)))
        starts = np.cumsum([0, *map(len, unpacked)])[: len(unpacked)] if unpacked else [0] * len(files)
        offset = np.concatenate([np.array(each.offset, np.int64) + start for each, start in zip(members, starts, strict=True)])
        size = np.concatenate([np.array(each.size, np.int64) for each in members])
        shards = cls(files, members, b"".join(unpacked) if unpacked else None, offset, size)
        stack.callback(shards.close)
        return shards

    def close(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None

    def reader(self, samples: Samples) -> Read:
        """Return what gives the bytes of a member by its number."""
        first = np.array(samples.first_member)

        def read(member: int) -> bytes:
            offset, size = int(self.offset[member]), int(self.size[member])
            if self.memory is not None:
                return self.memory[offset : offset + size]
            return self._content(int(np.searchsorted(first, member, side="right")) - 1).read(offset, size)

        return read

    def _content(self, shard: int) -> FileContent:
        """Return a shard to read from; the one before is closed, for members are asked for in order."""
        if self._opened is None or self._opened[0] != shard:
            self.close()
            self._opened = shard, FileContent(self.files[shard])
        return self._opened[1]

    def place(self, samples: Samples, members: Indices) -> Extents | Slices:
        """Return where these members lie, one for each sample or NONE."""
        present = members != NONE
        chosen = np.where(present, members, 0)
        offset, size = np.where(present, self.offset[chosen], -1), np.where(present, self.size[chosen], 0)
        if self.memory is not None:
            return Slices(self.memory, offset.clip(0), np.where(present, size, -1))
        return Extents([str(file) for file in self.files], samples.shard_of_sample.astype(np.uint32), offset, size)


def is_packed(file: Path) -> bool:
    """Return whether a file is compressed as tar archives are."""
    head = read_head(file, 512)
    return has_tar_magic(head) and not head.startswith(b"ustar", 257)


def _unpacked(file: Path, budget: int) -> bytes:
    try:
        return read_unpacked(file, max_bytes=budget)
    except LimitExceededError as error:
        raise LimitExceededError(f"{error}; unpacked (gunzip, unxz, bunzip2) it is read in place, at any size") from error
