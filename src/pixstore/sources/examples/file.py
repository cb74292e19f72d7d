"""The records of a TFRecord file, each with its two checksums compared.

A record is its length (8 bytes, little-endian), the masked CRC-32C of these 8 bytes, the data, and the masked CRC-32C of the data. A file
has no header and no end mark. Format: tensorflow.org/tutorials/load_data/tfrecord.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import google_crc32c

from pixstore.errors import CorruptStoreError, LimitExceededError, StoreTruncatedError
from pixstore.sources.foreign_file import open_regular, read_head, read_whole

Data: TypeAlias = bytes | mmap.mmap

HEAD = struct.Struct("<QI")
TAIL_BYTES = 4
MASK_DELTA = 0xA282EAD8
GZIP_MAGIC = b"\x1f\x8b"
GZIP_BITS = 31
HEAD_BYTES = 512
MAX_RECORD_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 1 << 30


def masked_checksum(data: bytes) -> int:
    """Return the CRC-32C of some bytes as TFRecord keeps it: rotated by 15 bits, plus a constant."""
    found: int = google_crc32c.value(data)
    return ((found >> 15 | found << 17) + MASK_DELTA) & 0xFFFFFFFF


def is_tfrecord(path: Path) -> bool:
    """Return whether a file, or what gzip makes of it, begins with a length and the checksum of it."""
    head = read_head(path, HEAD_BYTES)
    if head.startswith(GZIP_MAGIC):
        try:
            head = zlib.decompressobj(GZIP_BITS).decompress(head, HEAD.size)
        except zlib.error:
            return False
    return len(head) >= HEAD.size and masked_checksum(head[:8]) == HEAD.unpack_from(head)[1]


def is_compressed(path: Path) -> bool:
    return read_head(path, len(GZIP_MAGIC)) == GZIP_MAGIC


@contextmanager
def record_data(path: Path) -> Iterator[Data]:
    """Yield the bytes of a file: mapped, or unpacked in memory where it is compressed. Raises LimitExceededError for over 1 GiB."""
    if is_compressed(path):
        yield _unpacked(path)
        return
    descriptor = open_regular(path)
    try:
        size = os.fstat(descriptor).st_size
        data: Data = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) if size else b""
    finally:
        os.close(descriptor)
    try:
        yield data
    finally:
        if isinstance(data, mmap.mmap):
            data.close()


def records(data: Data, path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (where its data begin, data) of each record, in order.

    Raises CorruptStoreError for a checksum that differs, StoreTruncatedError where the file ends within a record.
    """
    place, size, number = 0, len(data), 0
    while place < size:
        head = data[place : place + HEAD.size]
        if len(head) < HEAD.size:
            raise StoreTruncatedError(f"{path}: ends at byte {size}, within the head of record {number}; get the file again")
        length, checksum = HEAD.unpack(head)
        if masked_checksum(head[:8]) != checksum:
            raise CorruptStoreError(
                f"{path}: record {number} at byte {place}: its length does not have the checksum that is beside it; get the file again"
            )
        if length > MAX_RECORD_BYTES:
            raise LimitExceededError(f"{path}: record {number} has {length} bytes, the limit is {MAX_RECORD_BYTES}")
        begin = place + HEAD.size
        end = begin + length
        if end + TAIL_BYTES > size:
            raise StoreTruncatedError(f"{path}: ends at byte {size}, record {number} at byte {end + TAIL_BYTES}; get the file again")
        content = data[begin:end]
        if masked_checksum(content).to_bytes(TAIL_BYTES, "little") != data[end : end + TAIL_BYTES]:
            raise CorruptStoreError(f"{path}: record {number} at byte {place}: its data do not have their checksum; get the file again")
        yield begin, content
        place, number = end + TAIL_BYTES, number + 1


def _unpacked(path: Path) -> bytes:
    packed = read_whole(path, max_bytes=MAX_UNPACKED_BYTES)
    unpacker = zlib.decompressobj(GZIP_BITS)
    try:
        found = unpacker.decompress(packed, MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise CorruptStoreError(f"{path}: does not unpack as gzip: {error}; get the file again") from error
    if unpacker.unconsumed_tail:
        raise LimitExceededError(f"{path}: unpacks to over {MAX_UNPACKED_BYTES} bytes; unpack it to a file (gzip -d)")
    if not unpacker.eof:
        raise StoreTruncatedError(f"{path}: the compressed data end too early; get the file again")
    if unpacker.unused_data:
        raise CorruptStoreError(f"{path}: {len(unpacker.unused_data)} bytes follow the compressed data; unpack it to a file (gzip -d)")
    return found
