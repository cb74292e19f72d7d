"""What people call a way, and which family it belongs to; all from its id."""

from __future__ import annotations

TITLES = {
    "tutorial-png": "PNG files, tutorial",
    "tutorial-lmdb": "LMDB, tutorial",
    "tutorial-hdf5": "HDF5, tutorial",
    "source": "as it lies",
}
ENGINES = {"packed": "packed", "files": "files", "lmdb": "LMDB", "hdf5": "HDF5"}
CODECS = {"png": "PNG", "jpeg": "JPEG", "raw": "raw"}
LOSSY_CODECS = ("jpeg",)
FAMILIES = {"tutorial-png": "files", "tutorial-lmdb": "lmdb", "tutorial-hdf5": "hdf5", "source": "source"}


def title(way: str, *, kept: str | None = None) -> str:
    """Return "LMDB + PNG" for "lmdb/png", "…, power-safe" for `@power`, "…, 1 thread" for `@1thread`; else the id.

    kept: the codec of the images where they are kept as they are, if all have the same: "LMDB + JPEG, kept".
    """
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
    """Return the engine's name, "files", "lmdb" or "hdf5" for the tutorial's ways, "source"."""
    return FAMILIES.get(way, way.partition("/")[0])


def is_tutorial(way: str) -> bool:
    """Return whether this is one of the tutorial's ways."""
    return way.startswith("tutorial-")


def is_lossy(way: str) -> bool:
    """Return whether this way changes pixels, as re-encoding as JPEG does."""
    return codec(way) in LOSSY_CODECS


def codec(way: str) -> str:
    """Return the codec a way keeps images in: that of ENGINE/CODEC; "png" or "raw" for the tutorial's; "" for the source."""
    if is_tutorial(way):
        return "png" if way == "tutorial-png" else "raw"
    return way.partition("/")[2].partition("@")[0]
