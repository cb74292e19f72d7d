"""Every codec on photos and on small images: size, encoding and decoding rates, loss. The table of docs/codecs.md.

    python benchmarks/codec_table.py CIFAR PHOTOS [--repeats 5] [--out docs/results/codecs.json] [--page docs/codecs.md]

CIFAR is the CIFAR-10 folder or archive, PHOTOS a folder of colour photos; lossless ones show best what a codec makes of them. All images
are in memory, as pixels and as records, and all usable CPUs work. Repeats of all codecs are interleaved, each as many calls as take a tenth
of a second; rates are those of the median time, in millions of bytes of pixels per second. Loss is the peak signal-to-noise ratio over all
samples, in decibels. --page writes the table into that page.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pixstore
from pixstore import codec
from pixstore.rows import Records

CIFAR_IMAGES = 2_000
PHOTOS = 48
START, END = "<!-- table of benchmarks/codec_table.py -->", "<!-- end of the table -->"
WAYS: dict[str, tuple[str, dict[str, int]]] = {
    "raw": ("raw", {}),
    "lz4": ("lz4", {}),
    "zstd 1": ("zstd", {"level": 1}),
    "zstd 3": ("zstd", {"level": 3}),
    "zstd 19": ("zstd", {"level": 19}),
    "qoi": ("qoi", {}),
    "png 1": ("png", {"level": 1}),
    "png 6": ("png", {"level": 6}),
    "webp-lossless": ("webp-lossless", {}),
    "jpeg 90": ("jpeg", {"quality": 90}),
    "webp 80": ("webp", {"quality": 80}),
    "avif 75": ("avif", {"quality": 75}),
}
HEAD = (
    "| codec | images | pixel bytes per stored byte | encode MB/s | decode MB/s | loss |",
    "|---|---|---|---|---|---|",
)


LEAST_SECONDS = 0.1


@dataclass
class Row:
    """One codec on one set of images; seconds of each repeat."""

    way: str
    images: str
    pixel_bytes: int
    stored_bytes: int
    psnr: float | None
    encode_seconds: list[float] = field(default_factory=list)
    decode_seconds: list[float] = field(default_factory=list)

    def rate(self, seconds: Sequence[float]) -> float:
        return self.pixel_bytes / statistics.median(seconds) / 1e6

    def line(self) -> str:
        loss = "none" if self.psnr is None else f"{self.psnr:.1f} dB"
        rates = " | ".join(f"{self.rate(each):,.0f}" for each in (self.encode_seconds, self.decode_seconds))
        return f"| {self.way} | {self.images} | {self.pixel_bytes / self.stored_bytes:.2f} | {rates} | {loss} |"


class Bench:
    """One codec on one set of images, ready to be repeated."""

    def __init__(self, way: str, name: str, images: Any) -> None:
        self.codec, self.options = WAYS[way]
        self.images = images
        records = self.encode()
        self.records = Records(records.slices, records.formats, records.format, lambda index: (index, str(index), ""))
        pixel_bytes = sum(each.nbytes for each in images)
        self.row = Row(way, name, pixel_bytes, int(records.slices.length.sum()), psnr(images, codec.decode(self.records)))

    def encode(self) -> Any:
        return codec.encode(self.images, self.codec, **self.options)

    def repeat(self) -> None:
        self.row.encode_seconds.append(seconds_of(self.encode))
        self.row.decode_seconds.append(seconds_of(lambda: codec.decode(self.records)))


def seconds_of(action: Callable[[], Any]) -> float:
    """Return the seconds of one call, from as many as fill `LEAST_SECONDS`: what takes a millisecond is not timed by one cold call."""
    start, calls, taken = time.perf_counter(), 0, 0.0
    while taken < LEAST_SECONDS:
        action()
        calls, taken = calls + 1, time.perf_counter() - start
    return taken / calls


def psnr(images: Sequence[NDArray[np.uint8]], found: Sequence[NDArray[np.uint8]]) -> float | None:
    """Return the peak signal-to-noise ratio over all samples, None where nothing is lost."""
    squares = sum(float(((a.astype(np.float64) - b) ** 2).sum()) for a, b in zip(images, found, strict=True))
    samples = sum(each.size for each in images)
    return None if not squares else float(10 * np.log10(255**2 * samples / squares))


def photos(folder: Path) -> list[NDArray[np.uint8]]:
    """Return the first photos of a folder that have three channels of one byte."""
    with pixstore.open(folder) as dataset:
        read = (dataset[row]["image"] for row in range(len(dataset)))
        colour = (each for each in read if each.dtype == np.uint8 and each.ndim == 3 and each.shape[2] == 3)
        return [each for each, _ in zip(colour, range(PHOTOS), strict=False)]


def write_page(page: Path, rows: Sequence[Row], words: str) -> None:
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    table = "\n".join([*HEAD, *(row.line() for row in rows)])
    page.write_text(f"{before}{START}\n{words}\n\n{table}\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cifar", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--page", type=Path)
    arguments = parser.parse_args()
    with pixstore.open(arguments.cifar) as dataset:
        small = np.ascontiguousarray(dataset[:CIFAR_IMAGES]["image"])
    large = photos(arguments.photos)
    pixels = sum(each.shape[0] * each.shape[1] for each in large) / 1e6
    sets: dict[str, Any] = {"photos": large, "CIFAR-10": small}
    benches = [Bench(way, name, images) for name, images in sets.items() for way in WAYS]
    for _ in range(arguments.repeats):
        for bench in benches:
            bench.repeat()
    rows = [bench.row for bench in benches]
    cpus = codec.usable_cpus()
    words = (
        f"{len(large)} photos of {pixels / len(large):.2f} megapixels on average, and {len(small):,} images of CIFAR-10, in memory; "
        f"{cpus} CPUs ({platform.machine()}), medians of {arguments.repeats}. Rates are millions of bytes of pixels per second."
    )
    print(words, *HEAD, *(row.line() for row in rows), sep="\n")
    if arguments.out:
        found = {"machine": {"cpus": cpus, "machine": platform.machine(), "load": os.getloadavg()[0]}, "core": codec.core_info()}
        arguments.out.write_text(json.dumps({**found, "rows": [asdict(row) for row in rows]}, indent=1) + "\n", encoding="utf-8")
    if arguments.page:
        write_page(arguments.page, rows, words)


if __name__ == "__main__":
    main()
