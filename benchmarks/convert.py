"""What converting many small image files costs, beside `cp -r` of the same files.

    python benchmarks/convert.py --cifar ../shared/data/cifar10/cifar-10-batches-py.tar.xz [--files 1000000] [--runs 3] [--into FOLDER]

Makes PNG files of CIFAR-10's images (about 2.3 KB each), 1,000 to a folder; each further time round, the images' grey values are turned by
one more, so that no two files are equal. Measures in rotation `cp -r` of them and `pixstore.convert` of them into each engine, each in a
process of its own: check "structure", durability "process", encoded bytes kept, no kept listing. What was written is removed at the end
alone: ext4 is slow to make files where others were just deleted (docs/decisions/0003); a million files take 4 GB each time. The files are
in the system's cache: one `cp -r` that does not count goes first, and what was written before is on the medium when the next begins. Times
are medians of work without the start of the process, memory is the largest peak of the process's resident memory.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import pixstore

FILES_PER_FOLDER = 1000
ENGINES = ("packed", "lmdb", "hdf5", "files")
PROMISED = {"packed": 5.0, "lmdb": 5.0, "hdf5": 5.0, "files": 0.7}
COPY = "cp -r"


def make_files(cifar: Path, root: Path, count: int) -> int:
    """Make `count` PNG files, 1,000 to a folder; return their bytes."""
    total = 0
    with pixstore.open(cifar) as dataset:
        for start in range(0, count, FILES_PER_FOLDER):
            stop = min(start + FILES_PER_FOLDER, count)
            rows = np.arange(start, stop) % len(dataset)
            turned = (dataset[rows].image.astype(np.int64) + start // len(dataset)).astype(np.uint8)
            folder = root / f"{start // FILES_PER_FOLDER:04}"
            folder.mkdir(parents=True)
            for place, record in enumerate(pixstore.codec.encode(turned, "png").slices.views()):
                assert record is not None
                (folder / f"{start + place:07}.png").write_bytes(record)
                total += len(record)
    return total


def measured(what: str, source: Path, target: Path) -> tuple[float, float]:
    """Copy or convert in a process of its own; return seconds and MB of peak resident memory."""
    os.sync()
    command = (
        ["cp", "-r", str(source), str(target)] if what == COPY else [sys.executable, __file__, "--measure", what, str(source), str(target)]
    )
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    took = time.perf_counter() - began
    if what == COPY:
        return took, 0.0
    found = json.loads(done.stdout)
    return float(found["seconds"]), float(found["megabytes"])


def convert(engine: str, source: Path, target: Path) -> None:
    """Convert and print seconds and peak memory as JSON."""
    # A first conversion of one file imports what a conversion needs; the clock is of the work.
    with tempfile.TemporaryDirectory() as folder:
        one = next(source.glob("*/*.png"))
        pixstore.convert(one, Path(folder) / "one", engine=engine, durability="process")
    began = time.perf_counter()
    pixstore.convert(source, target, engine=engine, durability="process")
    seconds = time.perf_counter() - began
    # Not ru_maxrss: it begins with what the process had that started this one.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(json.dumps({"seconds": seconds, "megabytes": int(status["VmHWM"].split()[0]) / 1024}))


def run(cifar: Path, into: Path, files: int, runs: int, engines: list[str]) -> None:
    """Make the files and measure everything in rotation."""
    source = into / "files"
    if not source.exists():
        print(f"{make_files(cifar, source, files) / 1e6:,.0f} MB in {files:,} files", flush=True)
    made = into / "made"
    made.mkdir()
    measured(COPY, source, made / "uncounted")
    taken: dict[str, list[tuple[float, float]]] = {what: [] for what in (COPY, *engines)}
    for number in range(runs):
        for what in taken:
            taken[what].append(measured(what, source, made / f"{what.split()[0]}-{number}"))
            print(f"  {what:8} {taken[what][-1][0]:8.2f} s {taken[what][-1][1]:6.0f} MB", flush=True)
    shutil.rmtree(made)
    copied = statistics.median(seconds for seconds, _ in taken[COPY])
    print(f"{'':8} {'median':>9} {'beside cp -r':>13} {'promised':>9} {'images/s':>11} {'peak memory':>12}")
    for what, each in taken.items():
        seconds = statistics.median(took for took, _ in each)
        promise = f"{PROMISED[what]:.1f} ×" if what in PROMISED else ""
        peak = f"{max(size for _, size in each):,.0f} MB" if what != COPY else ""
        print(f"{what:8} {seconds:7.2f} s {copied / seconds:11.2f} × {promise:>9} {files / seconds:11,.0f} {peak:>12}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cifar", type=Path, default=Path("../shared/data/cifar10/cifar-10-batches-py.tar.xz"), help="CIFAR-10, archive or folder"
    )
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--into", type=Path, help="where files are made and kept; a temporary folder if not given")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        return convert(chosen.measure[0], Path(chosen.measure[1]), Path(chosen.measure[2]))
    os.environ["PIXSTORE_LISTINGS"] = "off"
    with tempfile.TemporaryDirectory() as temporary:
        into = chosen.into or Path(temporary)
        run(chosen.cifar, into, chosen.files, chosen.runs, chosen.engines.split(","))


if __name__ == "__main__":
    main()
