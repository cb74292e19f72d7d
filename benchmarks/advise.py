"""What `pixstore advise` recommends, held against a full measurement of every candidate for the same use.

    python benchmarks/advise.py SOURCE … [--twenty FOLDER] [--use train|browse|archive] [--seconds 30] [--json FILE]

For each source: advice is asked for and timed. Then, without its figures, all images (as many as 400 MB hold) are stored in every candidate
way, and all ways are read in random turns for `--seconds`, five times at least, each with one thread and with all: whole epochs of
shuffled batches, opening counted once in ten; or 500 single random reads, p95; or the bytes on disk. `--twenty` makes a source of the first
twenty images of a folder. The recommendation is confirmed if it is within 10 % of the best of all ways that keep the images' bytes (of
decoded pixels the best is shown beside it), or cannot be told from it; whatever is not confirmed, or took two minutes, makes the exit
status 1.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import numpy as np

import pixstore
from pixstore.bench import Advice, Spread, advise, disk, machine, words
from pixstore.bench.advice.candidates import Candidate, candidates
from pixstore.bench.advice.costs import EPOCHS
from pixstore.bench.advice.figures import Use
from pixstore.bench.images import Sample, from_source
from pixstore.bench.statistics import overlap
from pixstore.bench.ways.base import Reader, Way, Work

MOST_IMAGES = 60_000
BATCH, BATCH_BYTES = 256, 32_000_000
SINGLE_READS = 500
LEAST_REPEATS, MOST_REPEATS = 5, 30
CONFIRMED = 0.90
MOST_SECONDS = 120.0
LEAST_EPOCH_SECONDS = 0.1
"""Short epochs are repeated for so long, for the clock to see them."""


@dataclass(frozen=True)
class Row:
    """What one source came to. Costs are seconds per image (train), seconds of a read (browse) or bytes per image (archive)."""

    source: str
    use: Use
    advice_seconds: float
    recommended: str
    confidence: str
    best: str
    ratio: float
    is_within_noise: bool
    best_decoded: str | None
    decoded_ratio: float | None
    costs: dict[str, Spread]

    @property
    def is_confirmed(self) -> bool:
        return self.ratio >= CONFIRMED or self.is_within_noise

    @property
    def is_good(self) -> bool:
        return self.is_confirmed and self.advice_seconds < MOST_SECONDS


class Measured:
    """One candidate's store of all images, and its repeats by number of threads."""

    def __init__(self, candidate: Candidate, folder: Path, work: Work, opening_seconds: float) -> None:
        self.candidate, self.folder, self._work = candidate, folder, work
        self.variants = [each for each in (candidate.way, candidate.single) if each is not None]
        self.runs: dict[int, list[float]] = {each.threads: [] for each in self.variants}
        self._opening = opening_seconds
        folder.mkdir()
        if candidate.way.stores:
            candidate.way.store_many(folder, work)

    def repeat(self, way: Way, use: Use) -> None:
        opened = time.perf_counter()
        reader = way.reader(self.folder, self._work)
        opening = time.perf_counter() - opened if way.stores else self._opening
        try:
            read = single_reads if use == "browse" else epoch
            seconds = read(reader, self._work)
        finally:
            reader.close()
        self.runs[way.threads].append(seconds if use == "browse" else seconds + opening / (EPOCHS * len(self._work)))

    def cost(self, use: Use, source_bytes: int) -> Spread:
        if use == "archive":
            stored = disk.usage(self.folder).allocated if self.candidate.way.stores else source_bytes
            return Spread.of([stored / len(self._work)])
        return min((Spread.of(runs) for runs in self.runs.values()), key=lambda each: each.median)


def epoch(reader: Reader, work: Work) -> float:
    """Return the seconds of one image in whole epochs of shuffled batches."""
    size = int(np.clip(BATCH_BYTES * len(work) // work.pixel_bytes, 1, BATCH))
    seconds, images = 0.0, 0
    while seconds < LEAST_EPOCH_SECONDS:
        order = np.random.default_rng().permutation(len(work))
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        started = time.perf_counter()
        for rows in batches:
            reader.read(rows)
        seconds += time.perf_counter() - started
        images += len(work)
    return seconds / images


def single_reads(reader: Reader, work: Work) -> float:
    """Return the 95th percentile of the seconds of single random reads."""
    found = []
    for row in np.random.default_rng().integers(0, len(work), (SINGLE_READS, 1)):
        started = time.perf_counter()
        reader.read(row)
        found.append(time.perf_counter() - started)
    return float(np.quantile(found, 0.95))


def measure(sample: Sample, use: Use, folder: Path, opening_seconds: float, seconds: float) -> list[Measured]:
    """Return every candidate, measured in random turns for so many seconds, at least five times each."""
    work = sample.work(len(sample))
    chosen = candidates(sample, use, machine.usable_cpus())
    ways = [Measured(each, folder / str(number), work, opening_seconds) for number, each in enumerate(chosen)]
    if use == "archive":
        return ways
    cells = [(each, way) for each in ways for way in each.variants]
    random = np.random.default_rng()
    for each, way in cells:
        each.repeat(way, use)
        each.runs[way.threads].clear()
    began = time.monotonic()
    for number in range(MOST_REPEATS):
        for place in random.permutation(len(cells)):
            each, way = cells[place]
            each.repeat(way, use)
        if number + 1 >= LEAST_REPEATS and time.monotonic() - began > seconds:
            break
    return ways


def judge(source: Path, use: Use, seconds: float) -> Row:
    began = time.monotonic()
    advice = advise(source, use)
    advice_seconds = time.monotonic() - began
    opening = opening_of(source)
    with temporary() as folder, contextlib.closing(from_source(source, MOST_IMAGES)) as sample:
        ways = measure(sample, use, folder, opening, seconds)
        lies = advice.ways[0].disk_bytes or 0
        costs = {each.candidate.way.name: each.cost(use, lies * len(sample) // sample.total) for each in ways}
        decoded = {each.candidate.way.name for each in ways if each.candidate.is_decoded}
    return verdict(source, use, advice, advice_seconds, costs, decoded)


def opening_of(source: Path) -> float:
    """Return the seconds of opening the source, files listed or unpacked before."""
    began = time.perf_counter()
    pixstore.open(source).close()
    return time.perf_counter() - began


def verdict(source: Path, use: Use, advice: Advice, seconds: float, costs: dict[str, Spread], decoded: set[str]) -> Row:
    kept = {name: each for name, each in costs.items() if name not in decoded}
    best = min(kept, key=lambda name: kept[name].median)
    chosen = advice.verdict.choice.way
    fastest = min(decoded, key=lambda name: costs[name].median, default=None)
    return Row(
        source.name,
        use,
        round(seconds, 1),
        chosen,
        advice.verdict.confidence,
        best,
        costs[best].median / costs[chosen].median,
        # Bytes, and what was measured too seldom, have no interval to be told apart by.
        costs[best].is_known and costs[chosen].is_known and overlap(costs[best], costs[chosen]),
        fastest,
        None if fastest is None else costs[chosen].median / costs[fastest].median,
        costs,
    )


def first_twenty(folder: Path, place: Path) -> Path:
    """Return a folder with the first twenty image files that lie below `folder`, by name."""
    images = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    place.mkdir()
    for number, path in enumerate(images[:20]):
        shutil.copyfile(path, place / f"{number:02}{path.suffix}")
    return place


def show(row: Row) -> None:
    """Print one source: every way, the best marked, and whether the advice is confirmed."""
    for name, cost in sorted(row.costs.items(), key=lambda each: each[1].median):
        low, high = cost.interval
        value = f"{cost.median:,.0f} bytes an image" if row.use == "archive" else f"{words.duration(cost.median)} an image"
        within = "" if len(cost.runs) == 1 else f"  ({words.duration(low)} to {words.duration(high)}, {len(cost.runs)} times)"
        print(f"    {name:<16}{value:>24}{within}{'  <- recommended' if name == row.recommended else ''}")
    beside = "" if row.decoded_ratio is None else f"; decoded pixels, not to be recommended unasked: {row.decoded_ratio:.1f} times as fast"
    noise = ", cannot be told from it" if row.is_within_noise and row.recommended != row.best else ""
    print(
        f"{row.source}, {row.use}: advice in {row.advice_seconds} s: {row.recommended} (confidence {row.confidence}); "
        f"best measured: {row.best}; recommended / best {row.ratio:.2f}{noise}: "
        f"{'confirmed' if row.is_confirmed else 'NOT CONFIRMED'}{beside}",
        flush=True,
    )


@contextlib.contextmanager
def temporary() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".advise-", dir="."))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", type=Path, metavar="SOURCE")
    parser.add_argument("--twenty", type=Path, metavar="FOLDER", help="a further source: the first twenty images of this folder")
    parser.add_argument("--use", choices=get_args(Use), default="train")
    parser.add_argument("--seconds", type=float, default=30.0, help="of measuring each source, besides storing it in every way")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with temporary() as folder:
        twenty = [first_twenty(options.twenty, folder / "twenty images")] if options.twenty else []
        rows = []
        for source in [*options.sources, *twenty]:
            rows.append(judge(source, options.use, options.seconds))
            show(rows[-1])
    if options.json:
        found = [{**asdict(row), "is_confirmed": row.is_confirmed} for row in rows]
        options.json.write_text(json.dumps({"machine": machine.describe(Path()), "rows": found}, indent=1) + "\n")
    return 0 if all(row.is_good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
