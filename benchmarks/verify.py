"""What proof costs: `verify` beside `cat`, and reading with checksums beside reading without, at images of about 100 KB.

    python benchmarks/verify.py [--images 8000] [--rounds 7] [--engines packed lmdb hdf5 files] [--into FOLDER] [--json FILE]

Makes a store per engine of JPEG photos (noise laid over gradients, about 100 KB each) and one of raw arrays of the same size in a
temporary folder, and reads everything once, so that all is in the page cache. Then every round takes each measurement once, in an order
that rotates from round to round:

    cat        `cat` of all files of pixels into /dev/null
    verify     pixstore.verify: digests of whole files, every record, tables and indices
    checked    batches of 64 encoded images read and decoded, each compared with its checksum
    unchecked  the same with verify=False

Prints medians, MB/s, and two ratios: verify against cat (the promise is 60 % or more), and what checksums add to a read (5 % or less for
encoded images; raw arrays are reported). Ratios are medians of the rounds' own ratios, because machines drift.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import pixstore

ENGINES = ("packed", "lmdb", "hdf5", "files")
DISTINCT = 64
BATCH = 64
JPEG_SIZE = (384, 512)
RAW_SHAPE = (160, 213, 3)


def photos() -> list[bytes]:
    """Return JPEGs of about 100 KB, all different."""
    rng = np.random.default_rng(0)
    height, width = JPEG_SIZE
    slope = np.linspace(0, 160, width)[None, :, None] + np.linspace(0, 60, height)[:, None, None]
    found = []
    for _ in range(DISTINCT):
        pixels = np.clip(slope + rng.normal(0, 18, (height, width, 3)), 0, 255).astype(np.uint8)
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "JPEG", quality=88)
        found.append(data.getvalue())
    return found


def make(path: Path, engine: str, images: list[bytes] | np.ndarray, count: int) -> None:
    """Write a store of `count` images."""
    with pixstore.Writer(path, engine=engine, durability="process") as writer:
        for row in range(count):
            writer.add(images[row % DISTINCT], label=row % 10)


def pixel_files(store: Path) -> list[Path]:
    """Return the files that hold pixels."""
    return sorted(each for each in (store / "shards").rglob("*") if each.is_file() and each.suffix not in (".arrow", ".keys", ".names"))


def cat(files: list[Path]) -> Callable[[], None]:
    """Return a read of all files by cat, as many to a process as its arguments allow."""
    listed = b"\0".join(bytes(each) for each in files)

    def run() -> None:
        with open("/dev/null", "wb") as nowhere:
            subprocess.run(["xargs", "-0", "cat"], input=listed, stdout=nowhere, check=True)

    return run


def verify(store: Path) -> Callable[[], None]:
    def run() -> None:
        report = pixstore.verify(store)
        assert report.ok, report.findings

    return run


def read(dataset: pixstore.Dataset, count: int, checked: bool) -> Callable[[], None]:
    def run() -> None:
        for start in range(0, count, BATCH):
            dataset.read(slice(start, min(start + BATCH, count)), fields=["image"], columns=[], verify=checked)

    return run


def measure(ways: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each way in each round; the order rotates."""
    names = list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for way in ways.values():
        way()
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            began = time.perf_counter()
            ways[name]()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def ratio(above: list[float], below: list[float]) -> float:
    """Return the median of the rounds' own ratios."""
    return statistics.median(one / other for one, other in zip(above, below, strict=True))


def bench_engine(folder: Path, engine: str, count: int, rounds: int) -> dict[str, object]:
    """Measure one engine; print and return its figures."""
    store = folder / engine
    make(store, engine, photos(), count)
    files = pixel_files(store)
    size = sum(each.stat().st_size for each in files)
    # A quarter of the images is enough to know what decoding costs.
    dataset, fewer = pixstore.open(store), max(BATCH, count // 4)
    ways = {"cat": cat(files), "verify": verify(store)}
    ways |= {"checked": read(dataset, fewer, True), "unchecked": read(dataset, fewer, False)}
    seconds = measure(ways, rounds)
    share, added = ratio(seconds["cat"], seconds["verify"]), ratio(seconds["checked"], seconds["unchecked"]) - 1
    rates = "  ".join(f"{name} {size / statistics.median(seconds[name]) / 1e6:7,.0f} MB/s" for name in ("cat", "verify"))
    print(
        f"{engine:8} {count:,} JPEGs, {size / 1e6:,.0f} MB: {rates}  verify/cat {share:5.2f}  checksums add {added:+6.1%} to decoding",
        flush=True,
    )
    return {"engine": engine, "bytes": size, "images": count, "seconds": seconds, "verify_of_cat": share, "checksum_adds": added}


def bench_raw(folder: Path, count: int, rounds: int) -> dict[str, object]:
    """Measure what checksums add to reading raw arrays; print and return the figures."""
    images = np.random.default_rng(0).integers(0, 256, (DISTINCT, *RAW_SHAPE), np.uint8)
    make(folder / "raw", "packed", images, count)
    dataset = pixstore.open(folder / "raw")
    seconds = measure({"checked": read(dataset, count, True), "unchecked": read(dataset, count, False)}, rounds)
    added = ratio(seconds["checked"], seconds["unchecked"]) - 1
    rate = count * images[0].nbytes / statistics.median(seconds["checked"]) / 1e6
    print(f"raw      {count:,} arrays of {images[0].nbytes:,} bytes: checked {rate:,.0f} MB/s, checksums add {added:+6.1%}", flush=True)
    return {"engine": "raw", "images": count, "seconds": seconds, "checksum_adds": added}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--images", type=int, default=8000)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    arguments.add_argument("--into", type=Path, help="Where to make the data; a temporary folder if not given.")
    arguments.add_argument("--json", type=Path, help="Write every time to this file.")
    chosen = arguments.parse_args()
    found = []
    for engine in (*chosen.engines, "raw"):
        with tempfile.TemporaryDirectory(dir=chosen.into) as folder:
            place = Path(folder)
            found.append(
                bench_raw(place, chosen.images // 2, chosen.rounds)
                if engine == "raw"
                else bench_engine(place, engine, chosen.images, chosen.rounds)
            )
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
