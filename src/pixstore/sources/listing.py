"""List the image files below a folder: regular files by suffix, links and special files refused, junk counted."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from pixstore.source import Skipped

IMAGE_SUFFIXES = frozenset(
    ("png", "apng", "jpg", "jpeg", "jpe", "jfif", "bmp", "dib", "gif", "webp", "tif", "tiff", "ppm", "pgm", "pbm", "pnm")
)
OTHER_SUFFIXES = frozenset(("avif", "heic", "heif", "ico", "j2k", "jp2", "jxl", "psd", "svg", "tga", "dng", "cr2", "cr3", "nef", "arw"))
METADATA_NAMES = ("metadata.csv", "metadata.jsonl")
JUNK_NAMES = frozenset({"thumbs.db", "desktop.ini"})

_NEEDS_ESCAPE = re.compile(r"%(?=25|[89A-F][0-9A-F])|[\udc80-\udcff]")
_ESCAPE = re.compile(r"%(25|[89A-F][0-9A-F])")


@dataclass
class Listing:
    """What lies below a folder: images as relative paths with "/", metadata files, and what was left out."""

    images: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def key_of(name: str) -> str:
    """Return a file name as a key, which is always valid text.

    Bytes that are not UTF-8 become "%" and two capital hexadecimal digits. A "%" that could be read as such an escape becomes "%25", so
    that no two names share a key; any other name is its own key.
    """
    if "%" not in name and name.isprintable():
        return name
    return _NEEDS_ESCAPE.sub(lambda found: "%25" if found[0] == "%" else f"%{ord(found[0]) - 0xDC00:02X}", name)


def name_of(key: str) -> str:
    """Return the file name of a key made by `key_of`, as `os.fsdecode` spells it."""
    if "%" not in key:
        return key
    return _ESCAPE.sub(lambda found: "%" if found[1] == "25" else chr(0xDC00 + int(found[1], 16)), key)


def is_image_name(name: str) -> bool:
    """Return whether the suffix is that of an image and the name is not hidden."""
    return name.rpartition(".")[2].lower() in IMAGE_SUFFIXES and "." in name[1:] and not name.startswith(".")


def has_image(root: Path, *, max_entries: int = 200_000) -> bool:
    """Return whether an image file lies below the folder, looking at no more than `max_entries` names."""
    left = max_entries
    folders = [str(root)]
    while folders and left > 0:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    left -= 1
                    if is_image_name(entry.name) and not entry.is_dir(follow_symlinks=False):
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        folders.insert(0, entry.path)
                    if left <= 0:
                        break
        except OSError:
            # A folder that may not be listed holds no image that we could read.
            continue
    return False


def list_images(root: Path) -> Listing:
    """Return every image below the folder, sorted by key, and everything else with the reason why it is left out."""
    listing = Listing()
    real_root = os.path.realpath(root)
    folders = [""]
    while folders:
        prefix = folders.pop()
        try:
            entries = list(os.scandir(os.path.join(root, prefix)))
        except OSError as error:
            listing.skipped.append(Skipped(key_of(prefix), f"folder cannot be listed: {error.strerror}"))
            continue
        for entry in entries:
            name = prefix + entry.name
            if entry.is_symlink():
                _take_link(listing, entry, name, real_root)
            elif entry.is_file(follow_symlinks=False):
                _take_file(listing, entry, name)
            elif entry.is_dir(follow_symlinks=False):
                _take_folder(listing, entry, name, folders)
            else:
                listing.skipped.append(Skipped(key_of(name), f"not a regular file but {_kind(entry)}"))
    listing.images.sort(key=key_of)
    listing.metadata.sort()
    listing.skipped.sort(key=lambda each: each.path)
    return listing


def _take_file(listing: Listing, entry: os.DirEntry[str], name: str) -> None:
    if is_image_name(entry.name):
        if os.access(entry.path, os.R_OK):
            listing.images.append(name)
        else:
            listing.skipped.append(Skipped(key_of(name), "cannot be read: permission denied"))
    elif entry.name in METADATA_NAMES:
        listing.metadata.append(name)
    elif entry.name.startswith(".") or entry.name.lower() in JUNK_NAMES:
        listing.skipped.append(Skipped(key_of(name), "hidden or system file"))
    else:
        suffix = entry.name.rpartition(".")[2].lower()
        reason = f"images of type .{suffix} are not decoded" if suffix in OTHER_SUFFIXES else "no image suffix"
        listing.skipped.append(Skipped(key_of(name), reason))


def _take_folder(listing: Listing, entry: os.DirEntry[str], name: str, folders: list[str]) -> None:
    if entry.name.startswith(".") or entry.name == "__MACOSX":
        listing.skipped.append(Skipped(key_of(name) + "/", "hidden or system folder"))
    else:
        folders.append(name + "/")


def _take_link(listing: Listing, entry: os.DirEntry[str], name: str, real_root: str) -> None:
    target = os.path.realpath(entry.path)
    if os.path.commonpath([real_root, target]) != real_root:
        listing.skipped.append(Skipped(key_of(name), "a link that leaves the folder; links outside are not followed"))
    elif not os.path.exists(target):
        listing.skipped.append(Skipped(key_of(name), "a link to nothing"))
    elif os.path.isdir(target):
        listing.skipped.append(Skipped(key_of(name), "a link to a folder; its images are taken where they lie"))
    elif not os.path.isfile(target):
        listing.skipped.append(Skipped(key_of(name), "a link to something that is no regular file"))
    else:
        _take_file(listing, entry, name)


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
    except OSError as error:
        return f"something that cannot be looked at: {error.strerror}"
    kinds = ((stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))
    return next((name for is_kind, name in kinds if is_kind(mode)), "something special")
