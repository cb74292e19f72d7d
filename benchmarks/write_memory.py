"""Peak memory while writing many small images, one process per engine.

    python benchmarks/write_memory.py [--images 1000000] [--engines packed lmdb hdf5 files]

Prints for each engine the seconds and the peak resident memory (VmHWM, mapped pages included) of a process that adds 32 × 32 × 3 images
one by one; the promise is under 500 MB for 1,000,000 images.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import pixstore

DISTINCT = 1000
ENGINES = ("packed", "lmdb", "hdf5", "files")


def write(path: Path, engine: str, count: int) -> None:
    """Write `count` images and print what it took."""
    images = np.random.default_rng(0).integers(0, 256, (DISTINCT, 32, 32, 3), np.uint8)
    began = time.perf_counter()
    with pixstore.Writer(path, engine=engine, durability="process") as writer:
        for row in range(count):
            writer.add(images[row % DISTINCT], label=row % 10)
    seconds = time.perf_counter() - began
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    print(f"{engine:8} {count:>9,} images {seconds:8.1f} s {peak / 1024:8.0f} MB at most", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--images", type=int, default=1_000_000)
    arguments.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    arguments.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.into is not None:
        write(chosen.into, chosen.engines[0], chosen.images)
        return
    for engine in chosen.engines:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--images", str(chosen.images), "--engines", engine, "--into", f"{folder}/store"]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
