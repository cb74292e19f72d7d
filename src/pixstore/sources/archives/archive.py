"""Stream a tar archive, plain or compressed: regular members only, counted byte by byte, nothing ever unpacked to disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO, cast

from pixstore.errors import CorruptStoreError, LimitExceededError, PixstoreError, StoreTruncatedError
from pixstore.sources.foreign_file import open_regular

BLOCK = 512
CHUNK_BYTES = 1 << 20
# Image archives hardly shrink; one that unpacks to far more than its own size is a bomb.
FREE_BYTES = 64 << 20
MAX_RATIO = 20
MAX_TOTAL_BYTES = 4 << 30
DAMAGED = (OSError, EOFError, lzma.LZMAError, zlib.error, tarfile.HeaderError)


def has_tar_magic(head: bytes) -> bool:
    """Return whether these first bytes are those of a tar archive, or of gzip, xz or bzip2 data."""
    return head.startswith((b"\x1f\x8b", b"\xfd7zXZ\0", b"BZh")) or head.startswith(b"ustar", 257)


def first_names(path: Path, *, max_names: int = 4) -> list[str]:
    """Return the names of the first members, from the first 64 KiB at most; none where this is no readable tar archive."""
    names: list[str] = []
    # The end of the look-ahead, or no tar archive at all: what was found until there is the answer.
    with suppress(CorruptStoreError, LimitExceededError), closing(_Stream(path, max_bytes=64 << 10)) as stream:
        for header in _headers(stream):
            names.append(header.name)
            if len(names) == max_names:
                break
            stream.skip(_padded(header.size))
    return names


def read_members(path: Path, is_wanted: Callable[[str], bool], *, max_member_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of each regular member that is wanted, in the archive's order; all others are passed over.

    Raises StoreTruncatedError where the archive ends too early, CorruptStoreError where it is damaged, LimitExceededError for a
    member of more than `max_member_bytes` or an archive that unpacks to far more than its own size.
    """
    limit = min(MAX_TOTAL_BYTES, FREE_BYTES + MAX_RATIO * os.path.getsize(path))
    with closing(_Stream(path, max_bytes=limit)) as stream:
        for header in _headers(stream):
            if not header.isreg() or not is_wanted(header.name):
                stream.skip(_padded(header.size))
                continue
            if header.size > max_member_bytes:
                raise LimitExceededError(f"{path}: member {header.name!r} has {header.size} bytes, the limit is {max_member_bytes}")
            data = stream.exactly(header.size)
            stream.skip(_padded(header.size) - header.size)
            yield header.name, data


def first_bytes(path: Path, count: int) -> bytes:
    """Return the first unpacked bytes of a compressed file; none where it cannot be read or unpacked."""
    with suppress(PixstoreError), closing(_Stream(path, max_bytes=count)) as stream:
        return stream.read(count)
    return b""


def read_unpacked(path: Path, *, max_bytes: int) -> bytes:
    """Return the unpacked bytes of a compressed file, at most `max_bytes` of them, and no more than twenty times its own size.

    Raises StoreTruncatedError, CorruptStoreError, LimitExceededError.
    """
    limit = min(max_bytes, FREE_BYTES + MAX_RATIO * os.path.getsize(path))
    with closing(_Stream(path, max_bytes=limit + CHUNK_BYTES)) as stream:
        pieces = io.BytesIO()
        while piece := stream.read(CHUNK_BYTES):
            pieces.write(piece)
        return pieces.getvalue()


class _Stream:
    """The unpacked bytes of an archive, in order, up to a limit."""

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self.count = 0
        self._raw = io.BufferedReader(io.FileIO(open_regular(path)))
        self._file = _decompressed(self._raw)

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, fewer at the end only."""
        if self.count + size > self.max_bytes:
            raise LimitExceededError(f"{self.path}: unpacks to more than {self.max_bytes} bytes; unpack it yourself if you trust it")
        try:
            found = self._file.read(size)
        except MemoryError as error:
            raise LimitExceededError(f"{self.path}: asks for more memory to unpack than there is") from error
        except EOFError as error:
            raise StoreTruncatedError(f"{self.path}: the archive ends early, {self.count} bytes could be unpacked; get it again") from error
        except DAMAGED as error:
            raise CorruptStoreError(f"{self.path}: damaged, {self.count} bytes could be unpacked: {error}; get it again") from error
        self.count += len(found)
        return found

    def exactly(self, size: int) -> bytes:
        """Return `size` bytes, read in pieces so that a wrong size in a header allocates nothing."""
        pieces = io.BytesIO()
        left = size
        while left:
            piece = self.read(min(left, CHUNK_BYTES))
            if not piece:
                raise StoreTruncatedError(f"{self.path}: the archive ends {left} bytes before its last member does; get it again")
            pieces.write(piece)
            left -= len(piece)
        return pieces.getvalue()

    def skip(self, size: int) -> None:
        while size:
            piece = self.read(min(size, CHUNK_BYTES))
            if not piece:
                raise StoreTruncatedError(f"{self.path}: the archive ends {size} bytes before its last member does; get it again")
            size -= len(piece)

    def close(self) -> None:
        self._file.close()
        self._raw.close()


def _decompressed(raw: io.BufferedReader[io.FileIO]) -> BinaryIO:
    head = raw.peek(BLOCK)
    if head.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw, mode="rb"))
    if head.startswith(b"\xfd7zXZ\0"):
        return cast(BinaryIO, lzma.LZMAFile(raw))
    if head.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(raw))
    return cast(BinaryIO, raw)


def _headers(stream: _Stream) -> Iterator[tarfile.TarInfo]:
    """Yield the header of each member; the caller passes over the member's bytes before asking for the next."""
    while True:
        block = stream.read(BLOCK)
        if not block or not any(block):
            return
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise CorruptStoreError(f"{stream.path}: not a tar archive, or damaged, at unpacked byte {stream.count - BLOCK}") from error
        if header.size < 0:
            raise CorruptStoreError(f"{stream.path}: member {header.name!r} states a negative size")
        yield header


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
