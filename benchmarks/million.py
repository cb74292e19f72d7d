"""What a million of anything costs: a folder of small image files, and stores of small rows.

    python benchmarks/million.py [--files 1000000] [--rows 1000000] [--shards 100] [--into FOLDER]

Makes the data in a temporary folder (hard links to one small PNG per folder of 1,000; rows of 32 × 32 × 3 raw pixels, 3 GB per million and
store) and measures each step in a process of its own, pixstore imported before the clock starts. Opening a folder is measured thrice: cold
of our own making (no kept listing), with the listing just kept, and with PIXSTORE_LISTINGS=off. Times of one row and of chunks are medians.
Memory is the peak resident memory of the whole process; "own" leaves out mapped files (RssAnon at the end).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import pixstore

FILES_PER_FOLDER = 1000
DISTINCT = 10_000
LISTINGS = "PIXSTORE_LISTINGS"

Row = tuple[str, str, str, str]


def make_files(root: Path, count: int) -> None:
    """Make `count` small PNG files, 1,000 to a folder."""
    for number in range(0, count, FILES_PER_FOLDER):
        folder = root / f"class{number // FILES_PER_FOLDER:04}"
        folder.mkdir(parents=True)
        first = folder / "00000000.png"
        Image.new("RGB", (4, 4), (number % 251, 7, 9)).save(first)
        for place in range(1, min(FILES_PER_FOLDER, count - number)):
            os.link(first, folder / f"{place:08}.png")


def make_store(path: Path, count: int, shards: int) -> None:
    """Make a store of `count` rows of 32 × 32 × 3 raw pixels and a label, in about so many shards."""
    images = np.random.default_rng(0).integers(0, 256, (DISTINCT, 32, 32, 3), np.uint8)
    # Keys and columns count too: a little more than the pixels makes as many shards as asked for.
    shard_bytes = max(1 << 16, count * (images[0].nbytes + 32) // shards)
    with pixstore.Writer(path, engine="packed", durability="process", shard_bytes=shard_bytes) as writer:
        for start in range(0, count, DISTINCT):
            rows = min(DISTINCT, count - start)
            writer.add_batch(images[:rows], label=np.arange(start, start + rows) % 10)


def memory() -> dict[str, int]:
    """Return MB of peak resident memory, of resident memory of our own, and of mapped files."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {name: int(status[name].split()[0]) // 1024 for name in ("VmHWM", "RssAnon", "RssFile")}


def show(what: str, seconds: float, limit: str = "") -> None:
    """Print one line of the table."""
    held = memory()
    shown = f"{seconds * 1e6:,.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:,.1f} ms" if seconds < 1 else f"{seconds:,.2f} s"
    print(f"{what:52} {shown:>12} {held['VmHWM']:>7} MB peak {held['RssAnon']:>6} MB own   {limit}", flush=True)


def timed(work: Callable[[], object], runs: int = 1) -> float:
    """Return the median of the seconds that the work takes."""
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def measure_folder(path: Path, what: str) -> None:
    """Open a folder and find rows of it."""
    # The first open of a process also imports what a folder needs.
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder), 3)
        pixstore.open(folder)
    calls: list[int] = []
    began = time.perf_counter()
    dataset = pixstore.open(path, progress=lambda files, total, count: calls.append(files))
    show(f"open {len(dataset):,} files, {what}", time.perf_counter() - began, "promised < 15 s (kept: < 2 s), < 600 MB")
    if calls:
        print(f"  told how far it is {len(calls)} times")
    chunks = iter(np.random.default_rng(0).integers(0, len(dataset), (60, 512)))
    show("  locate 512 random rows", timed(lambda: dataset.located("image", next(chunks)), 50), "aim ≤ 500 µs")
    rows = iter(np.random.default_rng(1).integers(0, len(dataset), 1000).tolist())
    show("  one sample", timed(lambda: dataset[next(rows)], 500))


def measure_store(path: Path) -> None:
    """Open a store, begin an epoch, find rows of it, read one by one."""
    # The first open of a process also imports what a store needs.
    with tempfile.TemporaryDirectory() as folder:
        make_store(Path(folder) / "s", 10, 1)
        pixstore.open(Path(folder) / "s")[0]
    before = memory()["RssAnon"]
    began = time.perf_counter()
    dataset = pixstore.open(path)
    manifest = dataset.store_manifest
    shards = len(manifest.shards) if manifest is not None else 0
    show(f"open {len(dataset):,} rows in {shards} shard(s)", time.perf_counter() - began, "promised < 100 ms")
    random = np.random.default_rng(0)
    chunks = iter(random.integers(0, len(dataset), (200, 8192)))
    show("  locate the first 8,192 random rows", timed(lambda: dataset.located("image", next(chunks))), "an epoch begins: < 10 ms")
    timed(lambda: dataset.located("image", next(chunks)), 60)
    show("  locate 8,192 random rows", timed(lambda: dataset.located("image", next(chunks)), 50))
    few = iter(random.integers(0, len(dataset), (200, 512)))
    show("  locate 512 random rows", timed(lambda: dataset.located("image", next(few)), 100), "aim ≤ 100 µs")
    rows = iter(random.integers(0, len(dataset), 6000).tolist())
    timed(lambda: dataset[next(rows)], 1000)
    show("  one sample", timed(lambda: dataset[next(rows)], 4000), "aim ≤ 50 µs")
    print(f"  own memory grew by {memory()['RssAnon'] - before} MB (promised < 250 MB + batches)", flush=True)


def in_child(arguments: list[str], **environment: str) -> None:
    """Run one measurement in a fresh process."""
    subprocess.run([sys.executable, __file__, *arguments], check=True, env={**os.environ, **environment})


def run(into: Path, files: int, rows: int, shards: int) -> None:
    """Make the data and measure everything."""
    cache = {"XDG_CACHE_HOME": str(into / "cache")}
    if files:
        make_files(into / "files", files)
        # A folder that changed within the last two seconds is scanned, but not kept.
        time.sleep(3)
        for what, switch in (("no listing kept", "on"), ("listing kept", "on"), ("listings off", "off")):
            in_child(["--measure", "folder", "--what", what, "--into", str(into / "files")], **cache, **{LISTINGS: switch})
    for count in sorted({1, shards}) if rows else []:
        make_store(into / f"store{count}", rows, count)
        in_child(["--measure", "store", "--into", str(into / f"store{count}")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=1_000_000, help="0 leaves the folder out")
    parser.add_argument("--rows", type=int, default=1_000_000, help="0 leaves the stores out")
    parser.add_argument("--shards", type=int, default=100, help="of the second store; the first has one")
    parser.add_argument("--into", type=Path, help="where the data is made; a temporary folder if not given")
    parser.add_argument("--measure", choices=("folder", "store"), help=argparse.SUPPRESS)
    parser.add_argument("--what", default="", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure == "folder":
        measure_folder(chosen.into, chosen.what)
    elif chosen.measure == "store":
        measure_store(chosen.into)
    else:
        with tempfile.TemporaryDirectory(dir=chosen.into) as folder:
            run(Path(folder), chosen.files, chosen.rows, chosen.shards)


if __name__ == "__main__":
    main()
