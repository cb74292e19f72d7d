"""Messages in the wire format of Protocol Buffers, read and written as plain data: no schema is compiled and no class is made.

A message is a run of fields, in any order, numbers may repeat. A field begins with a varint: field number shifted left by 3, or'ed with
the kind of what follows. Kinds: 0 a varint, 1 eight bytes, 2 a varint of length and that many bytes, 5 four bytes; 3 and 4 (groups) have
long been given up and are refused. A varint keeps 7 bits a byte, lowest first, all bytes but the last with their highest bit set; at most
10 bytes. Negative integers are their 64-bit two's complement. Numbers of fixed size are little-endian.
Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError
from pixstore.rows import Buffer

Message: TypeAlias = Buffer | mmap.mmap

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5

MOST_VARINT_BYTES = 10
MOST_FIELD_NUMBER = (1 << 29) - 1
ALL_BITS = (1 << 64) - 1


class WireField(NamedTuple):
    """One field of a message; its bytes are `message[begin:end]`, without the length that stands before them.

    `value` is the number of a varint (0 … 2**64 - 1, see `signed`), and 0 for the other kinds.
    """

    number: int
    kind: int
    value: int
    begin: int
    end: int


def fields(message: Message, begin: int, end: int, *, origin: str) -> Iterator[WireField]:
    """Yield the fields of the message in `message[begin:end]`, in order; what is yielded lies wholly within.

    Bytes are not copied and nested messages are not entered.
    Raises CorruptStoreError, naming `origin` and the byte, for what is no message.
    """
    if not 0 <= begin <= end <= len(message):
        raise CorruptStoreError(f"{origin}: bytes {begin} to {end} of {len(message)} are no message; get the file again")
    place = begin
    while place < end:
        tag, first = varint(message, place, end, origin=origin)
        number, kind = tag >> 3, tag & 7
        value = 0
        if kind == VARINT:
            value, last = varint(message, first, end, origin=origin)
        elif kind == BYTES:
            length, first = varint(message, first, end, origin=origin)
            last = first + length
        elif kind in (FIXED32, FIXED64):
            last = first + (8 if kind == FIXED64 else 4)
        else:
            raise CorruptStoreError(f"{origin}: byte {place} begins a field of kind {kind}, which there is none of; get the file again")
        if not 0 < number <= MOST_FIELD_NUMBER:
            raise CorruptStoreError(f"{origin}: byte {place} begins a field with the number {number}; get the file again")
        if last > end:
            raise CorruptStoreError(f"{origin}: field {number} ends at byte {last}, its message at {end}; get the file again")
        yield WireField(number, kind, value, first, last)
        place = last


def varint(message: Message, begin: int, end: int, *, origin: str) -> tuple[int, int]:
    """Return the unsigned number that begins here, and where what follows it begins. Raises CorruptStoreError where it does not end."""
    if begin < end and (first := message[begin]) < 0x80:
        return first, begin + 1
    value = shift = 0
    for place in range(begin, min(end, begin + MOST_VARINT_BYTES)):
        byte = message[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & ALL_BITS, place + 1
        shift += 7
    raise CorruptStoreError(f"{origin}: the number at byte {begin} does not end; get the file again")


def signed(value: int) -> int:
    """Return the integer (int32, int64) whose two's complement a varint holds."""
    return value - (1 << 64) if value >> 63 else value


def packed_varints(message: Message, begin: int, end: int, *, origin: str) -> NDArray[np.int64]:
    """Return the integers of a packed repeated field. Raises CorruptStoreError for a number that does not end."""
    content = np.frombuffer(message, np.uint8, end - begin, begin) if end > begin else np.zeros(0, np.uint8)
    last = np.flatnonzero(content < 0x80)
    if len(content) and (not len(last) or last[-1] != len(content) - 1):
        raise CorruptStoreError(f"{origin}: the last number before byte {end} does not end; get the file again")
    first = np.concatenate([[0], last[:-1] + 1]) if len(last) else last
    length = last + 1 - first
    if np.any(length > MOST_VARINT_BYTES):
        raise CorruptStoreError(f"{origin}: bytes {begin} to {end} hold a number of over {MOST_VARINT_BYTES} bytes; get the file again")
    shift = 7 * (np.arange(len(content)) - np.repeat(first, length))
    bits = (content & 0x7F).astype(np.uint64) << shift.astype(np.uint64)
    return np.bitwise_or.reduceat(bits, first).view(np.int64) if len(first) else np.zeros(0, np.int64)


def packed_floats(message: Message, begin: int, end: int, *, origin: str) -> NDArray[np.float32]:
    """Return the numbers of a packed repeated `float` field, a view where the machine is little-endian. Raises CorruptStoreError."""
    if (end - begin) % 4:
        raise CorruptStoreError(f"{origin}: bytes {begin} to {end} are no run of float32 numbers; get the file again")
    found: NDArray[np.float32] = np.frombuffer(message, "<f4", (end - begin) // 4, begin) if end > begin else np.zeros(0, "<f4")
    return found


def varint_bytes(value: int) -> bytes:
    """Return an integer of -2**63 … 2**64 - 1 as a varint."""
    value &= ALL_BITS
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def varint_field(number: int, value: int) -> bytes:
    """Return a field that holds an integer, bool or enum."""
    return varint_bytes(number << 3 | VARINT) + varint_bytes(value)


def bytes_field(number: int, content: Buffer) -> bytes:
    """Return a field that holds bytes, UTF-8 text or a message."""
    return b"".join((varint_bytes(number << 3 | BYTES), varint_bytes(len(content)), content))


def packed_varints_field(number: int, values: Sequence[int] | NDArray[np.integer[Any]]) -> bytes:
    """Return a packed repeated field of integers."""
    return bytes_field(number, b"".join(varint_bytes(int(value)) for value in values))


def packed_floats_field(number: int, values: Sequence[float] | NDArray[np.floating[Any]]) -> bytes:
    """Return a packed repeated field of float32 numbers."""
    return bytes_field(number, np.asarray(values, "<f4").tobytes())
