"""The loader's options side by side: what each costs, and how far the loader is from the bare gather of the same rows.

    python benchmarks/loader.py CIFAR PHOTOS [--repeats 5] [--work FOLDER] [--only NAME ...]

CIFAR is the CIFAR-10 folder or archive, PHOTOS a folder of JPEG photos (read several times over where it has fewer than 1,000). Stores
are made under --work first. Candidates of a group run in turn, repeat after repeat; printed are medians of whole epochs after a first
one that is not counted, and ratios to the group's first row. Each group's table is Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import pixstore
from pixstore.loader.transforms import ChannelsFirst, HorizontalFlip, Normalize, RandomCrop, RandomResizedCrop

BATCH = 512
PHOTO_BATCH = 64
PHOTOS_WANTED = 1_000
ENGINES = ("packed", "lmdb", "hdf5", "files")

Candidates = dict[str, Callable[[], Any]]


def consume(batches: Iterable[Any]) -> int:
    """Take every batch, as a trainer does that is never slower than the loader; return how many images came."""
    return sum(len(batch["image"]) for batch in batches)


def measure(title: str, candidates: Candidates, repeats: int) -> None:
    """Print the medians of the candidates, run in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    images = {name: run() for name, run in candidates.items()}
    for _ in range(repeats):
        for name, run in candidates.items():
            begin = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begin)
    first = statistics.median(next(iter(seconds.values())))
    print(f"\n{title}\n\n| | images/s | spread % | ratio |\n|---|---|---|---|")
    for name, times in seconds.items():
        middle = statistics.median(times)
        print(
            f"| {name} | {images[name] / middle:,.0f} | {100 * (max(times) - min(times)) / middle:.0f} | {first / middle:.2f} |", flush=True
        )


def bare_gather(path: Path) -> Callable[[], int]:
    """Return what copies shuffled rows from memory into one buffer, batch after batch: what no loader can beat on one thread."""
    pixels = pixstore.open(path)[:]["image"]
    rows = np.random.default_rng(0).permutation(len(pixels))
    out = np.empty((BATCH, *pixels.shape[1:]), np.uint8)

    def run() -> int:
        for start in range(0, len(rows), BATCH):
            chosen = rows[start : start + BATCH]
            np.take(pixels, chosen, axis=0, out=out[: len(chosen)])
        return len(rows)

    return run


def cifar_groups(source: str, work: Path, repeats: int) -> None:
    stores = {}
    for codec in ("raw", "png"):
        for engine in ENGINES:
            path = work / f"cifar-{engine}-{codec}.pixstore"
            if not path.exists():
                pixstore.convert(source, path, engine=engine, codec=codec)
            stores[engine, codec] = path
    raw = pixstore.open(stores["packed", "raw"])
    shuffled: dict[str, Any] = {"shuffle": True, "seed": 0}

    def epoch(ds: Any, batch: int = BATCH, **options: Any) -> Callable[[], int]:
        loader = ds.loader(batch, **{**shuffled, **options})
        return lambda: consume(loader)

    gather = {"bare gather of the rows in memory": bare_gather(stores["packed", "raw"])}
    checks = {"packed/raw, checked": epoch(raw), "packed/raw, verify=False": epoch(raw, verify=False)}
    measure("CIFAR-10 raw, shuffled, batches of 512", gather | checks, repeats)
    for codec in ("raw", "png"):
        engines = {f"{engine}/{codec}": epoch(pixstore.open(stores[engine, codec])) for engine in ENGINES}
        measure(f"CIFAR-10 {codec} by engine", engines, repeats)
    png = pixstore.open(stores["packed", "png"])
    order = {"in order": epoch(png, shuffle=False), "shuffled": epoch(png), "window": epoch(png, shuffle="window")}
    measure("Order, packed/png", order, repeats)
    measure("Threads, packed/png", {f"threads={count}": epoch(png, threads=count) for count in (1, 2)}, repeats)
    measure("Made in advance, packed/png", {f"ahead={count}": epoch(png, ahead=count) for count in (0, 1, 2, 4)}, repeats)
    measure("Batch size, packed/raw", {f"batches of {size}": epoch(raw, size) for size in (32, 128, 512, 2048)}, repeats)
    augment = [RandomCrop(32, padding=4), HorizontalFlip()]
    floats = [*augment, Normalize(0.5, 0.25)]
    steps = {
        "pixels as they are": epoch(raw),
        "crop and flip": epoch(raw, transforms=augment),
        "crop, flip, float32 N·H·W·C": epoch(raw, transforms=floats),
        "crop, flip, float32 N·C·H·W": epoch(raw, transforms=[*floats, ChannelsFirst()]),
    }
    measure("Transforms, packed/raw", steps, repeats)


def photo_groups(source: str, work: Path, repeats: int) -> None:
    folder = pixstore.open(source)
    rows = np.resize(np.arange(len(folder)), max(PHOTOS_WANTED, len(folder)))
    path = work / "photos.pixstore"
    if not path.exists():
        pixstore.convert(source, path)
    transforms = [RandomResizedCrop(224), HorizontalFlip()]

    def epoch(ds: Any, **options: Any) -> Callable[[], int]:
        loader = ds.select(rows).loader(PHOTO_BATCH, shuffle=True, transforms=transforms, **options)
        return lambda: consume(loader)

    store = pixstore.open(path)
    variants = {"store": epoch(store), "folder": epoch(folder), "store, exact=True": epoch(store, exact=True)}
    variants |= {"store, threads=1": epoch(store, threads=1), "store, verify=False": epoch(store, verify=False)}
    measure("Photos, RandomResizedCrop 224 and flip, batches of 64", variants, repeats)


FIRST_BATCH = """
import sys, time
import pixstore
dataset = pixstore.open(sys.argv[1])
for _ in range(2):
    begin = time.perf_counter()
    # Kept, because a pass that is forgotten waits for the batches that it has begun.
    batches = iter(dataset.loader(512, shuffle=True))
    next(batches)
    print(1000 * (time.perf_counter() - begin))
    del batches
"""


def first_batches(path: Path, repeats: int) -> None:
    """Print how long the first batch of a first and of a second loader takes, in processes of their own."""
    runs = [subprocess.run([sys.executable, "-c", FIRST_BATCH, path], capture_output=True, text=True, check=True) for _ in range(repeats)]
    times = np.array([[float(each) for each in run.stdout.split()] for run in runs])
    print("\nFirst batch after creating the loader, ms\n\n| loader | median | worst |\n|---|---|---|")
    for name, column in zip(("first in the process", "second"), times.T, strict=True):
        print(f"| {name} | {np.median(column):.1f} | {column.max():.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cifar")
    parser.add_argument("photos")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--only", choices=("cifar", "photos", "first"), nargs="*", default=("cifar", "photos", "first"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        if "cifar" in options.only:
            cifar_groups(options.cifar, work, options.repeats)
        if "photos" in options.only:
            photo_groups(options.photos, work, options.repeats)
        if "first" in options.only:
            path = work / "cifar-packed-raw.pixstore"
            if not path.exists():
                pixstore.convert(options.cifar, path, engine="packed", codec="raw")
            first_batches(path, options.repeats)


if __name__ == "__main__":
    main()
