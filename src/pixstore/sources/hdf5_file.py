"""Open a foreign HDF5 file so that it reads itself and nothing else: no links out, no external or virtual data, no plugins.

Each name is looked at as a link before what it points to is opened; each dataset's storage is checked before a byte of it is read.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from pixstore.errors import (
    CorruptStoreError,
    LimitExceededError,
    NotAStoreError,
    PixstoreError,
    StoreBusyError,
    StoreTruncatedError,
    UnsafeInputError,
)
from pixstore.sources.foreign_file import is_regular, read_head

SIGNATURE = b"\x89HDF\r\n\x1a\n"
BUILT_IN_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
MAX_CHUNK_BYTES = 64 << 20
FREE_BYTES = 64 << 20
# What gzip can shrink at most is about 1,030 : 1.
MAX_RATIO = 1100


def has_signature(path: Path) -> bool:
    """Return whether the path is a regular file that begins as HDF5 files do."""
    return is_regular(path) and read_head(path, len(SIGNATURE)) == SIGNATURE


@contextmanager
def open_file(path: Path) -> Iterator[h5py.File]:
    """Open for reading, without waiting for locks.

    Raises StoreTruncatedError, StoreBusyError for a file that a writer has left open, CorruptStoreError.
    """
    try:
        with h5py.File(os.fspath(path), "r", locking="best-effort") as file:
            yield file
    except PixstoreError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise _translated(path, error) from error


def _translated(path: Path, error: Exception) -> PixstoreError:
    text = str(error)
    if "truncated file" in text:
        detail = text[text.find("truncated file") :].rstrip(")")
        return StoreTruncatedError(f"{path}: {detail}; a complete copy is needed, h5clear does not bring data back")
    if "already open for write" in text or "consistency" in text:
        return StoreBusyError(f"{path}: marked as open for writing; if its writer is gone, run 'h5clear -s' on a copy")
    return CorruptStoreError(f"{path}: HDF5 cannot read it: {text[:300]}")


def link_names(group: h5py.Group) -> list[str]:
    """Return the names in a group; nothing is opened."""
    return [str(name) for name in group]


def open_object(group: h5py.Group, name: str, path: Path) -> h5py.Dataset | h5py.Group:
    """Return a checked dataset, or a group, that lies in this very file. Raises UnsafeInputError for any other kind of link."""
    link = group.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        raise UnsafeInputError(f"{path}: {name!r} is a link to another file, {link.filename!r}; it was not opened")
    if not isinstance(link, h5py.HardLink):
        target = getattr(link, "path", "nothing")
        raise UnsafeInputError(f"{path}: {name!r} is a link to {target!r}, not data; it was not followed")
    found = group[name]
    if isinstance(found, h5py.Dataset):
        _check_storage(found, name, path)
        return found
    if isinstance(found, h5py.Group):
        return found
    raise NotAStoreError(f"{path}: {name!r} is a {type(found).__name__}, neither a dataset nor a group")


def _check_storage(dataset: h5py.Dataset, name: str, path: Path) -> None:
    """Refuse data outside the file and storage that is missing or would unfold to far more than the file holds."""
    if dataset.is_virtual or dataset.external:
        raise UnsafeInputError(f"{path}: the data of {name!r} lies in other files; they were not opened")
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(number)[0] for number in range(properties.get_nfilters())]
    unknown = [number for number in filters if number not in BUILT_IN_FILTERS]
    if unknown:
        raise UnsafeInputError(f"{path}: {name!r} needs filter {unknown[0]}, which is not built in; no plugin was loaded")
    if dataset.dtype.kind not in "uif" or dataset.dtype.subdtype is not None:
        raise NotAStoreError(f"{path}: {name!r} holds {dataset.dtype}, not plain numbers")
    if dataset.shape is None:
        raise NotAStoreError(f"{path}: {name!r} holds nothing")
    declared, stored = math.prod(dataset.shape) * dataset.dtype.itemsize, int(dataset.id.get_storage_size())
    if declared > FREE_BYTES and declared > MAX_RATIO * stored:
        raise LimitExceededError(f"{path}: {name!r} declares {declared} bytes with {stored} stored; it was not read")
    if declared and not stored:
        raise CorruptStoreError(f"{path}: {name!r} declares {declared} bytes that were never written")
    if dataset.chunks is not None:
        _check_chunks(dataset, name, path)


def _check_chunks(dataset: h5py.Dataset, name: str, path: Path) -> None:
    size = math.prod(dataset.chunks) * dataset.dtype.itemsize
    if size > MAX_CHUNK_BYTES:
        raise LimitExceededError(f"{path}: {name!r} has chunks of {size} bytes, the limit is {MAX_CHUNK_BYTES}")
    needed = math.prod(-(-length // chunk) for length, chunk in zip(dataset.shape, dataset.chunks, strict=True))
    present = int(dataset.id.get_num_chunks())
    if present < needed:
        raise CorruptStoreError(f"{path}: {name!r} has {present} of {needed} chunks; what is missing would read as zeros")
