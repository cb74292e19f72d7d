"""What a run found, in sentences: who wins where and by how much, how it grows, what it costs in disk, what 100 epochs take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pixstore.bench import naming, words
from pixstore.bench.results import Cell, Results

EPOCHS = 100
ASSUMED_IMAGES = 1_000_000
"""The size of the set that epochs are counted for where the images are built in."""
LEAST_RATIO = 1.05
"""Below that two ways count as equally fast."""
DEEDS = {"store-many": "Storing", "read-many": "Reading in order", "read-shuffled": "Reading in random order"}


@dataclass(frozen=True)
class Limit:
    """The least time that the machine could take for a cell, and what it does in that time."""

    seconds: float
    what: str


def sentences(results: Results) -> list[str]:
    """Return the findings in the order of their weight; the first two are a summary."""
    images = words.largest(results)
    if images is None:
        return ["Nothing was measured with many images."]
    found = [_winner(results, experiment, images) for experiment in ("read-shuffled", "store-many", "read-many")]
    if results.run.get("interrupted"):
        found.insert(0, "The run was interrupted; this is what was measured until then.")
    return [each for each in [*found, _disk(results, images), *_growth(results, images)] if each]


def epochs(results: Results) -> list[tuple[str, float]]:
    """Return (way, seconds) for reading the whole set in random order 100 times, the fastest first.

    The rate is that of the largest number of images measured, from memory.
    """
    images = words.largest(results)
    if images is None:
        return []
    times = {way: results.median("read-shuffled", way, images) for way in results.ways}
    whole = epoch_images(results)
    found = [(way, seconds / images * whole * EPOCHS) for way, seconds in times.items() if seconds is not None]
    return sorted(found, key=lambda each: each[1])


def epoch_images(results: Results) -> int:
    """Return how many images an epoch has: all of the user's, a million where they are built in."""
    return ASSUMED_IMAGES if results.source.get("synthetic") else int(results.source.get("images", ASSUMED_IMAGES))


def limit(results: Results, cell: Cell) -> Limit | None:
    """Return the physical limit of a cell, where the run has measured one for as many images."""
    limits = results.run.get("limits", {})
    if cell.images != limits.get("images") or cell.seconds is None:
        return None
    if cell.experiment == "store-many":
        return _store_limit(results, cell, limits)
    if cell.experiment not in ("read-many", "read-shuffled"):
        return None
    codec = naming.codec(cell.way)
    name = {"png": "inflate", "keep": "decode", "": "decode", "raw": "copy" if cell.experiment == "read-many" else "gather"}.get(codec, "")
    what = {"inflate": "inflating", "decode": "decoding from memory", "copy": "copying", "gather": "gathering"}.get(name, "")
    return Limit(float(limits[name]), what) if name in limits else None


def _store_limit(results: Results, cell: Cell, limits: dict[str, float]) -> Limit | None:
    disk = results.cell("disk", cell.way, cell.images)
    is_synced = "@power" in cell.way or cell.way == "tutorial-lmdb"
    name = "write-synced" if is_synced else "write"
    if disk is None or disk.bytes is None or not limits.get(name) or not limits.get("bytes"):
        return None
    return Limit(limits[name] * disk.bytes.apparent / limits["bytes"], "writing to the disk" if is_synced else "writing")


def _winner(results: Results, experiment: str, images: int) -> str:
    times = _times(results, experiment, images, results.ways)
    if not times:
        return ""
    best = min(times, key=lambda way: times[way])
    text = f"{DEEDS[experiment]}, {words.count(images, 'image')}: {results.title(best)} is fastest with {words.duration(times[best])}"
    tutorial = {way: seconds for way, seconds in times.items() if naming.is_tutorial(way) and way != best}
    if tutorial:
        text += f", {_joined([_compared(seconds / times[best], results.title(way), seconds) for way, seconds in tutorial.items()])}"
    return text + "."


def _compared(ratio: float, title: str, seconds: float) -> str:
    much = f"{words.times(ratio)} as fast as" if ratio >= LEAST_RATIO else "about as fast as"
    return f"{much} {title} ({words.duration(seconds)})"


def _disk(results: Results, images: int) -> str:
    used = {cell.way: cell.bytes.allocated for cell in results.cells if cell.experiment == "disk" and cell.images == images and cell.bytes}
    if len(used) < 2:
        return ""
    least, most = min(used, key=lambda way: used[way]), max(used, key=lambda way: used[way])
    return (
        f"Disk, allocated: {results.title(least)} needs least with {words.size(used[least])}, {results.title(most)} most with "
        f"{words.size(used[most])}, {words.times(used[most] / used[least])} as much."
    )


def _growth(results: Results, images: int) -> Iterable[str]:
    for experiment in ("store-many", "read-shuffled"):
        smaller = [each for each in results.cutoffs(experiment) if each < images and each * 50 >= images]
        if not smaller:
            continue
        before = smaller[0]
        now, then = (_times(results, experiment, each, results.ways) for each in (images, before))
        slopes = {way: now[way] / then[way] for way in now if then.get(way)}
        if len(slopes) < 2:
            continue
        low, high = min(slopes, key=lambda way: slopes[way]), max(slopes, key=lambda way: slopes[way])
        yield (
            f"{DEEDS[experiment]}, {words.times(images / before)} as many images ({before:,} → {images:,}) take "
            f"{words.times(slopes[low])} the time with {results.title(low)} and {words.times(slopes[high])} with {results.title(high)}; "
            "less than that many times means that a fixed cost is still being paid off."
        )


def _times(results: Results, experiment: str, images: int, ways: Iterable[str]) -> dict[str, float]:
    # The same way with one thread or power-safe is a side note, not a competitor.
    plain = [way for way in ways if "@" not in way or way.partition("@")[0] not in results.ways]
    found = {way: results.median(experiment, way, images) for way in plain}
    return {way: seconds for way, seconds in found.items() if seconds}


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
