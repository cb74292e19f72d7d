"""Blocks and entries of LevelDB's table files, each size checked before it is followed, each block against its checksum.

Table: blocks; at the end a footer of 48 bytes: handles (offset and size, varints) of the metaindex and of the index, magic number u64.
Block: content; a byte for its compression (0 none, 1 Snappy, 2 Zstandard); masked CRC-32C u32 of both. Content: entries; u32 offsets of
restarts; their number u32. Entry: varints of bytes shared with the key before, further bytes of the key, bytes of the value; key; value.
A key ends with 8 bytes: sequence number shifted left by 8, or'ed with 1 for a value and 0 for a deletion. Values of the index are handles.
Format: LevelDB, doc/table_format.md.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import google_crc32c
import pyarrow as pa

from pixstore import wire
from pixstore.errors import CorruptStoreError, IncompatibleStoreError, LimitExceededError, StoreTruncatedError
from pixstore.sources.leveldb.log import unmasked

FOOTER_BYTES = 48
MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
ROCKSDB_MAGIC = struct.pack("<Q", 0x88E241B785F4CFF7)
TRAILER_BYTES = 5
MOST_BLOCK_BYTES = 1 << 30
MOST_RATIO = 1 << 10
"""Snappy shrinks nothing by more than 22; Zstandard shrinks no large images by more than this."""
UNPACKED_BYTES = 1 << 26
"""What any block may unpack to, an image of one colour for instance."""
NONE, SNAPPY, ZSTANDARD = 0, 1, 2
CODECS = {SNAPPY: "snappy", ZSTANDARD: "zstd"}
SEQUENCE_BYTES = 8


class Handle(NamedTuple):
    """Where a block lies: its offset in the file and the size of its content as stored."""

    offset: int
    size: int


@dataclass(frozen=True)
class Block:
    """The content of a block, unpacked, and whether it lies in the file like this."""

    handle: Handle
    content: bytes
    is_plain: bool


class Entry(NamedTuple):
    """A key with its sequence number, whether it has a value, and where in the block's content that lies."""

    key: bytes
    sequence: int
    has_value: bool
    begin: int
    end: int


def read_table(descriptor: int, origin: str) -> Iterator[tuple[Block, Entry]]:
    """Yield all entries of an open table in the order of their keys, each with its block.

    Raises StoreTruncatedError, IncompatibleStoreError for a table of RocksDB, CorruptStoreError for what is damaged, LimitExceededError.
    """
    size = os.fstat(descriptor).st_size
    index = _index(descriptor, size, origin)
    previous_end = 0
    for _, begin, end in _entries(index, origin):
        handle = _handle(index.content, begin, end, origin)[0]
        if handle.offset < previous_end:
            raise CorruptStoreError(f"{origin}: blocks overlap at byte {handle.offset}; restore it from a copy")
        previous_end = handle.offset + handle.size
        block = read_block(descriptor, handle, origin)
        for key, begin_value, end_value in _entries(block, origin):
            if len(key) < SEQUENCE_BYTES:
                raise CorruptStoreError(f"{origin}: a key of {len(key)} bytes in the block at byte {handle.offset}; restore it from a copy")
            packed = int.from_bytes(key[-SEQUENCE_BYTES:], "little")
            yield block, Entry(key[:-SEQUENCE_BYTES], packed >> 8, bool(packed & 0xFF), begin_value, end_value)


def read_block(descriptor: int, handle: Handle, origin: str) -> Block:
    """Return a block, checked and unpacked. Raises CorruptStoreError, StoreTruncatedError, LimitExceededError before much is allocated."""
    size = os.fstat(descriptor).st_size
    if handle.size > MOST_BLOCK_BYTES:
        raise LimitExceededError(f"{origin}: a block of {handle.size} bytes, the limit is {MOST_BLOCK_BYTES}")
    if handle.offset + handle.size + TRAILER_BYTES > size:
        raise StoreTruncatedError(
            f"{origin}: a block ends at byte {handle.offset + handle.size + TRAILER_BYTES}, the file at {size}; get it again"
        )
    stored = os.pread(descriptor, handle.size + TRAILER_BYTES, handle.offset)
    if len(stored) < handle.size + TRAILER_BYTES:
        raise StoreTruncatedError(f"{origin}: became shorter while it was read; open it again when its writer is done")
    content, kind = stored[: handle.size], stored[handle.size]
    if google_crc32c.value(stored[: handle.size + 1]) != unmasked(int.from_bytes(stored[-4:], "little")):
        raise CorruptStoreError(f"{origin}: the block at byte {handle.offset} does not match its checksum; restore it from a copy")
    return Block(handle, content if kind == NONE else _unpacked(content, kind, f"{origin}, block at byte {handle.offset}"), kind == NONE)


def _index(descriptor: int, size: int, origin: str) -> Block:
    footer = os.pread(descriptor, FOOTER_BYTES, size - FOOTER_BYTES) if size >= FOOTER_BYTES else b""
    if footer.endswith(ROCKSDB_MAGIC):
        raise IncompatibleStoreError(f"{origin}: a table of RocksDB, only LevelDB's are read; copy the database with LevelDB")
    if not footer.endswith(MAGIC):
        raise StoreTruncatedError(f"{origin}: does not end like a table of LevelDB; it was perhaps not copied completely, get it again")
    _, place = _handle(footer, 0, FOOTER_BYTES, origin)
    return read_block(descriptor, _handle(footer, place, FOOTER_BYTES, origin)[0], origin)


def _handle(content: bytes, begin: int, end: int, origin: str) -> tuple[Handle, int]:
    offset, place = wire.varint(content, begin, end, origin=origin)
    size, place = wire.varint(content, place, end, origin=origin)
    return Handle(offset, size), place


def _unpacked(content: bytes, kind: int, origin: str) -> bytes:
    if kind not in CODECS:
        raise CorruptStoreError(f"{origin}: compression {kind} is none of LevelDB's; restore it from a copy")
    length = wire.varint(content, 0, len(content), origin=origin)[0] if kind == SNAPPY else _zstandard_length(content, origin)
    limit = min(MOST_BLOCK_BYTES, max(UNPACKED_BYTES, MOST_RATIO * len(content)))
    if length > limit:
        raise LimitExceededError(f"{origin}: {len(content)} bytes that unpack to {length}, the limit is {limit}")
    try:
        return bytes(pa.Codec(CODECS[kind]).decompress(content, length, asbytes=True))
    except (pa.ArrowException, OSError) as error:
        raise CorruptStoreError(f"{origin}: does not unpack: {error}; restore it from a copy") from error


def _zstandard_length(content: bytes, origin: str) -> int:
    """Return the size that a Zstandard frame states in its header (RFC 8878, 3.1.1.1)."""
    if content[:4] != b"\x28\xb5\x2f\xfd" or len(content) < 6:
        raise CorruptStoreError(f"{origin}: no Zstandard frame; restore it from a copy")
    descriptor = content[4]
    is_single, flag = descriptor >> 5 & 1, descriptor >> 6
    size_bytes = (is_single, 2, 4, 8)[flag]
    begin = 5 + (0 if is_single else 1) + (0, 1, 2, 4)[descriptor & 3]
    if not size_bytes or begin + size_bytes > len(content):
        raise CorruptStoreError(f"{origin}: a Zstandard frame that does not state its size; restore it from a copy")
    return int.from_bytes(content[begin : begin + size_bytes], "little") + (256 if size_bytes == 2 else 0)


def _entries(block: Block, origin: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield the keys of a block, and where their values begin and end."""
    content = block.content
    origin = f"{origin}, block at byte {block.handle.offset}"
    restarts = int.from_bytes(content[-4:], "little")
    end = len(content) - 4 * (restarts + 1)
    if len(content) < 4 or end < 0:
        raise CorruptStoreError(f"{origin}: {restarts} restarts in {len(content)} bytes; restore it from a copy")
    key, place = b"", 0
    while place < end:
        shared, place = wire.varint(content, place, end, origin=origin)
        further, place = wire.varint(content, place, end, origin=origin)
        length, place = wire.varint(content, place, end, origin=origin)
        if shared > len(key) or place + further + length > end:
            raise CorruptStoreError(f"{origin}: an entry leaves it: {shared}, {further} and {length} bytes; restore it from a copy")
        key = key[:shared] + content[place : place + further]
        place += further
        yield key, place, place + length
        place += length
