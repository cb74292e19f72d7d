"""What people call a way, and which family it belongs to; all from its id."""

from __future__ import annotations

TITLES = {
    "tutorial-png": "PNG files, tutorial",
    "tutorial-lmdb": "LMDB, tutorial",
    "tutorial-hdf5": "HDF5, tutorial",
    "hand-files": "PNG files, by hand",
    "hand-lmdb": "LMDB, by hand",
    "hand-hdf5": "HDF5, by hand",
    "hand-hdf5-chunked": "HDF5 in chunks, by hand",
    "hand-hdf5-gzip": "HDF5 + gzip, by hand",
    "hand-memmap": "NumPy memmap, by hand",
    "source": "as it lies",
}
KEPT_TITLES = {"hand-files": "{codec} files, by hand", "hand-lmdb": "LMDB + {codec}, by hand"}
"""Of the ways by hand that keep encoded images as they are."""
ENGINES = {
    "packed": "packed", "files": "files", "lmdb": "LMDB", "hdf5": "HDF5", "tar": "tar", "feather": "Feather", "parquet": "Parquet",
    "zarr": "Zarr", "tiledb": "TileDB", "leveldb": "LevelDB", "rocksdb": "RocksDB", "sqlite": "SQLite",
}  # fmt: skip
CODECS = {
    "png": "PNG", "jpeg": "JPEG", "raw": "raw", "webp": "WebP", "webp-lossless": "lossless WebP", "qoi": "QOI", "avif": "AVIF",
    "lz4": "LZ4",
}  # fmt: skip
LOSSY_CODECS = ("jpeg", "webp", "avif")
BYTE_CODECS = ("webp-lossless", "qoi")
"""Lossless ones that hold samples of one byte alone."""
FAMILIES = {
    "tutorial-png": "files",
    "tutorial-lmdb": "lmdb",
    "tutorial-hdf5": "hdf5",
    "hand-files": "files",
    "hand-lmdb": "lmdb",
    "hand-hdf5": "hdf5",
    "hand-hdf5-chunked": "hdf5",
    "hand-hdf5-gzip": "hdf5",
    "hand-memmap": "numpy",
    "source": "source",
}
PIXEL_CODECS = {"tutorial-png": "png", "hand-files": "png", "hand-hdf5-gzip": "gzip"}
"""Of the tutorial's ways and those by hand; the others keep pixels raw."""
SYNCED = ("tutorial-lmdb", "hand-lmdb")


def title(way: str, *, kept: str | None = None) -> str:
    """Return "LMDB + PNG" for "lmdb/png", "…, power-safe" for `@power`, "…, 1 thread" for `@1thread`; else the id.

    kept: the codec of the images where they are kept as they are, if all have the same: "LMDB + JPEG, kept".
    """
    if kept and way in KEPT_TITLES:
        return KEPT_TITLES[way].format(codec=CODECS.get(kept, kept))
    if way in TITLES:
        return TITLES[way]
    plain, *marks = way.split("@")
    engine, slash, codec = plain.partition("/")
    if not slash:
        return way
    kept_words = f"{CODECS.get(kept, kept)}, kept" if kept else "bytes, kept"
    words = f"{ENGINES.get(engine, engine)} + {kept_words if codec == 'keep' else CODECS.get(codec, codec)}"
    return words + "".join({"power": ", power-safe", "1thread": ", 1 thread"}.get(mark, f", {mark}") for mark in marks)


def family(way: str) -> str:
    """Return the engine's name; "files", "lmdb", "hdf5" or "numpy" for the tutorial's ways and those by hand; "source"."""
    return FAMILIES.get(way, way.partition("/")[0])


def is_tutorial(way: str) -> bool:
    """Return whether this is one of the tutorial's ways."""
    return way.startswith("tutorial-")


def is_by_hand(way: str) -> bool:
    """Return whether this way uses a library directly, without pixstore and in the usual good manner."""
    return way.startswith("hand-")


def is_synced(way: str) -> bool:
    """Return whether storing ends only when the disk has everything."""
    return way in SYNCED or "@power" in way


def is_lossy(way: str) -> bool:
    """Return whether this way changes pixels, as re-encoding as JPEG does."""
    return codec(way) in LOSSY_CODECS


def codec(way: str) -> str:
    """Return the codec a way keeps images in: that of ENGINE/CODEC; "png", "gzip" or "raw" for the others; "" for the source."""
    if is_tutorial(way) or is_by_hand(way):
        return PIXEL_CODECS.get(way, "raw")
    return way.partition("/")[2].partition("@")[0]
