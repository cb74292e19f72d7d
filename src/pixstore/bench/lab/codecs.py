"""Codec and level: raw, PNG and JPEG in one engine, and HDF5's own filters, by what they take on disk and in time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from pixstore.bench import disk, naming, words
from pixstore.bench.images import Sample
from pixstore.bench.lab import whole
from pixstore.bench.lab.chart import RATE, Chart, value_of
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.lab.ratios import Ratio
from pixstore.bench.lab.stores import VariedStore
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread, overlap
from pixstore.bench.ways import ours
from pixstore.bench.ways.base import Found, Way, Work
from pixstore.bench.ways.hdf5_filters import FILTERS, FilteredHdf5

CELL_BYTES = 8_000_000
ENGINE = "packed"
LEVELS = (1, 4, 9, 12)
"""Of PNG, from the fastest, our default, to the smallest."""
QUALITIES = (75, 90, 95)
"""Of JPEG: Pillow's default, ours, and what is said to be hard to tell from the original."""
STORE = "store"
READ = "read shuffled"
BYTES = "disk_bytes_per_image"
PSNR = "psnr_decibels"
PEAK = 255.0


class Codecs(Question):
    name = "codec"
    title = "Codec and level"
    asks = (
        f"What does each codec take on disk, and what does it cost to store and to read? Our {ENGINE} engine with raw pixels, PNG of "
        f"levels {', '.join(map(str, LEVELS))}, JPEG of qualities {', '.join(map(str, QUALITIES))} (lossy; the loss as peak "
        "signal-to-noise ratio over all values of all images), and encoded images as they were; by hand, HDF5's chunks through LZF and "
        "gzip. Stored, and read shuffled from memory, the whole job with opening."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        images = lab.count(most_bytes=CELL_BYTES)
        found = []
        for label, way in choices(lab.sample, lab.cpus).items():
            # Levels are told apart by their setting, not as ways of their own.
            name, setting = way.name.partition("@")[0], {"codec": label}
            found.append(Trial(name, images, {**setting, "action": STORE}, partial(_store, lab, way, images)))
            found.append(Trial(name, images, {**setting, "action": READ}, partial(_read, lab, way, images)))
        return found

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        found = [
            Chart("codec-disk", "Disk per image, by codec", "codec", BYTES, "bars", fixed={"action": STORE}),
            Chart("codec-read", "Reading shuffled, by codec", "codec", RATE, "bars", fixed={"action": READ}),
            Chart("codec-store", "Storing, by codec", "codec", RATE, "bars", fixed={"action": STORE}),
        ]
        if any(PSNR in each.measures for each in answers):
            found.append(Chart("codec-loss", "What JPEG loses: signal to noise", "codec", PSNR, "bars", fixed={"action": READ}))
        return found

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        cells = _Cells(answers)
        return [text for text in (_sizes(cells), _speeds(cells)) if text]


def choices(sample: Sample, cpus: int) -> dict[str, Way]:
    """Return, by what its setting says, a way for every codec and level that can keep the images of this sample."""
    dtypes = {image.dtype.name for image in sample.images}
    channels = {image.shape[2] if image.ndim == 3 else 1 for image in sample.images}
    keep, raw, png, jpeg = (ours.parse(f"{ENGINE}/{codec}", cpus) for codec in ("keep", "raw", "png", "jpeg"))
    found: dict[str, Way] = {"as it was": keep, "raw": raw} if sample.is_encoded else {"raw": raw}
    if dtypes <= {"uint8", "uint16"} and channels <= {1, 2, 3, 4}:
        found |= {f"PNG {level}": VariedStore(png, level=level) for level in LEVELS}
    if dtypes == {"uint8"} and channels <= {1, 3}:
        found |= {f"JPEG {quality}": VariedStore(jpeg, quality=quality) for quality in QUALITIES}
    if isinstance(sample.images, np.ndarray):
        found |= {chosen: FilteredHdf5(chosen) for chosen in FILTERS}
    return found


def _store(lab: Lab, way: Way, images: int) -> Observed:
    return whole.store(lab, way, lab.work(images), lambda place: {BYTES: disk.usage(place).allocated / images})


def _read(lab: Lab, way: Way, images: int) -> Observed:
    work = lab.work(images)
    return whole.read(lab, way, work, partial(_loss, work) if naming.is_lossy(way.name) else whole.nothing)


def _loss(work: Work, found: Found) -> dict[str, float]:
    ratio = psnr_decibels(found, work)
    return {} if ratio is None else {PSNR: ratio}


def psnr_decibels(found: Found, work: Work) -> float | None:
    """Return the peak signal-to-noise ratio of 8-bit images read in `work.order`; None where nothing was lost.

    10 log10(255² / mean squared error), over all values of all images alike.
    """
    squares, count = 0.0, 0
    for image, row in zip(found.images, work.order.tolist(), strict=True):
        original = work.images[row]
        error = image.reshape(original.shape).astype(np.float32) - original
        squares += float(np.vdot(error, error))
        count += error.size
    return 10 * math.log10(PEAK**2 * count / squares) if squares else None


class _Cells:
    """The answers by codec."""

    def __init__(self, answers: Sequence[Observation]) -> None:
        self._answers = {(str(each.setting["codec"]), each.setting.get("action")): each for each in answers if each.setting}

    def rate(self, codec: str, action: str) -> Spread | None:
        answer = self._answers.get((codec, action))
        return None if answer is None else value_of(answer, RATE)

    def measure(self, codec: str, action: str, name: str) -> float | None:
        answer = self._answers.get((codec, action))
        return answer.measures[name].median if answer is not None and name in answer.measures else None

    def having(self, action: str) -> list[str]:
        """Return the codecs with a time for this."""
        return [codec for codec, done in self._answers if done == action and self.rate(codec, action) is not None]


def _sizes(cells: _Cells) -> str:
    lossless = {
        codec: size for codec in cells.having(STORE) if not codec.startswith("JPEG") and (size := cells.measure(codec, STORE, BYTES))
    }
    raw = lossless.get("raw")
    if raw is None or len(lossless) < 2:
        return ""
    smallest = min(lossless, key=lambda codec: lossless[codec])
    text = f"Smallest without loss: {smallest}, {words.size(lossless[smallest])} an image, {lossless[smallest] / raw:.0%} of raw"
    first, last = f"PNG {LEVELS[0]}", f"PNG {LEVELS[-1]}"
    rates = cells.rate(first, STORE), cells.rate(last, STORE)
    slower = Ratio.of(rates[0], rates[1], "the time to store") if rates[0] and rates[1] else None
    if first in lossless and last in lossless and slower:
        change = lossless[last] / lossless[first] - 1
        text += (
            f"; PNG of level {LEVELS[-1]} instead of {LEVELS[0]} takes {abs(change):.1%} {'less' if change < 0 else 'more'} disk and "
            + ("stores as fast, within the noise" if slower.is_noise else str(slower))
        )
    return text + "."


def _speeds(cells: _Cells) -> str:
    rates = {codec: rate for codec in cells.having(READ) if (rate := cells.rate(codec, READ))}
    if not rates:
        return ""
    fastest = max(rates, key=lambda codec: rates[codec].median)
    level = [codec for codec in rates if codec != fastest and overlap(rates[codec], rates[fastest])]
    text = f"{fastest} reads fastest, {words.rounded(rates[fastest].median)} images per second"
    if level:
        text += f" (not told apart from {', '.join(level)})"
    png, jpeg = f"PNG {LEVELS[0]}", "JPEG 90"
    if png in rates:
        text += f", PNG of level {LEVELS[0]} {words.rounded(rates[png].median)}"
    loss, size = cells.measure(jpeg, READ, PSNR), cells.measure(jpeg, STORE, BYTES)
    if jpeg in rates and loss is not None and size is not None:
        text += (
            f"; JPEG of quality 90 reads {words.rounded(rates[jpeg].median)} and takes {words.size(size)} an image, at a loss that leaves "
            f"{loss:.1f} dB of signal to noise"
        )
    return text[0].upper() + text[1:] + "."


QUESTION = Codecs()
