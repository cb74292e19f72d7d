"""Reading where the data lie, beside reading the same records from a packed store: how much a conversion would win.

    python benchmarks/in_place.py IMAGES [--photos FOLDER] [--count 20000] [--repeats 7] [--work FOLDER] [--json FILE]

IMAGES is any source of small images (CIFAR-10), PHOTOS one of JPEG files. They are written as LMDB, HDF5, tar and npy by the tools that
people write them with, as MDS by pixstore's export (which MosaicML's own reader reads in the tests), and opened there. A packed store is
made of each by `convert`, so both sides hold the same records. A round reads every sample once in a random order, in batches, first on one
side, then on the other. Printed are medians over the rounds of each side's rate, and the median of the rounds' ratios. Everything was read
before, so it is the page cache that is read.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import lmdb
import numpy as np

import pixstore

BATCH = 512
PHOTO_BATCH = 64
MAP_BYTES = 1 << 36


def lmdb_of_records(path: Path, records: list[bytes], keys: list[str]) -> Path:
    with lmdb.open(str(path), map_size=MAP_BYTES, sync=False) as environment, environment.begin(write=True) as transaction:
        for key, record in zip(keys, records, strict=True):
            transaction.put(key.encode(), record)
    return path


def tar_of_records(path: Path, records: list[bytes], keys: list[str]) -> Path:
    with tarfile.open(path, "w") as archive:
        for key, record in zip(keys, records, strict=True):
            member = tarfile.TarInfo(key)
            member.size = len(record)
            archive.addfile(member, io.BytesIO(record))
    return path


def hdf5_of(path: Path, images: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        file["images"] = images
        file["labels"] = np.arange(len(images))
    return path


def npy_of(path: Path, images: np.ndarray) -> Path:
    np.save(path, images)
    return path


def mds_of(path: Path, source: Path) -> Path:
    pixstore.export(source, path, to="mds", accept=["all"])
    return path


def encoded_layouts(work: Path, name: str, records: list[bytes], suffix: str) -> dict[str, Callable[[], Path]]:
    keys = [f"{row:08}.{suffix}" for row in range(len(records))]
    tar = work / f"{name}.tar"
    return {
        f"tar of {name}": lambda: tar_of_records(tar, records, keys),
        f"LMDB of {name}": lambda: lmdb_of_records(work / f"{name}.lmdb", records, keys),
        f"MDS of {name}": lambda: mds_of(work / f"{name}.mds", tar),
    }


def seconds(dataset: pixstore.Dataset, rows: np.ndarray, batch: int) -> float:
    begin = time.perf_counter()
    for start in range(0, len(rows), batch):
        dataset.read(rows[start : start + batch], columns=[])
    return time.perf_counter() - begin


def measure(title: str, source: Path, work: Path, *, batch: int, repeats: int) -> dict[str, float | str | int]:
    """Print and return the medians of one layout in place and of its packed store."""
    store = work / "packed.pixstore"
    pixstore.convert(source, store)
    with pixstore.open(source) as here, pixstore.open(store) as packed:
        assert here[0].image.tobytes() == packed[0].image.tobytes() and len(here) == len(packed)
        rows = np.random.default_rng(0).permutation(len(here))
        ratios, sides = [], ([], [])
        for number in range(repeats + 1):
            both = [seconds(each, rows, batch) for each in ((here, packed) if number % 2 else (packed, here))]
            if not number % 2:
                both.reverse()
            if number:
                ratios.append(both[0] / both[1])
                for side, took in zip(sides, both, strict=True):
                    side.append(took)
    for each in sorted(store.rglob("*"), reverse=True):
        each.rmdir() if each.is_dir() else each.unlink()
    store.rmdir()
    place, kept = (statistics.median(side) for side in sides)
    print(f"| {title} | {len(rows):,} | {len(rows) / place:,.0f} | {len(rows) / kept:,.0f} | {statistics.median(ratios):.2f} |", flush=True)
    return {"layout": title, "images": len(rows), "in_place_seconds": place, "packed_seconds": kept, "ratio": statistics.median(ratios)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images")
    parser.add_argument("--photos")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print("| layout | images | in place, images/s | packed, images/s | seconds in place ÷ packed |\n|---|---|---|---|---|", flush=True)
    results = []
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        work = Path(folder)
        with pixstore.open(options.images) as dataset:
            arrays = dataset[: options.count].image
        encoded = [bytes(view or b"") for view in pixstore.codec.encode(arrays, "png").slices.views()]
        layouts: dict[str, tuple[Callable[[], Path], int]] = {
            "contiguous HDF5": (lambda: hdf5_of(work / "images.h5", arrays), BATCH),
            "npy": (lambda: npy_of(work / "images.npy", arrays), BATCH),
            **{title: (make, BATCH) for title, make in encoded_layouts(work, "PNG", encoded, "png").items()},
        }
        if options.photos:
            with pixstore.open(options.photos) as photos:
                jpegs = photos.encoded_many(slice(None))
            layouts |= {title: (make, PHOTO_BATCH) for title, make in encoded_layouts(work, "JPEG photos", jpegs, "jpg").items()}
        for title, (make, batch) in layouts.items():
            results.append(measure(title, make(), work, batch=batch, repeats=options.repeats))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
