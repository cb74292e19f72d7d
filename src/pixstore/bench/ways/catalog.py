"""Every way by its id."""

from __future__ import annotations

from collections.abc import Sequence

from pixstore.bench.ways import hand_files, hand_hdf5, hand_lmdb, hand_memmap, ours, tutorial_hdf5, tutorial_lmdb, tutorial_png
from pixstore.bench.ways.base import Way
from pixstore.errors import InvalidInputError
from pixstore.registry import engine_names

TUTORIAL = {way.name: way for way in (tutorial_png.WAY, tutorial_lmdb.WAY, tutorial_hdf5.WAY)}
BY_HAND: dict[str, Way] = {
    way.name: way for way in (hand_files.WAY, hand_lmdb.WAY, hand_hdf5.WAY, hand_hdf5.CHUNKED, hand_hdf5.GZIP, hand_memmap.WAY)
}
SOURCE = "source"
ENGINES = ("packed", "files", "lmdb", "hdf5")


def default_names(*, is_built_in: bool, is_encoded: bool) -> list[str]:
    """Return the ways compared where none are named.

    A few for the built-in images, which are for a first look; arrays as raw and as PNG; encoded images as they lie and kept
    as they are. Ours use all CPUs, but for one way that shows a single thread.
    """
    if is_built_in:
        return [*TUTORIAL, "files/png", "lmdb/raw", "hdf5/raw", "packed/raw", "packed/png", "packed/png@1thread"]
    if is_encoded:
        return [SOURCE, *TUTORIAL, *(f"{engine}/keep" for engine in ENGINES), "packed/keep@1thread"]
    return [*TUTORIAL, *(f"{engine}/{codec}" for codec in ("png", "raw") for engine in ENGINES), "packed/png@1thread"]


def lab_names(*, is_built_in: bool, is_encoded: bool, is_uniform: bool) -> list[str]:
    """Return the ways that the lab's questions compare where none are named: the tutorial's, the same libraries by hand, and ours.

    Fewer of ours than in the classic experiment, each engine once; by hand those that the images fit.
    """
    by_hand = [hand_files.WAY.name, hand_lmdb.WAY.name]
    if is_encoded or is_uniform:
        by_hand.append(hand_hdf5.WAY.name)
    if is_uniform:
        by_hand.append(hand_memmap.WAY.name)
    if is_encoded:
        return [*([] if is_built_in else [SOURCE]), *TUTORIAL, *by_hand, *(f"{engine}/keep" for engine in ENGINES)]
    return [*TUTORIAL, *by_hand, "files/png", "lmdb/raw", "hdf5/raw", "packed/raw", "packed/png"]


def check(names: Sequence[str], *, has_source: bool) -> None:
    """Raise InvalidInputError for a name that is no way here, for one given twice and for none at all."""
    if not names:
        raise InvalidInputError("no ways to compare; name some, as packed/png,tutorial-png")
    for name in names:
        if names.count(name) > 1:
            raise InvalidInputError(f"way {name!r} is named twice; name each once")
        if name == SOURCE and not has_source:
            raise InvalidInputError("built-in images lie nowhere: the way 'source' needs a SOURCE")
        if name not in TUTORIAL and name not in BY_HAND and name != SOURCE:
            _check_ours(name)


def find(name: str, source: Way | None, cpus: int) -> Way:
    """Return the way of this id. `source` is the data as it lies, None where the images are built in."""
    if name in TUTORIAL:
        return TUTORIAL[name]
    if name in BY_HAND:
        return BY_HAND[name]
    if name == SOURCE and source is not None:
        return source
    return ours.parse(name, cpus)


def _check_ours(name: str) -> None:
    engine = ours.parse(name, 1).engine
    if engine not in engine_names():
        raise InvalidInputError(f"no engine {engine!r} in way {name!r}; engines here: {', '.join(engine_names())}")
