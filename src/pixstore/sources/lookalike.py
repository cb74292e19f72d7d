"""Say what a path looks like, for the message that pixstore does not open it."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from pathlib import Path

from pixstore.sources.foreign_file import read_head

HEAD_BYTES = 1024
MAX_ENTRIES = 1000
SHOWN = 5

IMAGE_MAGICS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF8", "a GIF image"),
    (0, b"BM", "a BMP image"),
    (0, b"II*\0", "a TIFF image"),
    (0, b"MM\0*", "a TIFF image"),
    (0, b"II+\0", "a TIFF image"),
    (0, b"MM\0+", "a TIFF image"),
    (8, b"WEBP", "a WebP image"),
    (0, b"P1", "a PBM image"),
    (0, b"P2", "a PGM image"),
    (0, b"P3", "a PPM image"),
    (0, b"P4", "a PBM image"),
    (0, b"P5", "a PGM image"),
    (0, b"P6", "a PPM image"),
)

MAGICS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"version https://git-lfs", "a Git LFS pointer instead of the file itself; fetch it with 'git lfs pull'"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (0, b"\x0e\x03\x13\x01", "an HDF4 file; convert it to HDF5"),
    (16, b"\xde\xc0\xef\xbe", "an LMDB environment whose values are neither images nor arrays of a known layout"),
    (16, b"\xbe\xef\xc0\xde", "an LMDB environment from a machine of the other byte order; dump and load it there"),
    (12, b"\xde\xc0\xef\xbe", "an LMDB environment from a 32-bit machine; dump it there with mdb_dump"),
    (0, b"PK\x03\x04", "a zip archive that holds neither images nor arrays, or is damaged"),
    (0, b"PK\x05\x06", "an empty zip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (0, b"Rar!", "a RAR archive; unpack it first"),
    (257, b"ustar", "a tar archive that is damaged"),
    (0, b"\x1f\x8b", "gzip-compressed data that is neither a tar archive nor an IDX file; unpack it first"),
    (0, b"\xfd7zXZ\0", "xz-compressed data that is no tar archive; unpack it first"),
    (0, b"BZh", "bzip2-compressed data that is no tar archive; unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "zstd-compressed data; unpack it first"),
    (0, b"\x93NUMPY", "a NumPy array file"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"ARROW1", "an Arrow file"),
    (0, b"SQLite format 3\0", "an SQLite database"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\0\0\x08\x01", "an IDX file of labels; open the images beside it"),
    (0, b"\0\0\x08\x03", "an IDX file of images"),
    (0, b"\0\0\x01\0", "an icon file, which is not decoded"),
    (4, b"ftypavif", "an AVIF image, which is not decoded"),
    (4, b"ftypheic", "a HEIC image, which is not decoded"),
    *((0, bytes([0x80, version]), f"a Python pickle (protocol {version}); it was not loaded") for version in range(2, 6)),
)


# Protocol 0 has no mark of its own: it begins with the name of something to call, or with a dict that is remembered.
OLD_PICKLE = re.compile(rb"c[A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n|\((d|l)p[0-9]+\n")


def is_image(head: bytes) -> bool:
    """Return whether these first bytes are those of an image that is decoded."""
    return any(head.startswith(magic, offset) for offset, magic, _ in IMAGE_MAGICS)


def describe(path: Path) -> str:
    """Return "it looks like …" for any path, from its kind, its first bytes or the names in a folder; never raises."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return "it is a broken link" if os.path.islink(path) else "it does not exist or cannot be looked at"
    if stat.S_ISDIR(mode):
        return _describe_folder(path)
    if not stat.S_ISREG(mode):
        return "it is not a regular file (a FIFO, socket or device); it was not opened"
    return _describe_head(read_head(path, HEAD_BYTES), os.path.getsize(path), path.name)


def _describe_head(head: bytes, size: int, name: str) -> str:
    if size == 0:
        return "it is an empty file (0 bytes)"
    if not head:
        return "it cannot be read; check its permissions"
    for offset, magic, what in (*MAGICS, *IMAGE_MAGICS):
        if head.startswith(magic, offset):
            return f"it looks like {what}"
    if not any(head):
        return f"its first {len(head)} bytes are zeros; the file was perhaps not copied completely"
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "it looks like an HTML page; a download perhaps failed"
    if b"<svg" in head:
        return "it looks like an SVG drawing, which is not made of pixels"
    if name.endswith((".pkl", ".pickle")) or OLD_PICKLE.match(head):
        return "it looks like a Python pickle; it was not loaded"
    if name.endswith((".tfrecord", ".tfrecords")):
        return "it has the name of a TFRecord file, and does not begin as one; get the file again"
    return _describe_bytes(head)


def _describe_bytes(head: bytes) -> str:
    # Forty bytes may end within a character; what twenty characters show is whole.
    text = head[:40].decode("utf-8", "surrogateescape")[:20]
    if "".join(text.split()).isprintable():
        return f"it looks like text that starts with {text!r}"
    return f"it starts with the bytes {head[:8].hex(' ')}, which are unknown to pixstore"


def _describe_folder(path: Path) -> str:
    try:
        with os.scandir(path) as entries:
            found = [entry for _, entry in zip(range(MAX_ENTRIES), entries, strict=False)]
    except OSError as error:
        return f"it is a folder that cannot be listed: {error.strerror}; check its permissions"
    if not found:
        return "it is an empty folder"
    if "data.mdb" in [entry.name for entry in found]:
        return _describe_inner(path / "data.mdb")
    if len(found) <= SHOWN:
        content = [repr(entry.name) for entry in found]
    else:
        kinds = Counter("folder" if entry.is_dir(follow_symlinks=False) else _suffix(entry.name) for entry in found)
        content = [f"{count} × {kind}" for kind, count in kinds.most_common(SHOWN)]
    return f"it is a folder without images or a known layout; it holds {', '.join(sorted(content))}"


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower() or "no suffix"


def _describe_inner(path: Path) -> str:
    return f"its {path.name}: {_describe_head(read_head(path, HEAD_BYTES), os.path.getsize(path), path.name)}"
