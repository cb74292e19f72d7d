"""Scans of large folders, kept between runs below the user's cache folder and used again while nothing was added or removed.

    $XDG_CACHE_HOME/pixstore/listings/<hash of the folder's path>.arrow      (~/.cache where XDG_CACHE_HOME is not set)
        b"PIXLIST1", xxh3_64 of what follows as u64, then Arrow IPC: one record batch of one row, whose columns are lists

A scan counts as long as device, inode, modification time and change time of every folder in it are the same: any entry that is added,
removed, renamed or replaced changes those of its folder. Contents of files do not matter, as a scan holds names alone. The files hold
the names of the user's files and nothing else; they are read only if the user owns them. PIXSTORE_LISTINGS=off keeps and uses none.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixstore import codec
from pixstore.disk import replace_file
from pixstore.errors import InvalidInputError
from pixstore.sources.folders.scan import MARKS, Scan, is_unchanged

SWITCH = "PIXSTORE_LISTINGS"
MAGIC = b"PIXLIST1"
HEADER_BYTES = 16
FEWEST_IMAGES = 10_000
"""Smaller folders are scanned in less time than it is worth to keep a file for."""
MOST_BYTES = 512 << 20
"""Of one scan: about ten million files."""
MOST_BYTES_OF_ALL = 1 << 30
SETTLED_NS = 2_000_000_000
"""A folder that changed so shortly before it was scanned may change again without a new time: file systems count in steps of up to 2 s."""

TEXTS = ("images", "unsure", "metadata", "skipped", "reasons", "folders")
LAYOUT = pa.schema(
    [*((name, pa.list_(pa.string())) for name in TEXTS), ("marks", pa.list_(pa.uint64()))],
    # Other rules about names make other scans: whoever changes the rules counts up.
    metadata={"rules": "1"},
)


def recall(root: Path) -> Scan | None:
    """Return the kept scan of this folder; None where there is none, or where anything about it is not as it should be."""
    place = _place(root)
    try:
        kept = None if place is None else _parse(_read(place), root)
        if kept is None or place is None or not is_unchanged(root, kept):
            return None
        # The scans that were used longest ago are the first to go.
        os.utime(place)
    except (OSError, pa.ArrowException, ValueError, KeyError):
        # Whatever was wrong with it, the folder itself still says what it holds.
        return None
    return kept


def keep(root: Path, scanned: Scan, began_ns: int) -> None:
    """Keep a scan that was begun at this time, if it is large, whole and settled; a cache that cannot be written is left alone."""
    latest = int(scanned.marks[:, 2:].max(initial=0))
    if len(scanned.images) < FEWEST_IMAGES or not scanned.is_whole or latest > began_ns - SETTLED_NS:
        return
    place = _place(root)
    if place is None or Path(os.path.realpath(place)).is_relative_to(os.path.realpath(root)):
        # Nothing is ever written into the data, be it that they lie around the cache.
        return
    data = _serialise(root, scanned)
    if len(data) > MOST_BYTES:
        return
    with suppress(OSError):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_room(place.parent, len(data))
        replace_file(place, data, durable=False)


def _place(root: Path) -> Path | None:
    """Return the file for this folder's scan, None where none shall be used."""
    switch = os.environ.get(SWITCH, "on")
    if switch not in ("", "on", "off"):
        raise InvalidInputError(f"{SWITCH}={switch!r} is neither 'on' nor 'off': set it to one of them, or unset it")
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):
        cache = os.path.expanduser("~/.cache")
    if switch == "off" or not os.path.isabs(cache):
        return None
    return Path(cache, "pixstore", "listings", f"{codec.hash_bytes(os.fsencode(os.path.abspath(root))):016x}.arrow")


def _serialise(root: Path, scanned: Scan) -> bytes:
    columns = [getattr(scanned, name) for name in TEXTS] + [pa.array(scanned.marks.ravel(), pa.uint64())]
    lists = [pa.ListArray.from_arrays(pa.array([0, len(column)], pa.int32()), column) for column in columns]
    schema = LAYOUT.with_metadata({**(LAYOUT.metadata or {}), "root": os.fsencode(os.path.abspath(root)), "user": str(os.geteuid())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.record_batch(lists, schema=schema))
    content = sink.getvalue()
    return b"".join([MAGIC, np.uint64(codec.hash_bytes(content)).tobytes(), content])


def _read(place: Path) -> bytes:
    """Return a kept scan's bytes. Raises ValueError where somebody else may have written them, OSError where they cannot be read."""
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if not is_ours or status.st_size > MOST_BYTES:
            raise ValueError(f"{place}: not a scan that this user kept")
        return file.read(status.st_size)


def _parse(data: bytes, root: Path) -> Scan:
    """Return the scan of these bytes. Raises ValueError or an Arrow error where they are not the sound scan of this folder."""
    content = memoryview(data)[HEADER_BYTES:]
    if data[:8] != MAGIC or data[8:HEADER_BYTES] != np.uint64(codec.hash_bytes(content)).tobytes():
        raise ValueError("damaged")
    with pa.ipc.open_file(pa.py_buffer(content)) as reader:
        batch = reader.get_batch(0)
    batch.validate(full=True)
    facts = batch.schema.metadata or {}
    expected = {**(LAYOUT.metadata or {}), b"root": os.fsencode(os.path.abspath(root)), b"user": str(os.geteuid()).encode()}
    if facts != expected or batch.schema != LAYOUT or len(batch) != 1:
        raise ValueError("of another folder, user or version")
    columns = {name: batch[name].flatten() for name in batch.schema.names}
    marks = columns.pop("marks").to_numpy().reshape(-1, MARKS)
    paths = [columns[name] for name in ("images", "unsure", "metadata", "folders")]
    sound = not any(each.null_count for each in columns.values()) and all(map(_stay_below, paths))
    if not sound or len(marks) != len(columns["folders"]) or len(columns["skipped"]) != len(columns["reasons"]):
        raise ValueError("not what a scan finds")
    return Scan(**columns, marks=marks)


def _stay_below(keys: pa.Array) -> bool:
    """Return whether every key leads to a place below the folder."""
    leaves = pc.match_substring_regex(keys, r"^/|(^|/)\.\.?(/|$)|//|\x00")
    return not pc.any(leaves, min_count=0).as_py()


def _make_room(folder: Path, needed: int) -> None:
    """Remove the files that were used longest ago until so many bytes more stay within the limit."""
    files = sorted(((each.stat().st_mtime_ns, each.stat().st_size, each) for each in folder.iterdir()), key=lambda each: each[0])
    used = sum(size for _, size, _ in files)
    for _, size, file in files:
        if used + needed <= MOST_BYTES_OF_ALL:
            return
        file.unlink(missing_ok=True)
        used -= size
