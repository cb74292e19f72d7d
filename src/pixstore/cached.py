"""`pixstore.cached`: named arrays that are costly to make, made once, then mapped: features, embeddings, statistics.

    features.cache/
      cache.json               the arrays that count: name, file, dtype, shape, order; replaced in one step, which is the commit
      <name>.<id>.npy          an array as NumPy keeps it; np.load(..., mmap_mode="r") reads it without pixstore

An array is written whole and synced before cache.json names it. Building again writes files of another id, so whoever has the former
arrays mapped goes on with them. What a build that was killed left behind is removed by the next one.
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray

from pixstore.disk import make_folders, remove, replace_file, sync_folder, translated
from pixstore.errors import CorruptStoreError, InvalidInputError, NotAStoreError, StoreBusyError, StoreTruncatedError
from pixstore.loader.bfloat16 import bfloat16
from pixstore.lock import WriterLock
from pixstore.schema import NAME

INDEX = "cache.json"
OURS = re.compile(r".*\.[0-9a-f]{16}\.npy\Z")
SECONDS_BETWEEN_TRIES = 0.05
BFLOAT16 = "bfloat16"

Built: TypeAlias = Mapping[str, ArrayLike] | Iterable[tuple[str, ArrayLike]]


class Cached(Mapping[str, NDArray[Any]]):
    """The arrays of a cache by name, mapped and not writable. Pickles as its path, and maps the files again where it is unpickled."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raises NotAStoreError where there is no cache, CorruptStoreError or StoreTruncatedError where it is damaged."""
        self.path = Path(path).absolute()
        self._arrays = {name: _mapped(self.path, name, facts) for name, facts in _index(self.path).items()}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._arrays:
            raise KeyError(f"no array {name!r} in {self.path}; arrays here: {', '.join(self._arrays)}")
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        arrays = ", ".join(f"{name}: {'·'.join(map(str, each.shape)) or 'one'} {each.dtype}" for name, each in self._arrays.items())
        return f"<Cached at {self.path}: {arrays or 'no arrays'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Cached, (self.path,)


def cached(path: str | os.PathLike[str], build: Callable[[], Built], rebuild: bool = False) -> Cached:
    """Return the arrays kept at `path`, mapped; where there are none yet, or with `rebuild`, call `build` and keep what it returns.

    build: returns arrays by name, or yields (name, array) so that no more than one needs to be in memory. Any shape, any dtype but
    object; bfloat16 where ml_dtypes is installed. Of several processes one builds, the others wait and read. After an error or a kill
    during the build the arrays are as before; a first build leaves a folder with a lock file in it. A `build` that does other things than
    before is not noticed: pass `rebuild`. Names are letters, digits and _ . -, as for columns.

    Raises InvalidInputError for a name or dtype that cannot be kept, NotAStoreError where something else lies at `path`.
    """
    if not callable(build):
        raise InvalidInputError(f"build is a {type(build).__name__}; hand in a function that returns the arrays by name")
    place = Path(path).absolute()
    if not rebuild and (place / INDEX).exists():
        return Cached(place)
    if place.exists() and not place.is_dir():
        raise NotAStoreError(f"{path}: is a file; a cache is a folder, choose another place")
    make_folders(place, durable=True)
    with translated(place):
        lock = _lock(place)
        try:
            if rebuild or not (place / INDEX).exists():
                _refuse_foreign(place)
                _build(place, build)
        finally:
            lock.release()
    return Cached(place)


def _lock(place: Path) -> WriterLock:
    """Return the lock of the one who builds, as soon as nobody else does."""
    while True:
        try:
            return WriterLock(place)
        except StoreBusyError:
            time.sleep(SECONDS_BETWEEN_TRIES)


def _refuse_foreign(place: Path) -> None:
    """Raise NotAStoreError for a folder that holds anything but a cache: it would be in the way, or we in its."""
    foreign = sorted(name for name in os.listdir(place) if name not in (INDEX, ".lock") and not OURS.match(name) and ".partial" not in name)
    if foreign:
        raise NotAStoreError(f"{place}: holds {foreign[0]!r}, so it is no cache; choose another place")


def _named(made: Built) -> Iterator[tuple[str, ArrayLike]]:
    """Yield names and arrays. Raises InvalidInputError where something else was built."""
    if isinstance(made, np.ndarray) or not isinstance(made, Iterable):
        raise InvalidInputError(f"build returned a {type(made).__name__}; return arrays by name: {{'features': …}}")
    for each in made.items() if isinstance(made, Mapping) else made:
        if not isinstance(each, tuple) or len(each) != 2:
            raise InvalidInputError(f"build gave a {type(each).__name__} where (name, array) is expected; return arrays by name")
        yield each


def _build(place: Path, build: Callable[[], Built]) -> None:
    identity = secrets.token_hex(8)
    index: dict[str, Any] = {}
    try:
        for name, array in _named(build()):
            if not isinstance(name, str) or not NAME.match(name):
                raise InvalidInputError(f"array name {name!r}: begin with a letter, go on with letters, digits, _ . -")
            if name in index:
                raise InvalidInputError(f"array {name!r} was built twice; each needs its own name")
            index[name] = _write(place, f"{name}.{identity}.npy", name, np.asarray(array))
        sync_folder(place)
        replace_file(place / INDEX, json.dumps({"pixstore_cache": 1, "arrays": index}, indent=1).encode(), durable=True)
    except BaseException:
        _remove_others(place, lambda name: not name.endswith(f".{identity}.npy"))
        raise
    kept = {facts["file"] for facts in index.values()}
    _remove_others(place, kept.__contains__)


def _remove_others(place: Path, is_kept: Callable[[str], bool]) -> None:
    for name in os.listdir(place):
        if OURS.match(name) and not is_kept(name):
            remove(place / name)


def _write(place: Path, file: str, name: str, array: NDArray[Any]) -> dict[str, Any]:
    """Write one array and return what the index says of it."""
    described = _described(name, array.dtype)
    with open(place / file, "xb") as out, warnings.catch_warnings():
        # Names of fields that are not ASCII need a format that NumPy has had since 2019.
        warnings.simplefilter("ignore", UserWarning)
        npy.write_array(out, array, allow_pickle=False)
        out.flush()
        os.fsync(out.fileno())
        size = out.tell()
    return {"file": file, "bytes": size, "dtype": described, "shape": list(array.shape), "fortran": _is_fortran(array)}


def _is_fortran(array: NDArray[Any]) -> bool:
    return bool(array.flags.f_contiguous and not array.flags.c_contiguous)


def _described(name: str, dtype: np.dtype[Any]) -> Any:
    """Return a dtype as JSON: as .npy files describe it, or by its name."""
    if dtype.hasobject:
        raise InvalidInputError(f"array {name!r} is of Python objects; make it numbers or fixed text first")
    if dtype.name == BFLOAT16:
        return BFLOAT16
    if dtype.kind == "V" and dtype.names is None and dtype.type is not np.void:
        raise InvalidInputError(f"array {name!r} is {dtype.name}, which .npy files cannot tell; make it float32 or bfloat16")
    return npy.dtype_to_descr(dtype)


def _index(place: Path) -> Mapping[str, Any]:
    try:
        value = json.loads((place / INDEX).read_bytes())
    except FileNotFoundError as error:
        raise NotAStoreError(f"{place}: holds no cache; pixstore.cached(path, build) makes one") from error
    except (ValueError, RecursionError) as error:
        raise CorruptStoreError(f"{place / INDEX}: is damaged ({error}); build it again with rebuild=True") from error
    if not isinstance(value, dict) or value.get("pixstore_cache") != 1 or not isinstance(value.get("arrays"), dict):
        raise CorruptStoreError(f"{place / INDEX}: is no index of a cache that this pixstore reads; build it again with rebuild=True")
    arrays: dict[str, Any] = value["arrays"]
    return arrays


def _mapped(place: Path, name: str, facts: Any) -> NDArray[Any]:
    """Return one array mapped from its file, whose size must be what dtype and shape need."""
    try:
        file, size, shape = str(facts["file"]), int(facts["bytes"]), tuple(int(each) for each in facts["shape"])
        dtype = _dtype(facts["dtype"])
        needed = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or not OURS.match(file) or "/" in file or min(shape, default=0) < 0 or size < needed:
            raise ValueError(f"{file!r} of {dtype} and shape {shape}")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CorruptStoreError(f"{place / INDEX}: what it says of {name!r} is damaged ({error}); build it again") from error
    order: Literal["C", "F"] = "F" if facts.get("fortran") else "C"
    try:
        there = os.path.getsize(place / file)
    except OSError as error:
        raise CorruptStoreError(f"{place / file}: the file of {name!r} is gone; build it again with rebuild=True") from error
    if there != size:
        raise StoreTruncatedError(f"{place / file}: had {size} bytes with {name!r}, now {there}; build it again with rebuild=True")
    if not needed:
        return np.empty(shape, dtype)
    # The data end the file; what comes before is the header that np.load reads.
    return np.memmap(place / file, dtype, "r", size - needed, shape, order)


def _dtype(described: Any) -> np.dtype[Any]:
    if described == BFLOAT16:
        return bfloat16()
    return npy.descr_to_dtype([_field(each) for each in described] if isinstance(described, list) else described)


def _field(described: Any) -> tuple[Any, ...]:
    """Return one field of a structured dtype, whose lists JSON made of tuples."""
    name, kind, *shape = described
    return (
        tuple(name) if isinstance(name, list) else name,
        [_field(each) for each in kind] if isinstance(kind, list) else kind,
        *(tuple(each) for each in shape),
    )
