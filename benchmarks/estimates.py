"""What `pixstore convert --dry-run` says beside what the conversion then takes, on four kinds of sources.

    python benchmarks/estimates.py --cifar cifar-10-batches-py --photos FOLDER [--engines packed,lmdb,hdf5,files] [--repeat 3] [--out FILE]

Sources: CIFAR-10 as Python batches (folder or archive), a folder of photos, and made from CIFAR-10 here, in a temporary folder: a folder
of small PNG files and the tutorial's HDF5 file. Each is converted as it is, the photos and the arrays once more into other codecs. Estimate
and conversion run one after the other in one process, all files as warm as the estimate leaves them; of several repeats the median counts,
each with its own estimate. Bytes shall be within 10 %, seconds within 30 %: what is not is marked, and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py

import pixstore
from pixstore.disk import bytes_of

MOST_BYTES_OFF = 0.10
MOST_SECONDS_OFF = 0.30


@dataclass(frozen=True)
class Row:
    """One conversion: what was expected beside what came."""

    source: str
    engine: str
    codec: str
    samples: int
    expected_bytes: int
    bytes: int
    expected_allocated: int
    allocated: int
    expected_seconds: float
    seconds: float
    measured: str

    @property
    def offs(self) -> tuple[float, float, float]:
        """How far bytes, allocated bytes and seconds are off, as shares."""
        return (
            self.expected_bytes / self.bytes - 1,
            self.expected_allocated / self.allocated - 1,
            self.expected_seconds / self.seconds - 1,
        )

    @property
    def is_good(self) -> bool:
        apparent, allocated, seconds = map(abs, self.offs)
        return max(apparent, allocated) <= MOST_BYTES_OFF and seconds <= MOST_SECONDS_OFF


def make_sources(cifar: Path, photos: Path, folder: Path, count: int) -> dict[str, Path]:
    """Return the four sources by name; two are made from `count` images of CIFAR-10."""
    with pixstore.open(cifar) as dataset:
        batch = dataset[: min(count, len(dataset))]
        with h5py.File(folder / "tutorial.h5", "w") as file:
            file.create_dataset("images", data=batch["image"], dtype=h5py.h5t.STD_U8BE)
            file.create_dataset("meta", data=batch["label"], dtype=h5py.h5t.STD_U8BE)
    pixstore.convert(folder / "tutorial.h5", folder / "png.pixstore", codec="png", durability="process")
    with pixstore.open(folder / "png.pixstore") as dataset:
        for number, image in enumerate(dataset.encoded(row) for row in range(len(dataset))):
            place = folder / "pngs" / f"class{number % 10}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number:06}.png").write_bytes(bytes(image))
    return {"cifar-10 batches": cifar, "photos": photos, "small PNG files": folder / "pngs", "tutorial HDF5": folder / "tutorial.h5"}


def measure(name: str, source: Path, folder: Path, engine: str, codec: str) -> Row:
    place = folder / "out.pixstore"
    expected = pixstore.convert(source, place, engine=engine, codec=codec, dry_run=True).estimate
    assert expected is not None
    report = pixstore.convert(source, place, engine=engine, codec=codec)
    apparent, allocated = bytes_of(place)
    shutil.rmtree(place)
    return Row(name, engine, codec, report.samples, expected.bytes_out, apparent, expected.allocated, allocated, expected.seconds,
               report.seconds, expected.measured)  # fmt: skip


def show(row: Row) -> None:
    apparent, allocated, seconds = row.offs
    print(
        f"{row.source:17} {row.engine:7} {row.codec:5} {row.expected_bytes / 1e6:9.2f} {row.bytes / 1e6:9.2f} MB {apparent:+7.2%}"
        f"  on disk {allocated:+7.2%}  {row.expected_seconds:7.2f} {row.seconds:7.2f} s {seconds:+6.0%} {'' if row.is_good else ' OFF'}",
        flush=True,
    )


def median(rows: list[Row]) -> Row:
    """Return the row whose seconds are off by the median."""
    return sorted(rows, key=lambda row: row.offs[2])[len(rows) // 2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--images", type=int, default=20_000, help="how many of CIFAR-10 the made sources have")
    parser.add_argument("--engines", default="packed,lmdb,hdf5,files")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--into", type=Path, help="a folder on the file system to measure")
    parser.add_argument("--out", type=Path, help="a JSON file for all rows")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=options.into) as name:
        folder = Path(name)
        sources = make_sources(options.cifar, options.photos, folder, options.images)
        cases = [(each, engine, "keep") for each in sources for engine in options.engines.split(",")]
        cases += [("photos", "packed", "jpeg"), ("cifar-10 batches", "packed", "png"), ("tutorial HDF5", "packed", "png")]
        print(f"{'source':17} {'engine':7} {'codec':5} {'expected':>9} {'came':>9}    {'off':>7}   {'':16} {'expected':>7} {'took':>6}")
        for source, engine, codec in cases:
            found = median([measure(source, sources[source], folder, engine, codec) for _ in range(options.repeat)])
            show(found)
            rows.append(found)
    print(f"bytes off by {statistics.median(abs(row.offs[0]) for row in rows):.2%} in the median, seconds by", end=" ")
    print(f"{statistics.median(abs(row.offs[2]) for row in rows):.0%}; {sum(not row.is_good for row in rows)} of {len(rows)} off")
    if options.out is not None:
        options.out.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    return int(any(not row.is_good for row in rows))


if __name__ == "__main__":
    sys.exit(main())
