"""Cross-validation: what an experiment through all folds costs, the train part of each shuffled, the validation part in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import pixstore
from pixstore.bench import words
from pixstore.bench.lab.chart import RATE, Chart, value_of
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.leaders import last, leaders, named
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.lab.ratios import ends, ratios
from pixstore.bench.measurements import Measurements, Observation, Value
from pixstore.bench.statistics import Spread
from pixstore.bench.timing import timed
from pixstore.bench.ways.base import Found, Reader, Way, Work
from pixstore.bench.ways.ours import STORE, StoreWay

FOLDS = 5
BATCH = 256
WINDOW = 1024
IN_ORDER, WINDOWS, SHUFFLED = "in order", "window-shuffled", "shuffled"
ORDERS = (IN_ORDER, WINDOWS, SHUFFLED)
ROWS, LOADER = "read(rows)", "loader"
SHUFFLES: dict[str, bool | Literal["window"]] = {IN_ORDER: False, WINDOWS: "window", SHUFFLED: True}


class Folds(Question):
    name = "folds"
    title = "Cross-validation through all folds"
    asks = (
        f"What does one pass through all {FOLDS} folds cost? For each fold the train part ({FOLDS - 1} of {FOLDS} parts of the images) is "
        f"read in order, window-shuffled or shuffled, then the validation part in order, {BATCH} images at once, from memory. The store is "
        "opened once, which counts; each way reads the rows that it is asked for, which is all that folds need: nothing is stored anew. "
        "Ours also as loaders over ds.kfold, which make batches ahead, classes spread evenly where each has enough."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        images = max(2 * FOLDS, lab.count(2_000))
        asked = [(way, order, access) for way in lab.ways for access in _accesses(way) for order in ORDERS]
        return [
            Trial(
                way.name,
                images * FOLDS,
                {"train": order, "access": access},
                partial(MEASURES[access], lab, way, images, order),
                stored_images=images,
            )
            for way, order, access in asked
        ]

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return [
            Chart("folds", f"All {FOLDS} folds, rows asked for", "train", fixed={"access": ROWS}, is_log=True),
            Chart("folds-loader", f"All {FOLDS} folds, our loader over ds.kfold", "train", fixed={"access": LOADER}, is_log=True),
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        times = _of(answers, ROWS, SHUFFLED, "seconds")
        if not times:
            return []
        ahead, behind = leaders(times, most=False), last(times, most=False)
        images = next(each.images for each in answers if each.seconds)
        said = [
            f"One pass through all {FOLDS} folds, {words.count(images, 'image')} read in all, train part shuffled, takes "
            f"{words.duration(times[ahead[0]].median)} with {named(ahead, run)}"
            + (f" and {words.duration(times[behind[0]].median)} with {named(behind, run)}." if behind else ".")
        ]
        gains = ratios(_of(answers, ROWS, IN_ORDER, RATE), _of(answers, ROWS, SHUFFLED, RATE), "as many images per second")
        if gains:
            said.append(f"Reading the train part in order instead would give {ends(gains, run)}.")
        return said


def _of(answers: Sequence[Observation], access: Value, order: Value, value: str) -> Mapping[str, Spread]:
    chosen = [each for each in answers if (each.setting.get("access"), each.setting.get("train")) == (access, order)]
    return {each.way: found for each in chosen if (found := value_of(each, value)) is not None}


@dataclass(frozen=True)
class Fold:
    """The rows of one fold: those trained on, in the order of reading, and those it is tested on."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]

    def batches(self) -> Iterator[NDArray[np.int64]]:
        for part in (self.train, self.test):
            for start in range(0, len(part), BATCH):
                yield part[start : start + BATCH]


def folds_of(images: int, order: str) -> list[Fold]:
    """Return the folds: parts drawn at random whose sizes differ by one at most, the train parts in this order."""
    parts = np.array_split(np.random.default_rng(images).permutation(images), FOLDS)
    found = []
    for number, part in enumerate(parts):
        train = np.sort(np.concatenate([each for other, each in enumerate(parts) if other != number]))
        found.append(Fold(_ordered(train, order, number), np.sort(part)))
    return found


def _ordered(rows: NDArray[np.int64], order: str, seed: int) -> NDArray[np.int64]:
    random = np.random.default_rng(seed)
    if order == SHUFFLED:
        return random.permutation(rows)
    if order == WINDOWS:
        return np.concatenate([random.permutation(rows[start : start + WINDOW]) for start in range(0, len(rows), WINDOW)])
    return rows


def _accesses(way: Way) -> tuple[str, ...]:
    return (ROWS, LOADER) if isinstance(way, StoreWay) else (ROWS,)


def _read_rows(lab: Lab, way: Way, images: int, order: str) -> Observed:
    work = lab.work(images)
    place = lab.stored(way, work)
    batches = [batch for fold in folds_of(images, order) for batch in fold.batches()]
    timing, last = timed(lambda: _each(way.reader(place, work), batches), work.pixel_bytes)
    lab.check(way, last, work, batches[-1])
    return Observed(timing.seconds, {"cpu_seconds": timing.cpu_seconds})


def _each(reader: Reader, batches: Sequence[NDArray[np.int64]]) -> Found:
    """Read all batches, each let go before the next but one comes, as in training; return the last."""
    try:
        for batch in batches:
            found = reader.read(batch)
        return found
    finally:
        reader.close()


def _read_by_loader(lab: Lab, way: Way, images: int, order: str) -> Observed:
    work = lab.work(images)
    place = lab.stored(way, work) / STORE
    counts = np.unique(work.labels, return_counts=True)[1]
    stratify = "label" if len(counts) > 1 and counts.min() >= FOLDS else None
    # Grey and colour in one batch need one form; arrays, of 16 bits too, stay as they are.
    color: Literal["keep", "rgb"] = "keep" if len({image.shape[2:] for image in work.images}) == 1 else "rgb"
    timing, seen = timed(lambda: _through(place, stratify, order, color, way.threads), work.pixel_bytes)
    if seen != images * FOLDS:
        raise pixstore.PixstoreError(f"{seen} images came through {FOLDS} folds of {images}")
    with pixstore.open(place) as dataset:
        _check_last(lab, way, work, dataset.kfold(FOLDS, stratify=stratify)[-1][1])
    return Observed(timing.seconds, {"cpu_seconds": timing.cpu_seconds})


def _through(place: Path, stratify: str | None, order: str, color: Literal["keep", "rgb"], threads: int) -> int:
    """Return how many images the loaders of all folds gave."""
    seen = 0
    with pixstore.open(place) as dataset:
        for number, (train, test) in enumerate(dataset.kfold(FOLDS, stratify=stratify)):
            for part, shuffle in ((train, SHUFFLES[order]), (test, False)):
                loader = part.loader(BATCH, shuffle=shuffle, seed=number, window=WINDOW, color=color, columns=["label"], threads=threads)
                seen += sum(len(batch) for batch in loader)
    return seen


def _check_last(lab: Lab, way: Way, work: Work, test: pixstore.Dataset) -> None:
    """Compare a test part with the images stored, by the keys: default keys are the rows' numbers."""
    rows = np.asarray([int(key) for key in test.keys.to_pylist()], np.int64)
    batch = test.read(slice(None), columns=["label"])
    lab.check(way, Found(batch["image"], batch["label"]), work, rows)


MEASURES: dict[str, Callable[[Lab, Way, int, str], Observed]] = {ROWS: _read_rows, LOADER: _read_by_loader}
QUESTION = Folds()
