"""The core in use, and its hashes: the package pixstore-native, or pixstore.reference where that is not installed.

The environment variable PIXSTORE_CORE=native|reference forces one of them.
"""

from __future__ import annotations

import functools
import importlib
import os
import warnings
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import DependencyError, InvalidInputError
from pixstore.rows import Slices

Buffer: TypeAlias = bytes | bytearray | memoryview | NDArray[Any]

FORCED_BY = "PIXSTORE_CORE"


class CoreMissingWarning(UserWarning):
    """The native core is not installed; images are read by Python, many times slower."""


class CoreDebugWarning(UserWarning):
    """The native core was built without optimisation."""


@functools.cache
def core() -> Any:
    """Return the module whose functions read, check, decode and encode.

    Raises DependencyError where the native core is demanded but not installed.
    """
    demanded = os.environ.get(FORCED_BY, "")
    if demanded not in ("", "native", "reference"):
        raise InvalidInputError(f"{FORCED_BY}={demanded!r} names no core: set it to 'native' or 'reference', or unset it")
    if demanded == "reference":
        return importlib.import_module("pixstore.reference")
    try:
        native = importlib.import_module("pixstore_native")
    except ImportError as error:
        return _without_native(demanded, error)
    if native.info()["profile"] == "debug":
        message = "pixstore-native is a debug build, many times slower: install a wheel, or build it with 'maturin develop --release'"
        warnings.warn(message, CoreDebugWarning, stacklevel=2)
    return native


def _without_native(demanded: str, error: ImportError) -> Any:
    how = "run 'make setup' in a clone of pixstore, or install the wheel that 'make wheel' builds there"
    if demanded == "native":
        raise DependencyError(f"{FORCED_BY}=native, but pixstore-native cannot be imported ({error}): {how}") from error
    message = f"pixstore-native is not installed ({error}): images are read one by one in Python, many times slower; {how}"
    warnings.warn(message, CoreMissingWarning, stacklevel=3)
    return importlib.import_module("pixstore.reference")


def core_name() -> Literal["native", "reference"]:
    """Return which core is in use."""
    return "reference" if core().__name__ == "pixstore.reference" else "native"


def core_info() -> dict[str, Any]:
    """Return the core's version, build profile, SIMD level and libraries."""
    return cast("dict[str, Any]", core().info())


def usable_cpus() -> int:
    """Return how many CPUs this process may use: affinity mask and cgroup quota, at least 1."""
    return int(core().usable_cpus())


# ---- hashes: of bytes, not of pixels ----


def hash_bytes(data: Buffer, seed: int = 0) -> int:
    """Return xxh3_64 of the bytes."""
    return int(core().hash_bytes(data, seed))


def hash_tiles(data: Buffer, tile_bytes: int, *, threads: int | None = None) -> NDArray[np.uint64]:
    """Return xxh3_64 of each tile of `tile_bytes` bytes, the last one shorter; none for empty data."""
    return cast("NDArray[np.uint64]", core().hash_tiles(data, tile_bytes, threads=threads or 0))


def hash_file_tiles(path: str | os.PathLike[str], tile_bytes: int, *, threads: int | None = None) -> NDArray[np.uint64]:
    """Return what `hash_tiles` returns for a file's content, which is read in small pieces. Raises OSError where it cannot be read."""
    return cast("NDArray[np.uint64]", core().hash_file_tiles(os.fspath(path), tile_bytes, threads=threads or 0))


def release(folder: str) -> None:
    """Let go of the files below this folder that the core keeps mapped: their disk space is free once they are removed."""
    core().release(folder)


def addresses(buffers: Sequence[Buffer]) -> NDArray[np.uint64]:
    """Return the memory address of the first byte of each buffer."""
    return cast("NDArray[np.uint64]", core().addresses(buffers))


def seeds(field: str, keys: pa.Array) -> NDArray[np.uint64]:
    """Return the seed of each record's checksum: xxh3_64(utf8(field) + 00 + utf8(key)), so that a misfiled record is noticed."""
    return _hash_strings(field.encode() + b"\0", keys)


def hash_keys(keys: pa.Array) -> NDArray[np.uint64]:
    """Return xxh3_64 of each key's UTF-8 bytes."""
    return _hash_strings(b"", keys)


def _hash_strings(prefix: bytes, keys: pa.Array | pa.ChunkedArray) -> NDArray[np.uint64]:
    if isinstance(keys, pa.ChunkedArray):
        keys = keys.combine_chunks()
    if keys.null_count:
        raise InvalidInputError(f"{keys.null_count} of {len(keys)} keys are null: every sample needs a key")
    width = np.int64 if pa.types.is_large_string(keys.type) else np.int32
    if width is np.int32 and not pa.types.is_string(keys.type):
        keys, width = keys.cast(pa.large_string()), np.int64
    _, offset_buffer, data = keys.buffers()
    if not len(keys):
        return np.zeros(0, np.uint64)
    offsets = np.frombuffer(offset_buffer, width, len(keys) + 1, keys.offset * np.dtype(width).itemsize)
    text = b"" if data is None else np.frombuffer(data, np.uint8)
    return cast("NDArray[np.uint64]", core().hash_strings(prefix, text, offsets.astype(np.int64)))


def checksums(slices: Slices, seeds: NDArray[np.uint64], *, threads: int | None = None) -> NDArray[np.uint64]:
    """Return the checksum of each record, 0 where it is missing."""
    found, failures = core().checksum((slices.data, slices.offset, slices.length), seeds, threads=threads or 0)
    wrong = [detail for _, kind, detail in failures if kind != "missing"]
    if wrong:
        raise InvalidInputError(f"{len(wrong)} slices lie outside their buffer: {wrong[0]}")
    return cast("NDArray[np.uint64]", found)
