"""List the image files below a folder: regular files by suffix, links and special files refused, junk counted."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pixstore.source import Skipped
from pixstore.sources.folders import kept_scans
from pixstore.sources.folders.image_names import METADATA_NAMES, is_image_name, name_of, why_left_out
from pixstore.sources.folders.scan import Progress, Scan, in_order, scan


@dataclass(frozen=True)
class Listing:
    """What lies below a folder: keys of the images, ascending; names of the metadata files; what was left out."""

    keys: pa.Array
    metadata: list[str]
    skipped: list[Skipped]

    def names(self) -> list[str]:
        """Return the images' names, in the order of their keys: relative paths with "/", as `os.fsdecode` spells them."""
        return [name_of(key) for key in self.keys.to_pylist()]


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


def list_images(root: Path, progress: Progress | None = None) -> Listing:
    """Return every image below the folder, sorted by key, and everything else with the reason why it is left out.

    A large folder that did not change since it was last scanned is not scanned again (see kept_scans.py). `progress(files, 0, 0)` is
    called as it goes.
    """
    scanned = kept_scans.recall(root)
    if scanned is None:
        began = time.time_ns()
        scanned = scan(root, progress)
        kept_scans.keep(root, scanned, began)
    return _judged(root, scanned)


def _judged(root: Path, scanned: Scan) -> Listing:
    """Return the scan as a listing: each link is taken or left out, each file that could not be read is tried again."""
    images: list[str] = []
    metadata: list[str] = scanned.metadata.to_pylist()
    skipped = scanned.left_out()
    real_root = os.path.realpath(root)
    for key in scanned.unsure.to_pylist():
        reason = _why_refused(os.path.join(root, name_of(key)), real_root)
        if reason is not None:
            skipped.append(Skipped(key, reason))
        elif is_image_name(key.rpartition("/")[2]):
            images.append(key)
        else:
            metadata.append(key)
    keys = in_order(pa.concat_arrays([scanned.images, pa.array(images, pa.string())])) if images else scanned.images
    return Listing(keys, sorted(map(name_of, metadata)), sorted(skipped, key=lambda each: each.path))


def _why_refused(path: str, real_root: str) -> str | None:
    """Return why a link, or a file that could not be read, is neither an image nor metadata; None if it is one."""
    if os.path.islink(path) and (reason := _why_not_followed(path, real_root)):
        return reason
    name = os.path.basename(path)
    if is_image_name(name):
        return None if os.access(path, os.R_OK) else "cannot be read: permission denied"
    return None if name in METADATA_NAMES else why_left_out(name)


def _why_not_followed(path: str, real_root: str) -> str | None:
    target = os.path.realpath(path)
    if os.path.commonpath([real_root, target]) != real_root:
        return "a link that leaves the folder; links outside are not followed"
    if not os.path.exists(target):
        return "a link to nothing"
    if os.path.isdir(target):
        return "a link to a folder; its images are taken where they lie"
    return None if os.path.isfile(target) else "a link to something that is no regular file"
