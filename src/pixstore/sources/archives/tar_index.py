"""Where the members of a plain tar archive lie: its headers are read one after the other, its contents are not.

Headers of 512 bytes as in POSIX.1-2017 (pax, "ustar Interchange Format") and the GNU tar manual ("Basic Tar Format"): old, ustar, pax and
GNU long names. Nothing is unpacked; a name is never a path here. Links, devices and names that lead out of a folder are refused.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pixstore.errors import CorruptStoreError, LimitExceededError, StoreTruncatedError, UnsafeInputError
from pixstore.sources.archives.content import Content

BLOCK = 512
WINDOW_BYTES = 8192
MAX_NAME_BYTES = 1 << 20
MAX_MEMBER_BYTES = 1 << 44
MAX_MEMBERS = 100_000_000
TAIL_BYTES = 1 << 20
PLAIN = (b"0", b"\0", b"7")
REFUSED = {b"1": "a hard link", b"2": "a link", b"3": "a device", b"4": "a device", b"6": "a FIFO"}
SPARSE = "is sparse: it states more bytes than it has; pack it again without --sparse"


@dataclass
class Members:
    """The regular members of an archive in order: name, place of the header, place and bytes of the content."""

    names: list[str] = field(default_factory=list)
    header: list[int] = field(default_factory=list)
    offset: list[int] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Header(NamedTuple):
    name: bytes
    size: int
    kind: bytes


class _Walk:
    """One pass over the headers."""

    def __init__(self, content: Content, origin: str) -> None:
        self.content = content
        self.origin = origin
        self.found = Members()
        self._window = b""
        self._start = 0

    def run(self) -> Members:
        at, found = 0, self.found
        long_name: bytes | None = None
        while True:
            block = self._block(at)
            if len(block) == BLOCK and not any(block):
                self._end(at + BLOCK)
                return found
            header = self._header(block, at)
            start = at + BLOCK
            at = start + -(-header.size // BLOCK) * BLOCK
            if header.kind in b"xgLK":
                long_name = self._extended(header, start, long_name)
                continue
            self._regular(header, start, long_name)
            long_name = None

    def _block(self, at: int) -> bytes:
        place = at - self._start
        if not 0 <= place <= len(self._window) - BLOCK:
            self._window, self._start, place = self.content.read(at, WINDOW_BYTES), at, 0
        return self._window[place : place + BLOCK]

    def _header(self, block: bytes, at: int) -> _Header:
        if len(block) < BLOCK:
            what = "within a header" if block else "without its end mark"
            raise StoreTruncatedError(f"{self.origin}: the archive ends {what} at byte {at + len(block)}, {self._last()}; get it again")
        # Adler-32's low half is 1 + the sum of all bytes, modulo 65521: far quicker than adding them here.
        expected = _number(block[148:156]) + 1 + sum(block[148:156]) - 8 * 32
        if (zlib.adler32(block) & 0xFFFF) != expected % 65521:
            raise CorruptStoreError(f"{self.origin}: damaged, or no tar archive: no header at byte {at}, {self._last()}; get it again")
        name = block[:100].partition(b"\0")[0]
        if block[257:263] == b"ustar\0" and block[345]:
            name = block[345:500].partition(b"\0")[0] + b"/" + name
        kind, size = block[156:157], _number(block[124:136])
        if size < 0:
            raise CorruptStoreError(f"{self.origin}: member {_shown(name)} at byte {at} states a negative size; get it again")
        if kind == b"5" or kind in REFUSED:
            # What has no content may state a size all the same.
            size = 0
        if size > MAX_MEMBER_BYTES:
            raise LimitExceededError(
                f"{self.origin}: member {_shown(name)} at byte {at} states {size} bytes, the limit is {MAX_MEMBER_BYTES}"
            )
        return _Header(name, size, kind)

    def _extended(self, header: _Header, start: int, long_name: bytes | None) -> bytes | None:
        """Return the name that a pax or GNU header gives to the next member."""
        if header.size > MAX_NAME_BYTES:
            raise LimitExceededError(
                f"{self.origin}: a header with further attributes at byte {start - BLOCK} states {header.size} bytes, "
                f"the limit is {MAX_NAME_BYTES}"
            )
        data = self.content.read(start, header.size)
        if len(data) < header.size:
            self._refuse_cut(header.name, start, header.size)
        if header.kind == b"L":
            return data.partition(b"\0")[0]
        if header.kind == b"x":
            return self._pax_path(data, start) or long_name
        return long_name

    def _pax_path(self, data: bytes, start: int) -> bytes | None:
        """Return the attribute "path" of a pax header, whose records are "length key=value" and a new line."""
        path = None
        at = 0
        while at < len(data) and data[at]:
            length, space, _ = data[at : at + 20].partition(b" ")
            if not space or not length.isdigit() or not len(length) + 3 <= int(length) <= len(data) - at:
                raise CorruptStoreError(f"{self.origin}: damaged attributes of a member at byte {start + at}; get it again")
            key, _, value = data[at + len(length) + 1 : at + int(length) - 1].partition(b"=")
            if key == b"path":
                path = value
            elif key.startswith(b"GNU.sparse."):
                raise LimitExceededError(f"{self.origin}: the member after byte {start} {SPARSE}")
            elif key == b"size":
                # Only what no older header can state, more than 8 GiB, needs this.
                raise LimitExceededError(
                    f"{self.origin}: the member after byte {start} states {_shown(value)} bytes, more than an image has"
                )
            at += int(length)
        return path

    def _regular(self, header: _Header, start: int, long_name: bytes | None) -> None:
        name = header.name if long_name is None else long_name
        if header.kind not in PLAIN and not self._is_file(header.kind, name, start):
            return
        if name[-1:] == b"/":
            return
        if name[:1] == b"/" or (b".." in name and b".." in name.replace(b"\\", b"/").split(b"/")):
            raise UnsafeInputError(f"{self.origin}: member {_shown(name)} at byte {start - BLOCK} has a name that leads elsewhere")
        if start + header.size > self.content.size:
            self._refuse_cut(name, start, header.size)
        found = self.found
        if len(found.names) >= MAX_MEMBERS:
            raise LimitExceededError(f"{self.origin}: more than {MAX_MEMBERS} members")
        found.names.append(name.decode("utf-8", "surrogateescape").removeprefix("./"))
        found.header.append(start - BLOCK)
        found.offset.append(start)
        found.size.append(header.size)

    def _is_file(self, kind: bytes, name: bytes, start: int) -> bool:
        """Return False for a folder or a kind that nobody knows, which is noted. Raises an error for links, devices and sparse files."""
        if kind in REFUSED:
            raise UnsafeInputError(
                f"{self.origin}: member {_shown(name)} at byte {start - BLOCK} is {REFUSED[kind]}, which is not followed; "
                "pack the archive again without it (tar --dereference --hard-dereference)"
            )
        if kind == b"S":
            raise LimitExceededError(f"{self.origin}: member {_shown(name)} at byte {start - BLOCK} {SPARSE}")
        if kind != b"5":
            self.found.notes.append(f"{self.origin}: member {_shown(name)} is of the unknown kind {kind!r} and was left out")
        return False

    def _refuse_cut(self, name: bytes, start: int, size: int) -> None:
        raise StoreTruncatedError(
            f"{self.origin}: member {_shown(name)} has {size} bytes from {start}, the archive ends at {self.content.size}; "
            f"{self._last()}; get it again"
        )

    def _last(self) -> str:
        found = self.found
        if not found.names:
            return "with no whole member before"
        return f"the last whole member is {found.names[-1]!r} at byte {found.header[-1]}"

    def _end(self, at: int) -> None:
        """Look at what follows the end mark: an archive appended there would be lost, anything else is noted."""
        for piece in self._rest(at):
            if any(piece[1]):
                break
        else:
            return
        offset, data = piece
        first = offset + (len(data) - len(data.lstrip(b"\0"))) // BLOCK * BLOCK
        if self.content.read(first + 257, 5) == b"ustar":
            raise CorruptStoreError(
                f"{self.origin}: a second archive follows the end mark, at byte {first}; join them with tar --concatenate"
            )
        self.found.notes.append(f"{self.origin}: {self.content.size - first} bytes after the end of the archive were not read")

    def _rest(self, at: int) -> Iterator[tuple[int, bytes]]:
        while at < self.content.size:
            data = self.content.read(at, TAIL_BYTES)
            if not data:
                return
            yield at, data
            at += len(data)


def members_of(content: Content, origin: str) -> Members:
    """Return the regular members of a plain tar archive, in order.

    Raises StoreTruncatedError, naming the last whole member, where it ends early or without its end mark, CorruptStoreError for damage,
    UnsafeInputError for links, devices and names that lead elsewhere, LimitExceededError for sizes that no image has.
    """
    return _Walk(content, origin).run()


def _number(data: bytes) -> int:
    """Return an octal number, or one of base 256 where the first bit is set (the GNU way for more than 8 GiB); -1 where it is none."""
    if data[0] & 0x80:
        return int.from_bytes(bytes([data[0] & 0x7F]) + data[1:], "big") if data[0] == 0x80 else -1
    digits = data.strip(b" \0")
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        return -1


def _shown(name: bytes) -> str:
    return repr(name[:200].decode("utf-8", "backslashreplace"))
