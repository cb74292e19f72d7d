"""An LMDB of raw uint8 images, H·W·C, whose names and sizes stand in meta_info.pkl beside data.mdb.

meta_info.pkl is a pickled dict, read as data: `keys`, and `resolution`, one text `C_H_W` for all or one for each key. The arrays are as
OpenCV has them, in BGR.
Format: MMSR and early BasicSR, create_lmdb scripts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError, DuplicateKeyError, LabelMismatchError
from pixstore.schema import Format
from pixstore.source import SourceOptions
from pixstore.sources.foreign_file import read_whole
from pixstore.sources.labels import shown
from pixstore.sources.lmdb.environment import Database, Found, LmdbSource, uniform
from pixstore.sources.lookalike import is_image
from pixstore.sources.pickles.data import read_pickle

META_FILE = "meta_info.pkl"
MAX_META_BYTES = 1 << 30
RESOLUTION = re.compile(r"([1-9]\d{0,5})_([1-9]\d{0,8})_([1-9]\d{0,8})\Z")


class LmdbArrays(LmdbSource):
    """An LMDB of raw arrays with their sizes in a pickle beside it."""

    name: ClassVar[str] = "LMDB of raw arrays with meta_info.pkl"
    takes: ClassVar[frozenset[str]] = frozenset({"inner", "channel_order"})

    @classmethod
    def fits(cls, sample: Database) -> bool:
        return sample.beside(META_FILE) is not None and not is_image(sample.head(0))

    @classmethod
    def rows(cls, database: Database, options: SourceOptions) -> Found:
        meta = database.file.parent / META_FILE
        keys, sizes = _meta(meta)
        rows = _rows_of(database, meta, keys)
        offset, length = database.entries.offset[rows], database.entries.length[rows]
        shapes = _shapes(meta, keys, sizes, length)
        is_bgr = options.channel_order != "rgb"
        found = Found(keys, offset, length)
        found.formats, found.image = uniform([_format(shape, is_bgr) for shape in shapes])
        return found


def _format(shape: tuple[int, int, int], is_bgr: bool) -> Format:
    return Format("raw-bgr" if is_bgr and shape[2] in (3, 4) else "raw", shape, "uint8")


def _meta(meta: Path) -> tuple[list[str], list[str]]:
    """Return the keys and the resolutions (one or as many) that the pickle states. Raises CorruptStoreError where it has others."""
    found = read_pickle(read_whole(meta, max_bytes=MAX_META_BYTES), origin=str(meta))
    if not isinstance(found, dict) or not {"keys", "resolution"} <= found.keys():
        raise CorruptStoreError(f"{meta}: should be a dict with keys and resolution, is {_described(found)}; get it again")
    keys = _texts(found["keys"])
    resolution = found["resolution"]
    sizes = [resolution] if isinstance(resolution, str) else _texts(resolution)
    if keys is None or sizes is None:
        raise CorruptStoreError(f"{meta}: keys should be a list of text, resolution text or a list of text; get it again")
    if len(sizes) not in (1, len(keys)):
        raise LabelMismatchError(f"{meta}: {len(keys)} keys and {len(sizes)} resolutions; one for all or one each is expected")
    if len(set(keys)) < len(keys):
        twice = sorted({key for key in keys if keys.count(key) > 1}) if len(keys) < 10_000 else []
        raise DuplicateKeyError(f"{meta}: keys that are there twice: {shown(twice) if twice else len(keys) - len(set(keys))}; get it again")
    return keys, sizes


def _texts(values: object) -> list[str] | None:
    if not isinstance(values, list | tuple):
        return None
    texts = [value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value for value in values]
    return [text for text in texts if isinstance(text, str)] if all(isinstance(text, str) for text in texts) else None


def _described(value: object) -> str:
    return f"a dict with {', '.join(sorted(map(str, value)))[:200]}" if isinstance(value, dict) else f"a {type(value).__name__}"


def _rows_of(database: Database, meta: Path, keys: Sequence[str]) -> NDArray[np.int64]:
    row_of = {key: row for row, key in enumerate(database.keys())}
    missing = [key for key in keys if key not in row_of]
    unlisted = sorted(row_of.keys() - set(keys))
    if missing or unlisted:
        raise LabelMismatchError(
            f"{meta}: {len(keys)} keys, {database.file.name} has {len(row_of)}; not in the database: {shown(missing)}, "
            f"not in the list: {shown(unlisted)}; get both files again"
        )
    return np.fromiter((row_of[key] for key in keys), np.int64, len(keys))


def _shapes(meta: Path, keys: Sequence[str], sizes: Sequence[str], length: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Return H·W·C of each row. Raises CorruptStoreError, naming the first keys, where values have other lengths than that."""
    known: dict[str, tuple[int, int, int]] = {}
    for size in set(sizes):
        parts = RESOLUTION.match(size)
        if parts is None:
            raise CorruptStoreError(f"{meta}: resolution {size[:40]!r} is not channels_height_width, such as '3_480_640'; correct it")
        known[size] = (int(parts[2]), int(parts[3]), int(parts[1]))
    shapes = [known[size] for size in sizes] if len(sizes) == len(keys) else [known[sizes[0]]] * len(keys)
    needed = np.array([height * width * channels for height, width, channels in shapes])
    wrong = np.flatnonzero(needed != length)
    if len(wrong):
        first = int(wrong[0])
        raise CorruptStoreError(
            f"{meta}: states another size than {len(wrong)} of {len(keys)} values have; {keys[first]!r} has {int(length[first])} bytes, "
            f"{' × '.join(map(str, shapes[first]))} needs {int(needed[first])}; first keys: {shown([keys[row] for row in wrong.tolist()])}"
        )
    return shapes


SOURCE = LmdbArrays
