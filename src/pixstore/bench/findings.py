"""What a run found, in sentences: who wins where and by how much, how it grows, what it costs in disk, what 100 epochs take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pixstore.bench import growth, naming, words
from pixstore.bench.lab.catalog import QUESTIONS
from pixstore.bench.lab.leaders import too_few
from pixstore.bench.measurements import Cell, Measurements, Observation
from pixstore.bench.statistics import LEAST_REPEATS, Spread, overlap

EPOCHS = 100
ASSUMED_IMAGES = 1_000_000
"""The size of the set that epochs are counted for where the images are built in."""
LEAST_RATIO = 1.05
"""Below that two ways count as equally fast, however sure the difference is."""
MOST_NAMED = 4
TOO_FEW = f"measured fewer than {LEAST_REPEATS} times"
INTERRUPTED = "The run was interrupted; this is what was measured until then."
DEEDS = {"store-many": "Storing", "read-many": "Reading in order", "read-shuffled": "Reading in random order"}


@dataclass(frozen=True)
class Limit:
    """The least time that the machine could take for a cell, and what it does in that time."""

    seconds: float
    what: str


def sentences(results: Measurements) -> list[str]:
    """Return the findings of the classic experiment in the order of their weight; the first two are a summary.

    None where it was not asked for.
    """
    images = words.largest(results)
    is_interrupted = bool(results.run.get("interrupted"))
    if images is None and results.observations:
        return [INTERRUPTED] if is_interrupted else []
    if images is None:
        return ["Nothing was measured with many images."]
    found = [_winner(results, experiment, images) for experiment in ("read-shuffled", "store-many", "read-many")]
    if is_interrupted:
        found.insert(0, INTERRUPTED)
    return [each for each in [*found, _disk(results, images), *growth.sentences(results)] if each]


def answers(results: Measurements) -> dict[str, list[str]]:
    """Return the sentences that answer each question of the lab that was asked, by its name, in the order of the report."""
    asked = {name: results.answers(name) for name in QUESTIONS}
    return {name: _answer(name, found, results) for name, found in asked.items() if found}


def _answer(question: str, answers: list[Observation], results: Measurements) -> list[str]:
    """Return a question's sentences, and after them, where there are any, how many cells tell too little."""
    said = QUESTIONS[question].sentences(answers, results)
    few = "" if QUESTIONS[question].is_counted else too_few(answers)
    return [*said, few] if said and few else said


def epochs(results: Measurements) -> list[tuple[str, float]]:
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


def epoch_images(results: Measurements) -> int:
    """Return how many images an epoch has: all of the user's, a million where they are built in."""
    return ASSUMED_IMAGES if results.source.get("synthetic") else int(results.source.get("images", ASSUMED_IMAGES))


def limit(results: Measurements, cell: Cell) -> Limit | None:
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


def _store_limit(results: Measurements, cell: Cell, limits: dict[str, float]) -> Limit | None:
    disk = results.cell("disk", cell.way, cell.images)
    is_synced = naming.is_synced(cell.way)
    name = "write-synced" if is_synced else "write"
    if disk is None or disk.bytes is None or not limits.get(name) or not limits.get("bytes"):
        return None
    return Limit(limits[name] * disk.bytes.apparent / limits["bytes"], "writing to the disk" if is_synced else "writing")


def _winner(results: Measurements, experiment: str, most_images: int) -> str:
    images = _best_known(results, experiment, most_images)
    every = _times(results, experiment, images, results.ways)
    if not every:
        return ""
    where = f"{DEEDS[experiment]}, {words.count(images, 'image')}: "
    times = {way: spread for way, spread in every.items() if spread.is_known}
    if not times:
        return f"{where}{TOO_FEW}, so no way is called fastest."
    tied = ties(times)
    text = where + _fastest(results, tied, times)
    tutorial = {way: spread.median for way, spread in times.items() if naming.is_tutorial(way) and way not in tied}
    if tutorial and not _is_wide(tied, times):
        best = times[tied[0]].median
        compared = [_compared(each / best, results.title(way), each) for way, each in tutorial.items()]
        text += f", {_joined(compared)}"
    if len(times) < len(every):
        text += f"; left out, {TOO_FEW}: {_named([results.title(way) for way in every if way not in times])}"
    return text + "."


def _best_known(results: Measurements, experiment: str, most_images: int) -> int:
    """Return the number of images where most of the ways that have times have them often enough; the largest of these."""

    def known(images: int) -> tuple[float, int]:
        times = _times(results, experiment, images, results.ways).values()
        return sum(spread.is_known for spread in times) / max(len(times), 1), images

    return max((images for images in results.cutoffs(experiment) if images <= most_images), key=known, default=most_images)


def _compared(ratio: float, title: str, seconds: float) -> str:
    return f"{words.times(ratio)} as fast as {title} ({words.duration(seconds)})"


def ties(times: Mapping[str, Spread]) -> list[str]:
    """Return the fastest way, and all that cannot be told from it.

    Their medians' intervals meet, one of them is not known, or they differ by less than LEAST_RATIO.
    """
    ranked = sorted(times, key=lambda way: times[way].median)
    best = times[ranked[0]]
    return [way for way in ranked if overlap(times[way], best) or times[way].median < LEAST_RATIO * best.median]


def _fastest(results: Measurements, tied: list[str], times: Mapping[str, Spread]) -> str:
    titles = [results.title(way) for way in tied]
    least, most = (words.duration(times[way].median) for way in (tied[0], tied[-1]))
    if len(tied) == 1:
        return f"{titles[0]} is fastest with {least}"
    between = least if least == most else f"{least} to {most}"
    if _is_wide(tied, times):
        return f"{_named(titles)} cannot be told apart, with {between}"
    return f"{_named(titles)} are equally fast with {between}"


def _is_wide(tied: list[str], times: Mapping[str, Spread]) -> bool:
    """Return whether ways are tied by their noise alone: their medians are apart."""
    return times[tied[-1]].median >= LEAST_RATIO * times[tied[0]].median


def _named(titles: list[str]) -> str:
    return _joined(titles if len(titles) <= MOST_NAMED else [*titles[: MOST_NAMED - 1], f"{len(titles) - MOST_NAMED + 1} more"])


def _disk(results: Measurements, images: int) -> str:
    used = {cell.way: cell.bytes.allocated for cell in results.cells if cell.experiment == "disk" and cell.images == images and cell.bytes}
    if len(used) < 2:
        return ""
    least, most = min(used, key=lambda way: used[way]), max(used, key=lambda way: used[way])
    return (
        f"Disk, allocated: {results.title(least)} needs least with {words.size(used[least])}, {results.title(most)} most with "
        f"{words.size(used[most])}, {words.times(used[most] / used[least])} as much."
    )


def _times(results: Measurements, experiment: str, images: int, ways: Iterable[str]) -> dict[str, Spread]:
    # The same way with one thread or power-safe is a side note, not a competitor.
    plain = [way for way in ways if "@" not in way or way.partition("@")[0] not in results.ways]
    found = {way: cell.seconds for way in plain if (cell := results.cell(experiment, way, images)) and cell.seconds}
    return {way: spread for way, spread in found.items() if spread.median}


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
