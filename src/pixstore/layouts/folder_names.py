"""File names for samples and classes: keys as they are where they are safe as paths, else escaped, and no two alike.

Signs that some system or some reader gives a meaning become `%` and two hexadecimal digits. What would be called like another file, or
like a folder that others lie in, gets `~` and a hash of its key, which no other name holds.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from pixstore.engines.file_names import escape
from pixstore.sources.folders.image_names import IMAGE_SUFFIXES

UNSAFE = re.compile(r'[\x00-\x1f\x7f%~\\:*?"<>|]|^[. ]|[. ]$')
NOTHING = "%-"
HIDDEN = "__MACOSX"
MOST_PART_BYTES = 200
MOST_PATH_BYTES = 1000
HASH_BYTES = 16

SUFFIXES = {
    "png": (".png",),
    "jpeg": (".jpg", ".jpeg"),
    "bmp": (".bmp",),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
    "ppm": (".ppm", ".pgm"),
}
"""Codecs whose files torchvision's ImageFolder looks at, with the suffixes by which it knows them."""


def folder_name(text: str) -> str:
    """Return the name of one folder for a text; different ones for different texts."""
    name = _safe_part(text).replace("/", "%2F")
    return name if _fits(name) else _hashed(text, "")


def stems(keys: Sequence[str], folders: Sequence[str]) -> list[str]:
    """Return where each sample's file goes, without its suffix: within its folder (split and class), which its key may name already."""
    found = [_stem(key, folder) for key, folder in zip(keys, folders, strict=True)]
    counts = Counter(found)
    above = {stem[:end] for stem in found for end in _ends_of_folders(stem)}
    # A file's suffix comes behind its stem, so a folder may be called like the whole file; keys have suffixes of either case.
    files = {suffix for each in SUFFIXES.values() for suffix in each}
    like_files = {stem for stem, dot, suffix in (folder.rpartition(".") for folder in above) if dot + suffix.lower() in files}
    return [
        stem if counts[stem] == 1 and _fits(stem) and stem not in like_files else _hashed(key, folder)
        for key, folder, stem in zip(keys, folders, found, strict=True)
    ]


def suffix(key: str, codec: str) -> str:
    """Return the suffix of a file of this codec: the key's own one where it says what the file is."""
    own = "." + key.rpartition(".")[2]
    return own if own.lower() in SUFFIXES[codec] else SUFFIXES[codec][0]


def _stem(key: str, folder: str) -> str:
    name, dot, ending = key.rpartition(".")
    path = "/".join(map(_safe_part, (name if dot and ending.lower() in IMAGE_SUFFIXES and not name.endswith("/") else key).split("/")))
    parts = folder.split("/") if folder else []
    for skipped in range(len(parts)):
        inside = "/".join(parts[skipped:]) + "/"
        if path.startswith(inside):
            path = path.removeprefix(inside)
            break
    return "/".join([*parts, path])


def _safe_part(part: str) -> str:
    """Return one part of a path with what is not safe escaped."""
    if not part:
        return NOTHING
    return f"%5F{part[1:]}" if part == HIDDEN else UNSAFE.sub(_percent, part)


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def _fits(stem: str) -> bool:
    return len(stem.encode()) <= MOST_PATH_BYTES and all(len(part.encode()) <= MOST_PART_BYTES for part in stem.split("/"))


def _ends_of_folders(stem: str) -> list[int]:
    return [place for place, sign in enumerate(stem) if sign == "/"]


def _hashed(key: str, folder: str) -> str:
    digest = hashlib.blake2b(key.encode(), digest_size=HASH_BYTES).hexdigest()
    name = f"{escape(key)[:MOST_PART_BYTES]}~{digest}"
    return f"{folder}/{name}" if folder else name
