"""Folders of images and of their masks side by side: taken as classes, because that is what folders are, and told."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

MOST_FOLDERS = 6
MASK_WORDS = re.compile(r"(?i)mask|truth|label|annot|seg|target|(^|[-_])gt($|[-_])")
SUFFIX = r"\.[^./]*$"


def images_and_masks(root: Path, keys: pa.Array, folders: pa.DictionaryArray, *, is_split: bool) -> str | None:
    """Return a note where a folder is named like one of masks, and each of its files like an image in another folder; else None.

    `folders` says in which folder each key lies; with `is_split`, below that of a split.
    """
    names = folders.dictionary.to_pylist()
    if folders.null_count or not 2 <= len(names) <= MOST_FOLDERS or not any(map(MASK_WORDS.search, names)):
        return None
    above = "[^/]*/" if is_split else ""
    places = pc.replace_substring_regex(pc.replace_substring_regex(keys, rf"^({above})[^/]*/", r"\1"), SUFFIX, "")
    stems = {name: places.filter(pc.equal(folders.indices, number)) for number, name in enumerate(names)}
    for mask in filter(MASK_WORDS.search, names):
        for image in names:
            if not MASK_WORDS.search(image) and pc.all(pc.is_in(stems[mask], value_set=stems[image])).as_py():
                base = os.path.join(root, "SPLIT" if is_split else "")
                joined = " ".join(f"--field {field}={os.path.join(base, name)}" for field, name in (("image", image), ("mask", mask)))
                return f"{image} and {mask} are taken as classes, with files of the same names; images and masks are joined: {joined}"
    return None
