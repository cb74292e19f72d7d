"""Members of tar archives: names that WebDataset groups by sample, and the blocks that stand before their bytes.

POSIX.1-2001 (pax) in blocks of 512 bytes: a header says name, size and a checksum of itself in octal; bytes follow, filled up to whole
blocks; two empty blocks end the archive. Names of more than 100 bytes and sizes of 8 GiB and more stand in a header of their own before.
WebDataset cuts a name at its first dot: what stands before is the sample, what follows the field.
"""

from __future__ import annotations

import hashlib
import tarfile
from functools import cache

from pixstore.engines.file_names import HASH_BYTES, escape

BLOCK_BYTES = 512
END_BYTES = 2 * BLOCK_BYTES
MOST_PLAIN_NAME = 100
MOST_PLAIN_BYTES = 8 << 30
MODE = 0o644
SIZE_PLACE = 124
CHECKSUM_PLACE = 148
MAIN_FIELD = "image"
MOST_SAMPLE_NAME = 180
"""So that the name stays below what file systems take, with field, suffix and a mark behind it."""
NO_KEY = "~"


def ending_of(field: str, suffix: str) -> str:
    """Return what follows the sample in its member's name: the suffix alone for `image`, field and suffix for others."""
    return suffix if field == MAIN_FIELD else f".{escape(field)}{suffix}"


def sample_of(key: str, mark: str = "") -> str:
    """Return the sample's part of a member's name: the key, escaped, without a dot; `mark` begins with `~`, which no escaped key holds."""
    name = escape(key).replace(".", "%2E") or NO_KEY
    if len(name) > MOST_SAMPLE_NAME:
        hashed = hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=HASH_BYTES).hexdigest()
        name = f"{name[: MOST_SAMPLE_NAME - len(hashed) - 1]}~{hashed}"
    return f"{name}{mark}"


@cache
def _template() -> tuple[bytes, int]:
    """Return a header without name and size, its checksum as spaces, and the sum of its bytes."""
    info = tarfile.TarInfo("")
    info.mode = MODE
    block = bytearray(info.tobuf(tarfile.PAX_FORMAT)[:BLOCK_BYTES])
    block[SIZE_PLACE : SIZE_PLACE + 11] = bytes(11)
    block[CHECKSUM_PLACE : CHECKSUM_PLACE + 8] = b" " * 8
    return bytes(block), sum(block)


def header(name: str, size: int) -> bytes:
    """Return the blocks before a member's bytes, the same for the same name and size."""
    plain = name.encode("ascii")
    if len(plain) > MOST_PLAIN_NAME or size >= MOST_PLAIN_BYTES:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, MODE
        return info.tobuf(tarfile.PAX_FORMAT)
    block, total = _template()
    digits = b"%011o" % size
    checksum = total + sum(plain) + sum(digits)
    return b"".join([
        plain, block[len(plain) : SIZE_PLACE], digits, block[SIZE_PLACE + 11 : CHECKSUM_PLACE],
        b"%06o\0 " % checksum, block[CHECKSUM_PLACE + 8 :],
    ])  # fmt: skip


def padding(size: int) -> int:
    """Return how many empty bytes fill up the last block of so many bytes."""
    return -size % BLOCK_BYTES
