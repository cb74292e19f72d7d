"""Arrays in one Zstandard frame each (RFC 8878); Arrow's codec inflates and deflates, the frame's outline is read here."""

from __future__ import annotations

import pyarrow as pa

from pixstore.headers import RecordFailedError

MAGIC = 0xFD2FB528.to_bytes(4, "little")
RAW_BLOCK, RUN_BLOCK, PACKED_BLOCK = range(3)
SIZE_BYTES = (0, 2, 4, 8)
DICTIONARY_BYTES = (0, 1, 2, 4)
RESERVED = 0x08


def decode_zstd(data: bytes, size: int) -> bytes:
    """Return the `size` bytes that the record's one frame says it has. Raises RecordFailedError."""
    stated, begin, has_checksum = _header(data)
    if stated is None:
        raise RecordFailedError("unsupported", "zstd: a frame that does not say how many bytes it has")
    if stated != size:
        raise RecordFailedError("mismatch", f"the zstd frame says it has {stated} bytes, the array has {size}")
    end = _blocks_end(data, begin) + 4 * has_checksum
    if end != len(data):
        raise RecordFailedError("corrupt", f"zstd: the frame has {end} bytes, the record {len(data)}")
    try:
        return bytes(pa.Codec("zstd").decompress(data, size, asbytes=True))
    except OSError as error:
        raise RecordFailedError("corrupt", f"zstd: {error}") from error


def encode_zstd(array: bytes, level: int) -> bytes:
    """Return an array as one frame that says how many bytes it has."""
    return bytes(pa.Codec("zstd", compression_level=level).compress(array, asbytes=True))


def _header(data: bytes) -> tuple[int | None, int, bool]:
    """Return the size that the frame states, where its blocks begin, and whether a checksum follows them."""
    if data[:4] != MAGIC:
        raise RecordFailedError("corrupt", "zstd: no frame begins here")
    descriptor = data[4] if len(data) > 4 else 0
    is_single = bool(descriptor & 0x20)
    size_bytes = SIZE_BYTES[descriptor >> 6] or is_single
    at = 5 + (not is_single) + DICTIONARY_BYTES[descriptor & 3]
    if len(data) < at + size_bytes or descriptor & RESERVED:
        raise RecordFailedError("corrupt", "zstd: truncated, or a damaged frame header")
    size = int.from_bytes(data[at : at + size_bytes], "little") + (256 if size_bytes == 2 else 0)
    return size if size_bytes else None, at + size_bytes, bool(descriptor & 4)


def _blocks_end(data: bytes, at: int) -> int:
    is_last = False
    while not is_last:
        header = int.from_bytes(data[at : at + 3], "little")
        is_last, kind, length = bool(header & 1), header >> 1 & 3, header >> 3
        at += 3 + (1 if kind == RUN_BLOCK else length)
        if at > len(data) or kind > PACKED_BLOCK:
            raise RecordFailedError("corrupt", f"zstd: truncated or damaged, the block before byte {at} does not end within the record")
    return at
