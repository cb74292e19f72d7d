"""Memory for half of the data: what each order mode costs a training program then, and how random it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np

from pixstore.bench import naming, words
from pixstore.bench.carried import digest_of
from pixstore.bench.cgroup import limited
from pixstore.bench.lab import epochs
from pixstore.bench.lab.caching import CacheStateError
from pixstore.bench.lab.chart import RATE, Chart, value_of
from pixstore.bench.lab.epochs import MAPPED, MODES, OWN_IO, PSEUDO, Io, Mode, Plan
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.lab.leaders import leaders, named
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.lab.ratios import Ratio
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.mixing import batch_spread, displacement
from pixstore.bench.residency import files_below, make_cold
from pixstore.bench.statistics import Spread
from pixstore.bench.ways.base import Way, Work
from pixstore.bench.ways.ours import StoreWay
from pixstore.errors import InvalidInputError

DATA_BYTES = 60_000 * 32 * 32 * 3
"""About what the images take as they are stored: the size of CIFAR-10."""
ENCODED_BYTES = 72_000_000
"""The same of encoded images, which take longer to decode than to read."""
EPOCHS = 3
BATCH, LEAST_BATCH = 256, 8
MOST_BATCH_BYTES = 8_000_000
MOST_SECONDS = 1.5
LEAST_DATA_BYTES = 64_000_000
"""Of less, half is no more than what the kernel itself keeps for a process, and one window of read-ahead."""
SPARE_PART = 0.05
"""Of the data, beside the half: for what the kernel itself keeps for a process."""
MOST_RESIDENT = 0.75
"""Where more of the files than that lies in memory, the cell would not show memory for half of the data."""
NEED_LIMIT_BYTES = 8 << 30
DISK, SPREAD, MOVED, RESIDENT = "disk_read_bytes_per_epoch", "batch_spread", "displacement", "resident_share"


class HalfMemory(Question):
    name = "half-memory"
    title = "Memory for half of the data"
    asks = (
        "What does an order of reading cost where the data is twice as large as the memory for it, and how random is it? Each cell is a "
        "fresh process; it may use the memory that the program itself was measured to need, half of what the images take as they are "
        f"stored, and {SPARE_PART:.0%} more for the kernel, page cache included. Its files are made cold, then read from end to end, so "
        "that what does not fit is gone again, as after a first epoch; what lay in memory is in the table. Then it reads for "
        f"{MOST_SECONDS:.3g} s, up to {EPOCHS} epochs, the store being open. In order; shuffled as a whole; window-shuffled as our loader "
        "does; and the tutorial's pseudo-epochs: half of the images is loaded, all epochs draw shuffled batches from it, then the other "
        "half. "
        "Batch spread: how far apart the rows of a batch lie; displacement: how far a row's place moves between two epochs; 0 as in "
        "order, 1 as a full shuffle. Ours open as they choose, by calls where memory is short, and shuffled also mapped (io='map'), "
        "where each missing page brings all that the device reads ahead. One file per image and the tutorial's own ways are left out."
    )
    weight = 2.2

    def __init__(self, data_bytes: int = DATA_BYTES, encoded_bytes: int = ENCODED_BYTES) -> None:
        self._data_bytes = data_bytes
        self._encoded_bytes = encoded_bytes

    def trials(self, lab: Lab) -> list[Trial]:
        images, batch = self._images(lab), batch_of(lab)
        needs: dict[str, int] = {}
        random = {mode: _randomness(mode, images, batch) for mode in MODES}
        asked = [(way, mode, io) for way in lab.ways if is_asked(way) for mode in MODES for io in _ios(way, mode)]
        return [
            Trial(
                way.name,
                images,
                {"order": mode, "io": io},
                partial(_measure, lab, way, mode, io, images, batch, needs, random[mode]),
            )
            for way, mode, io in asked
        ]

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return [
            Chart("half-memory", "Memory for half of the data: images per second", "order", is_log=True),
            Chart("half-memory-disk", "Read from the disk per epoch", "order", value=DISK, is_log=True),
            Chart("half-memory-spread", "How far apart the rows of a batch lie (1: as a full shuffle)", "order", value=SPREAD),
            Chart("half-memory-displacement", "How far a row moves between two epochs (1: as a full shuffle)", "order", value=MOVED),
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        rates = {mode: _rates(answers, mode) for mode in MODES}
        shuffled = rates["shuffled"]
        if not shuffled:
            return []
        ahead = leaders(shuffled)
        first, usual = ahead[0], shuffled[ahead[0]]
        others = "".join(_compared(rates[mode].get(first), usual, mode) for mode in ("in order", "window-shuffled"))
        said = [
            f"With memory for half of the data{_resident(answers)}, a full shuffle {'is fastest' if len(shuffled) > 1 else 'was measured'} "
            f"with {named(ahead, run)}{'' if len(shuffled) > 1 else ' alone'}: {words.rounded(usual.median)} images per second{others}."
        ]
        pseudo = Ratio.of(rates[PSEUDO][first], usual, "as many images per second as") if first in rates[PSEUDO] else None
        found = next((each.measures for each in answers if each.setting.get("order") == PSEUDO and each.seconds), None)
        if pseudo is not None and found is not None:
            given = f"{pseudo} next to a full shuffle" if pseudo.is_noise else f"{pseudo} a full shuffle"
            said.append(
                f"Pseudo-epochs give {run.title(first)} {given}, but the rows of a batch lie {found[SPREAD].median:.0%} as far apart, and "
                f"a row moves {found[MOVED].median:.0%} as far "
                "between two epochs."
            )
        return said

    def _images(self, lab: Lab) -> int:
        encoded = lab.sample.encoded
        if encoded:
            images = int(self._encoded_bytes / (sum(map(len, encoded)) / len(encoded)))
        else:
            images = int(self._data_bytes / lab.sample.mean_bytes)
        # Images of many sizes are a list, where those that repeat take no memory again.
        most = lab.sample.largest if isinstance(lab.sample.images, np.ndarray) else images
        return max(2 * LEAST_BATCH, min(images, most))


def is_asked(way: Way) -> bool:
    """Return whether a way keeps images as they are in few files, and another process may read them."""
    return (
        way.stores
        and not naming.is_tutorial(way.name)
        and naming.family(way.name) != "files"
        and naming.codec(way.name) in ("raw", "keep", "")
    )


def batch_of(lab: Lab) -> int:
    """Return how many images come at once: fewer where they are large."""
    return max(LEAST_BATCH, min(BATCH, int(MOST_BATCH_BYTES / lab.sample.mean_bytes)))


def _ios(way: Way, mode: Mode) -> list[Io]:
    """Return how a way's files are read in this mode: mapping and calls differ most where rows lie apart."""
    return [OWN_IO, MAPPED] if isinstance(way, StoreWay) and mode == "shuffled" else [OWN_IO]


def _compared(rate: Spread | None, usual: Spread, mode: str) -> str:
    ratio = None if rate is None else Ratio.of(rate, usual, "as many")
    return "" if ratio is None else f"; {mode} changes {ratio}" if ratio.is_noise else f"; {mode} it is {ratio}"


def _resident(answers: Sequence[Observation]) -> str:
    """Return what part of the files really lay in memory after shuffled reading, in words."""
    shuffled = [each for each in answers if each.setting.get("order") == "shuffled" and RESIDENT in each.measures]
    parts = [each.measures[RESIDENT].median for each in shuffled]
    if not parts:
        return ""
    least, most = words.percent(min(parts)), words.percent(max(parts))
    return f" ({most if least == most else f'{least} to {most}'} of the files lay in it)"


def _rates(answers: Sequence[Observation], mode: Mode) -> dict[str, Spread]:
    chosen = [each for each in answers if (each.setting.get("order"), each.setting.get("io")) == (mode, OWN_IO)]
    return {each.way: rate for each in chosen if (rate := value_of(each, RATE)) is not None}


def _randomness(mode: Mode, images: int, batch: int) -> dict[str, float]:
    first, second = (epochs.passes(mode, images, batch, epoch) for epoch in (0, 1))
    return {SPREAD: max(0.0, batch_spread(first, batch)), MOVED: displacement(first, second)}


def _measure(
    lab: Lab, way: Way, mode: Mode, io: Io, images: int, batch: int, needs: dict[str, int], random: Mapping[str, float]
) -> Observed:
    work = lab.work(images)
    data = _stored_bytes(work)
    if data < LEAST_DATA_BYTES:
        raise InvalidInputError(
            f"the images take {words.size(data)} as they are stored; half of less than {words.size(LEAST_DATA_BYTES)} cannot be measured"
        )
    allowed = data // 2
    if mode == PSEUDO and (not work.is_uniform or work.pixel_bytes // 2 > allowed):
        raise InvalidInputError(
            f"half of the images takes {words.size(work.pixel_bytes / 2)} decoded, more than the {words.size(allowed)} there are for it"
        )
    folder = lab.stored(way, work)
    image = work.images[0]
    shape = list(image.shape) if work.is_uniform else None
    plan = Plan(way.name, way.threads, str(folder), shape, image.dtype.str, images, mode, io, batch, EPOCHS, MOST_SECONDS)
    if way.name not in needs:
        with limited(NEED_LIMIT_BYTES) as group:
            needs[way.name] = int(group.run(epochs.need, asdict(plan)).value)
    limit = needs[way.name] + allowed + int(SPARE_PART * data)
    before = make_cold(files_below(folder))
    if not before.is_cold:
        raise CacheStateError(f"not cold: {before.resident} of {before.pages} pages stayed in memory; {''.join(before.stayed[:1])}")
    with limited(limit) as group:
        ran = group.run(epochs.read, asdict(replace(plan, held_bytes=needs[way.name])))
    return _observed(lab, way, work, ran.value, ran.peak_bytes, random, {"limit_bytes": limit, "need_bytes": needs[way.name]})


def _observed(
    lab: Lab, way: Way, work: Work, read: dict[str, Any], peak_bytes: int | None, random: Mapping[str, float], limits: dict[str, int]
) -> Observed:
    if read["digest"] != digest_of(work, epochs.checked_rows(len(work)), is_lossy=naming.is_lossy(way.name)):
        raise DifferenceError("what the process with limited memory read back differs from the input")
    measures = dict(random)
    if read["part_after"] is not None:
        measures[RESIDENT] = read["part_after"]
        if read["part_after"] > MOST_RESIDENT:
            raise CacheStateError(f"{words.percent(read['part_after'])} of the files lay in memory, where half was to fit")
    if read["disk_bytes"] is not None:
        measures[DISK] = read["disk_bytes"] / read["images"] * len(work)
    if peak_bytes is not None:
        measures["peak_bytes"] = float(peak_bytes)
    proof = {**limits, "data_bytes": _stored_bytes(work), "images_read": read["images"], "images_asked": len(work) * EPOCHS}
    proof |= {name: read[name] for name in ("part_before", "part_after")}
    return Observed(read["seconds"] / read["images"] * len(work), measures, proof)


def _stored_bytes(work: Work) -> int:
    """Return what the images take as they are kept: encoded where they are, else decoded."""
    return sum(map(len, work.encoded)) if work.encoded is not None else work.pixel_bytes


QUESTION = HalfMemory()
