"""The native core beside existing wheels on the same jobs: what is gained by having a core of our own.

    python benchmarks/codecs.py CIFAR PHOTOS [--repeats 5] [--threads N]

CIFAR is the CIFAR-10 folder or archive, PHOTOS a folder of colour JPEG files. The peers are pillow, simplejpeg and imagecodecs, each
in a pool of threads with its own call per image, as one would use it; those that are not installed are named and left out. Every
peer's pixels are compared with the core's before anything is timed. Times are medians; repeats of all candidates are interleaved.
"""

from __future__ import annotations

import argparse
import importlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pixstore_native as native
from numpy.typing import NDArray
from PIL import Image

import pixstore

PNG, JPEG, RAW = (np.array([number], np.uint8) for number in (2, 3, 0))
CIFAR_SHAPE = np.array([[32, 32, 3]], np.int32)
CIFAR_IMAGES = 10_000
GATHERED = 100_000
RECORD_BYTES = 3072

Candidates = dict[str, Callable[[], Any]]


def optional(name: str) -> Any:
    """Return the module, or None after saying that it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"missing: {name} (pip install {name})", file=sys.stderr)
        return None


simplejpeg = optional("simplejpeg")
imagecodecs = optional("imagecodecs")


class Threads:
    """Calls a function for each item, in threads, in chunks large enough that handing them out costs nothing."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count)

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        chunks = [items[start : start + 64] for start in range(0, len(items), 64)]
        done = self._pool.map(lambda chunk: [function(item) for item in chunk], chunks)
        return [result for chunk in done for result in chunk]


def pillow_decode(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)))


def pillow_png(pixels: NDArray[np.uint8]) -> bytes:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG")
    return target.getvalue()


def core_decode(place: Any, codec: NDArray[np.uint8], shapes: NDArray[np.int32], out: Any, threads: int, **checks: Any) -> Any:
    failures = native.decode(place, codec, shapes, out, threads=threads, **checks)
    if failures:
        raise SystemExit(f"the core failed: {failures[:3]}")
    return out


def png_decode_job(files: list[bytes], threads: int, pool: Threads) -> Candidates:
    out = np.empty((len(files), 32, 32, 3), np.uint8)
    candidates: Candidates = {
        "core": lambda: core_decode(files, PNG, CIFAR_SHAPE, out, threads),
        "pillow": lambda: np.stack(pool.map(pillow_decode, files)),
    }
    if imagecodecs is not None:
        candidates["imagecodecs png"] = lambda: np.stack(pool.map(imagecodecs.png_decode, files))
        candidates["imagecodecs spng"] = lambda: np.stack(pool.map(imagecodecs.spng_decode, files))
    return candidates


def png_encode_job(images: NDArray[np.uint8], threads: int, pool: Threads) -> Candidates:
    def core() -> list[bytes]:
        data, lengths, _ = native.encode(images, CIFAR_SHAPE, 1, 2, threads=threads)
        ends = np.cumsum(lengths).tolist()
        return [data[end - length : end] for end, length in zip(ends, lengths.tolist(), strict=True)]

    each = list(images)
    candidates: Candidates = {"core": core, "pillow": lambda: pool.map(pillow_png, each)}
    if imagecodecs is not None:
        candidates["imagecodecs png"] = lambda: pool.map(imagecodecs.png_encode, each)
        candidates["imagecodecs spng"] = lambda: pool.map(imagecodecs.spng_encode, each)
    return candidates


def jpeg_decode_job(files: list[bytes], threads: int, pool: Threads) -> Candidates:
    _, shapes, _, failures = native.probe([*files])
    if failures:
        raise SystemExit(f"photos that the core cannot read: {failures[:3]}")
    out = [np.empty(tuple(shape), np.uint8) for shape in shapes.tolist()]
    candidates: Candidates = {
        "core": lambda: core_decode(files, JPEG, shapes, out, threads),
        "pillow": lambda: pool.map(pillow_decode, files),
    }
    if simplejpeg is not None:
        candidates["simplejpeg"] = lambda: pool.map(simplejpeg.decode_jpeg, files)
    if imagecodecs is not None:
        candidates["imagecodecs jpeg"] = lambda: pool.map(imagecodecs.jpeg8_decode, files)
    return candidates


def gather_job(path: Path, threads: int) -> Candidates:
    order = np.random.default_rng(0).permutation(GATHERED)
    source = np.memmap(path, np.uint8, "r").reshape(GATHERED, RECORD_BYTES)
    out = np.empty_like(source)
    shape = np.array([[32, 32, 3]], np.int32)
    seeds = np.arange(GATHERED, dtype=np.uint64)
    place = ([str(path)], np.zeros(GATHERED, np.uint32), order * RECORD_BYTES, np.full(GATHERED, RECORD_BYTES))
    checksums, _ = native.checksum(place, seeds)

    def row_by_row() -> Any:
        for row, number in enumerate(order.tolist()):
            out[row] = source[number]
        return out

    return {
        "core, checked": lambda: core_decode(place, RAW, shape, out, threads, checksums=checksums, seeds=seeds),
        "core": lambda: core_decode(place, RAW, shape, out, threads),
        "numpy take": lambda: np.take(source, order, axis=0, out=out),
        "numpy, row by row": row_by_row,
    }


def files_job(folder: Path, files: list[bytes], threads: int, pool: Threads) -> Candidates:
    paths = [str(folder / f"{number:05}.png") for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        Path(path).write_bytes(data)
    count = len(paths)
    place = (paths, np.arange(count, dtype=np.uint32), np.zeros(count, np.int64), np.full(count, -1, np.int64))
    out = np.empty((count, 32, 32, 3), np.uint8)
    return {
        "core": lambda: core_decode(place, PNG, CIFAR_SHAPE, out, threads),
        "pillow": lambda: np.stack(pool.map(lambda path: np.asarray(Image.open(path)), paths)),
    }


def refuse_other_pixels(job: str, results: dict[str, Any]) -> None:
    """End the run where a candidate's pixels are not those of the first."""
    first, *others = results.items()
    for name, result in others:
        for ours, theirs in zip(first[1], result, strict=True):
            furthest = int(np.abs(np.asarray(ours, np.int16) - np.asarray(theirs, np.int16)).max())
            if furthest:
                raise SystemExit(f"{job}: {name} and {first[0]} differ by {furthest}")


def measure(candidates: Candidates, repeats: int) -> dict[str, tuple[float, float]]:
    """Return the median seconds of each candidate: on the clock, and of the CPUs, which other work on the machine disturbs less."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, run in candidates.items():
            clock, cpus = time.perf_counter(), time.process_time()
            run()
            times[name].append((time.perf_counter() - clock, time.process_time() - cpus))
    return {name: (statistics.median(c for c, _ in each), statistics.median(c for _, c in each)) for name, each in times.items()}


def report(job: str, count: int, candidates: Candidates, repeats: int, *, compare: bool = True) -> None:
    results = {name: run() for name, run in candidates.items()}
    if compare:
        refuse_other_pixels(job, results)
    notes = {name: f"{sum(map(len, files)):>12,} bytes" for name, files in results.items() if not compare}
    seconds = measure(candidates, repeats)
    first_clock, first_cpus = next(iter(seconds.values()))
    print(f"\n{job}")
    for name, (clock, cpus) in seconds.items():
        each = (
            f"{clock / count * 1e6:9.2f} us each {clock / first_clock:6.2f} x   CPU {cpus / count * 1e6:9.2f} us {cpus / first_cpus:6.2f} x"
        )
        print(f"  {name:20} {each}  {notes.get(name, '')}".rstrip())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cifar", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: all usable CPUs")
    arguments = parser.parse_args()
    threads = arguments.threads or native.usable_cpus()
    repeats, pool = arguments.repeats, Threads(threads)
    print(native.info(), f"{threads} threads, medians of {repeats}")
    images = np.ascontiguousarray(pixstore.open(arguments.cifar)[:CIFAR_IMAGES]["image"])
    files = [pillow_png(image) for image in images]
    photos = [path.read_bytes() for path in sorted(arguments.photos.iterdir()) if path.suffix.lower() in (".jpg", ".jpeg")]
    photos = [data for data in photos if Image.open(io.BytesIO(data)).mode == "RGB"]
    report("decode CIFAR PNG from memory", len(files), png_decode_job(files, threads, pool), repeats)
    report("encode CIFAR PNG", len(images), png_encode_job(images, threads, pool), repeats, compare=False)
    report("decode photos, JPEG", len(photos), jpeg_decode_job(photos, threads, pool), repeats)
    with tempfile.TemporaryDirectory() as folder:
        report("read and decode CIFAR PNG files", len(files), files_job(Path(folder), files, threads, pool), repeats)
        path = Path(folder, "raw")
        np.tile(images, (GATHERED // CIFAR_IMAGES, 1, 1, 1)).tofile(path)
        report("gather 100,000 rows of 3,072 bytes, shuffled", GATHERED, gather_job(path, threads), repeats)


if __name__ == "__main__":
    main()
