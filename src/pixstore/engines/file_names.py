"""File names for keys, and what a record's file holds besides its bytes (see files.py)."""

from __future__ import annotations

import hashlib
import io
import re
from functools import lru_cache

import numpy as np

from pixstore.schema import Format

MOST_NAME_BYTES = 255
HASH_BYTES = 16
SUFFIXES = {"raw": ".npy", "jpeg": ".jpg", "tiff": ".tif", "zstd": ".zst"}
UNSAFE = re.compile(r"[^a-z0-9_.-]+|^\.")
SAFE_BYTES = np.isin(np.arange(256), np.frombuffer(b"abcdefghijklmnopqrstuvwxyz0123456789_.-", np.uint8))
"""Whether a byte of a key stands in its file name as it is, but for a dot at the beginning."""
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(?=\.|$)")


def escape(key: str, suffix: str = "", mark: str = "") -> str:
    """Return the file name of a key: different for different keys on every file system, at most 255 bytes.

    `suffix` begins with the only dot in it; `mark` begins with `~`, which no escaped key holds.
    """
    name = UNSAFE.sub(_percent, key)
    if RESERVED.match(name):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if len(name) + len(mark) + len(suffix) > MOST_NAME_BYTES:
        mark = f"~{hashlib.blake2b(_utf8(key), digest_size=HASH_BYTES).hexdigest()}{mark}"
        name = name[: MOST_NAME_BYTES - len(mark) - len(suffix)]
    return f"{name}{mark}{suffix}"


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in _utf8(match[0]))


def _utf8(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def suffix_of(form: Format) -> str:
    """Return the suffix of files of this format, with its dot."""
    if form.codec == "raw" and not form.is_known:
        return ".raw"
    return SUFFIXES.get(form.codec or "", f".{re.sub('[^a-z0-9]', '', (form.codec or '').lower()) or 'bin'}")


@lru_cache(1024)
def npy_header(form: Format) -> bytes:
    """Return what stands before the bytes of an array in its .npy file; nothing for other formats."""
    if form.codec != "raw" or form.shape is None or form.dtype is None:
        return b""
    header = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(np.dtype(form.dtype).newbyteorder("<"))
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": form.shape})
    return header.getvalue()
