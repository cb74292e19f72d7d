"""Shards that are folders of a library's files: whether these are the files that were sealed, all of them and no others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pixstore.manifest import FolderFile, ShardEntry
from pixstore.record_table import FOLDER
from pixstore.shard import file_digest
from pixstore.trust.findings import Finding


def check_folder(store: Path, entry: ShardEntry, *, is_read: bool) -> Iterator[Finding]:
    """Yield the files in the shard's folder that are gone, have another size, or are not what was sealed; the last where `is_read`.

    Libraries leave files behind, and look at whatever they find, so a file too many is a finding.
    """
    if entry.pixels is None or not entry.pixels.files or not (store / FOLDER / entry.pixels.name).is_dir():
        return
    folder = f"{FOLDER}/{entry.pixels.name}"
    for file in entry.pixels.files:
        yield from _check_file(store, f"{folder}/{file.path}", file, entry, is_read=is_read)
    known = {file.path for file in entry.pixels.files}
    there = (Path(place, name) for place, _, names in os.walk(store / folder) for name in names)
    for path in sorted(each.relative_to(store / folder).as_posix() for each in there):
        if path not in known:
            yield Finding("pixels", "was not there when the shard was sealed", f"{folder}/{path}", entry.id)


def _check_file(store: Path, name: str, file: FolderFile, entry: ShardEntry, *, is_read: bool) -> Iterator[Finding]:
    path = store / name
    try:
        # A link would lead out of the store.
        is_file, size = path.is_file() and not path.is_symlink(), path.lstat().st_size
        if not is_file:
            yield Finding("missing", "is no file, though the manifest names it", name, entry.id)
        elif size != file.bytes:
            yield Finding("size", f"has {size:,} bytes where the manifest says {file.bytes:,}", name, entry.id)
        elif is_read and file_digest(path) != file.digest:
            yield Finding("pixels", "its bytes are not those that were sealed (their digest differs)", name, entry.id)
    except FileNotFoundError:
        yield Finding("missing", "is not there, though the manifest names it", name, entry.id)
    except OSError as error:
        yield Finding("pixels", f"cannot be read ({error.strerror or error})", name, entry.id)
