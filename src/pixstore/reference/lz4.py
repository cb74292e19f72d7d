"""Arrays in one LZ4 frame each (version 1.6 of the frame format): independent blocks, the array's size, a checksum at the end."""

from __future__ import annotations

import pyarrow as pa
import xxhash

from pixstore.headers import RecordFailedError

MAGIC = 0x184D2204.to_bytes(4, "little")
VERSION, INDEPENDENT, CONTENT_SIZE, CONTENT_CHECKSUM = 0x40, 0x20, 0x08, 0x04
HEADER_BYTES = 15
SIZES = {4: 64 << 10, 5: 256 << 10, 6: 1 << 20, 7: 4 << 20}
"""The largest block, by its code."""
IS_STORED = 1 << 31
LEAST_MATCH = 4


def decode_lz4(data: bytes, size: int) -> bytes:
    """Return the `size` bytes that the record's one frame says it has. Raises RecordFailedError."""
    largest, has_checksum = _header(data, size)
    out, at = bytearray(), HEADER_BYTES
    while word := _number(data, at):
        at += 4
        length = word & ~IS_STORED
        block = data[at : at + length]
        if len(block) < length:
            raise _truncated(data)
        room = min(largest, size - len(out))
        found = block if word & IS_STORED else decode_block(block, room)
        if len(found) != room:
            raise RecordFailedError("corrupt", f"LZ4: a block of {len(found)} bytes, not {room}")
        out += found
        at += length
    at += 4
    if len(out) != size:
        raise RecordFailedError("corrupt", f"LZ4: {len(out)} bytes, not {size}")
    if has_checksum:
        if _number(data, at) != xxhash.xxh32_intdigest(bytes(out)):
            raise RecordFailedError("corrupt", "LZ4: the checksum of the frame's content differs")
        at += 4
    if at != len(data):
        raise RecordFailedError("corrupt", f"LZ4: the frame has {at} bytes, the record {len(data)}")
    return bytes(out)


def encode_lz4(array: bytes) -> bytes:
    """Return an array as one frame with its size and a checksum."""
    code = next((code for code, size in SIZES.items() if size >= len(array)), 7)
    descriptor = bytes([VERSION | INDEPENDENT | CONTENT_SIZE | CONTENT_CHECKSUM, code << 4]) + len(array).to_bytes(8, "little")
    parts = [MAGIC, descriptor, bytes([xxhash.xxh32_intdigest(descriptor) >> 8 & 0xFF])]
    for start in range(0, len(array), SIZES[code]):
        block = array[start : start + SIZES[code]]
        packed = bytes(pa.Codec("lz4_raw").compress(block, asbytes=True))
        smaller = len(packed) < len(block)
        parts += [(len(packed) if smaller else len(block) | IS_STORED).to_bytes(4, "little"), packed if smaller else block]
    return b"".join([*parts, bytes(4), xxhash.xxh32_intdigest(array).to_bytes(4, "little")])


def _header(data: bytes, size: int) -> tuple[int, bool]:
    """Return the largest block of a frame of `size` bytes, and whether a checksum follows the blocks."""
    if data[:4] != MAGIC:
        raise RecordFailedError("corrupt", "LZ4: no frame begins here")
    if len(data) < HEADER_BYTES:
        raise _truncated(data)
    flags, code = data[4], data[5]
    if flags & ~CONTENT_CHECKSUM != VERSION | INDEPENDENT | CONTENT_SIZE:
        raise RecordFailedError("unsupported", f"LZ4: a frame of flags {flags:#010b}; independent blocks and its size are needed")
    if data[14] != xxhash.xxh32_intdigest(data[4:14]) >> 8 & 0xFF:
        raise RecordFailedError("corrupt", "LZ4: the checksum of the frame's header differs")
    stated = int.from_bytes(data[6:14], "little")
    if stated != size:
        raise RecordFailedError("mismatch", f"the LZ4 frame says it has {stated} bytes, the array has {size}")
    if code & 0x0F or code >> 4 not in SIZES:
        raise RecordFailedError("corrupt", f"LZ4: blocks of the unknown size {code:#04x}")
    return SIZES[code >> 4], bool(flags & CONTENT_CHECKSUM)


def decode_block(block: bytes, room: int) -> bytes:
    """Return the bytes of one block, `room` at most: literals and copies of what came before, in turn. Raises RecordFailedError."""
    out, at = bytearray(), 0
    while at < len(block):
        token = block[at]
        literals, at = _length(block, at + 1, token >> 4)
        if at + literals > len(block) or len(out) + literals > room:
            raise RecordFailedError("corrupt", f"LZ4: {literals} literals at byte {at} do not fit")
        out += block[at : at + literals]
        at += literals
        if at == len(block):
            return bytes(out)
        distance = int.from_bytes(block[at : at + 2], "little")
        match, at = _length(block, at + 2, token & 0x0F)
        match += LEAST_MATCH
        if at > len(block) or not 0 < distance <= len(out) or len(out) + match > room:
            raise RecordFailedError("corrupt", f"LZ4: {match} bytes from {distance} bytes back, which are not there or do not fit")
        pattern = bytes(out[-distance:])
        out += (pattern * -(-match // distance))[:match]
    raise RecordFailedError("corrupt", "LZ4: a block that ends with a copy, or is empty")


def _length(block: bytes, at: int, length: int) -> tuple[int, int]:
    """Return a length, which goes on in further bytes where its four bits are full, and where they end."""
    if length == 15:
        more = 255
        while more == 255:
            if at >= len(block):
                raise RecordFailedError("corrupt", "LZ4: a block that ends within a length")
            more = block[at]
            length += more
            at += 1
    return length, at


def _number(data: bytes, at: int) -> int:
    if at + 4 > len(data):
        raise _truncated(data)
    return int.from_bytes(data[at : at + 4], "little")


def _truncated(data: bytes) -> RecordFailedError:
    return RecordFailedError("corrupt", f"LZ4: truncated, the frame does not end within {len(data)} bytes")
