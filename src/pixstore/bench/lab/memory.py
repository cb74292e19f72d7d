"""Memory: what each way holds of its own while it stores and reads, apart from the page cache, and the processor time it takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

from pixstore.bench import apart, naming, words
from pixstore.bench.apart import READ_BY_THEIR_WRITER, Doing
from pixstore.bench.carried import carried_bytes, carry, digest_of
from pixstore.bench.lab.chart import Chart
from pixstore.bench.lab.lab import DifferenceError, Lab, kept_bytes
from pixstore.bench.lab.leaders import last, leaders, named
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways.base import Way, Work

BATCH = 256
MOST_BATCH_BYTES = 8_000_000
LEAST_BATCH = 8
MOST_BYTES = 32_000_000
ADDED = "added_private_bytes"
DOINGS: tuple[Doing, ...] = ("read", "store")


class MemoryUse(Question):
    name = "memory"
    title = "Memory and processor time"
    weight = 1.3
    asks = (
        "How much memory of its own does a way take, apart from the page cache, which all programs share and which gives way when memory "
        "is short? Each way works in a fresh process, which is looked at every millisecond from outside: added is its peak above what it "
        f"held just before, with the libraries loaded. Reading is shuffled, in batches of up to {BATCH} images "
        f"({words.size(MOST_BATCH_BYTES)} at most), none of them kept; the tutorial's HDF5 reads everything when it opens, as written "
        "there. The tutorial's LMDB loads no pickles of other processes: it stores first, in the same process, unmeasured. The data as it "
        "lies is left out."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        images = lab.count(most_bytes=MOST_BYTES)
        batch = max(LEAST_BATCH, min(BATCH, int(MOST_BATCH_BYTES / lab.sample.mean_bytes)))
        shared = _Shared(lab, images)
        return [
            Trial(way.name, images, {"doing": doing, "batch": batch}, partial(_measure, shared, way, doing, batch))
            for way in lab.ways
            if way.stores
            for doing in DOINGS
        ]

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return [
            Chart("memory", "Private memory added, at its peak", "doing", ADDED, "dots", is_log=False),
            Chart("memory-cpu", "CPU seconds per 1,000 images", "doing", "cpu_seconds_per_1000_images", "dots", is_log=True),
            Chart("memory-mapped", "Mapped of files, in the page cache", "doing", "page_cache_mapped_bytes", "dots", is_log=False),
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        added, cpu = _reading(answers, ADDED), _reading(answers, "cpu_seconds_per_1000_images")
        if not added:
            return []
        lean, hungry = leaders(added, most=False), last(added, most=False)
        frugal, busy = leaders(cpu, most=False), last(cpu, most=False)
        return [
            f"Reading in batches adds least memory with {named(lean, run)}, {words.size(added[lean[0]].median)}"
            + (f", and most with {named(hungry, run)}, {words.size(added[hungry[0]].median)}." if hungry else "."),
            f"1,000 images take {words.duration(cpu[frugal[0]].median)} of processor time with {named(frugal, run)}"
            + (f" and {words.duration(cpu[busy[0]].median)} with {named(busy, run)}." if busy else "."),
        ]


def _reading(answers: Sequence[Observation], measure: str) -> dict[str, Spread]:
    return {each.way: each.measures[measure] for each in answers if each.seconds and each.setting["doing"] == "read"}


class _Shared:
    """What the cells have in common: the images, as files for the other processes, and what is to be read back."""

    def __init__(self, lab: Lab, images: int) -> None:
        self.lab = lab
        self._images = images
        self._digests: dict[bool, str] = {}

    @property
    def work(self) -> Work:
        return self.lab.work(self._images)

    @cached_property
    def carried(self) -> dict[str, Any]:
        folder = self.lab.fresh("images", carried_bytes(self.work))
        said = carry(self.work, folder)
        self.lab.hold(folder)
        return said

    def digest(self, *, is_lossy: bool) -> str:
        if is_lossy not in self._digests:
            self._digests[is_lossy] = digest_of(self.work, self.work.order, is_lossy=is_lossy)
        return self._digests[is_lossy]


def _measure(shared: _Shared, way: Way, doing: Doing, batch: int) -> Observed:
    is_shared = doing == "read" and way.name not in READ_BY_THEIR_WRITER
    place = shared.lab.stored(way, shared.work) if is_shared else shared.lab.fresh(way.name, kept_bytes(way, shared.work))
    try:
        used = apart.use(way, doing, place, shared.carried, batch=batch)
    finally:
        if not is_shared:
            shared.lab.remove(place)
    if used.digest != shared.digest(is_lossy=naming.is_lossy(way.name)):
        raise DifferenceError("what another process read back differs from the input")
    peak, before = used.peak, used.before
    measures = {
        "peak_private_bytes": float(peak.private_bytes),
        ADDED: float(peak.private_bytes - before.private_bytes),
        "page_cache_mapped_bytes": float(peak.mapped_bytes - before.mapped_bytes),
        "cpu_seconds_per_1000_images": used.cpu_seconds / used.images * 1000,
    }
    return Observed(used.seconds / used.images * len(shared.work), measures, {"looks": used.samples, "images": used.images})


QUESTION = MemoryUse()
