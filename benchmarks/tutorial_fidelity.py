"""Whether the bench's tutorial ways are as fast as the tutorial: each against an independent plain loop, in turns.

    python benchmarks/tutorial_fidelity.py [IMAGES] [REPEATS]

Prints one row per way and job with both medians and their ratio; ends with status 1 where a way is more than 10 % slower than its
loop. The loops are written for this file alone and share nothing with pixstore.bench.ways but the libraries.
"""

from __future__ import annotations

import csv
import os
import pickle
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import lmdb
import numpy as np
from PIL import Image

from pixstore.bench.generator import pictures
from pixstore.bench.ways.base import Way, Work
from pixstore.bench.ways.catalog import TUTORIAL

SLOWER_BY = 1.10


def store_png(folder: Path, work: Work) -> None:
    count = 0
    for image in work.images:
        Image.fromarray(image).save(folder / f"{count}.png")
        count += 1
    with open(folder / f"{count}.csv", "w") as file:
        writer = csv.writer(file, delimiter=" ", quotechar="|", quoting=csv.QUOTE_MINIMAL)
        for label in work.labels:
            writer.writerow([label])


def read_png(folder: Path, work: Work) -> object:
    images, labels = [], []
    for number in range(len(work)):
        images.append(np.array(Image.open(folder / f"{number}.png")))
    with open(folder / f"{len(work)}.csv") as file:
        for row in csv.reader(file, delimiter=" ", quotechar="|", quoting=csv.QUOTE_MINIMAL):
            labels.append(int(row[0]))
    return images, labels


class Record:
    """One image as the plain LMDB loop pickles it."""

    def __init__(self, image: Any, label: int) -> None:
        self.channels = image.shape[2]
        self.size = image.shape[:2]
        self.image = image.tobytes()
        self.label = label


def store_lmdb(folder: Path, work: Work) -> None:
    environment = lmdb.open(str(folder / "plain"), map_size=work.pixel_bytes * 10)
    with environment.begin(write=True) as transaction:
        for number in range(len(work)):
            record = Record(work.images[number], int(work.labels[number]))
            transaction.put(f"{number:08}".encode("ascii"), pickle.dumps(record))
    environment.close()


def read_lmdb(folder: Path, work: Work) -> object:
    images, labels = [], []
    environment = lmdb.open(str(folder / "plain"), readonly=True)
    with environment.begin() as transaction:
        for number in range(len(work)):
            # Written by store_lmdb above, in this process.
            record = pickle.loads(transaction.get(f"{number:08}".encode("ascii")) or b"")
            images.append(np.frombuffer(record.image, dtype=np.uint8).reshape(*record.size, record.channels))
            labels.append(record.label)
    environment.close()
    return images, labels


def store_hdf5(folder: Path, work: Work) -> None:
    file = h5py.File(folder / "plain.h5", "w")
    file.create_dataset("images", np.shape(work.images), h5py.h5t.STD_U8BE, data=work.images)
    file.create_dataset("meta", np.shape(work.labels), h5py.h5t.STD_U8BE, data=work.labels)
    file.close()


def read_hdf5(folder: Path, work: Work) -> object:
    file = h5py.File(folder / "plain.h5", "r")
    found = np.array(file["/images"]).astype("uint8"), np.array(file["/meta"]).astype("uint8")
    file.close()
    return found


LOOPS: dict[str, tuple[Callable[[Path, Work], None], Callable[[Path, Work], object]]] = {
    "tutorial-png": (store_png, read_png),
    "tutorial-lmdb": (store_lmdb, read_lmdb),
    "tutorial-hdf5": (store_hdf5, read_hdf5),
}


def timed(action: Callable[[Path, Work], object], folder: Path, work: Work) -> float:
    os.sync()
    started = time.perf_counter()
    action(folder, work)
    return time.perf_counter() - started


def compare(way: Way, work: Work, repeats: int) -> list[tuple[str, float, float]]:
    """Return (job, median of the way, median of the loop) for storing and reading, measured in turns."""
    store, read = LOOPS[way.name]
    times: dict[str, list[float]] = {name: [] for name in ("way store", "loop store", "way read", "loop read")}
    for repeat in range(repeats + 1):
        turns = [("way", way.store_many, way.read_many), ("loop", store, read)]
        for who, storing, reading in turns if repeat % 2 else turns[::-1]:
            folder = Path(tempfile.mkdtemp(prefix="fidelity-"))
            seconds = timed(storing, folder, work), timed(reading, folder, work)
            shutil.rmtree(folder)
            if repeat:  # the first turn loads libraries
                times[f"{who} store"].append(seconds[0])
                times[f"{who} read"].append(seconds[1])
    medians = {name: statistics.median(runs) for name, runs in times.items()}
    return [(job, medians[f"way {job}"], medians[f"loop {job}"]) for job in ("store", "read")]


def main(arguments: list[str]) -> int:
    count, repeats = (int(each) for each in [*arguments, *("2000", "7")[len(arguments) :]])
    drawn = pictures(count)
    work = Work(drawn.images, drawn.labels)
    worst = 0.0
    print(f"{count:,} synthetic images, median of {repeats} turns")
    for way in TUTORIAL.values():
        for job, ours, plain in compare(way, work, repeats):
            worst = max(worst, ours / plain)
            print(f"{way.name:14} {job:6} bench {ours * 1e3:9.2f} ms   plain loop {plain * 1e3:9.2f} ms   ratio {ours / plain:.3f}")
    return int(worst > SLOWER_BY)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
