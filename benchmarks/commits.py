"""A store of very many small commits: its metadata after gc, how fast it opens, and what compact and gc make of it.

    python benchmarks/commits.py [--commits 1000] [--batch 16] [--durability process] [--folder FOLDER]

Each commit adds one batch of 32 × 32 × 3 arrays. Metadata are the manifest, the kept versions, the tables and the key indices. Opening is
the fastest of five, in this process, files in the page cache.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import pixstore
from pixstore.manifest import Durability

OPENINGS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--durability", choices=("power", "process"), default="process")
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measure(Path(folder) / "store", options.commits, options.batch, options.durability)


def measure(path: Path, commits: int, batch: int, durability: Durability) -> None:
    began = time.perf_counter()
    with pixstore.Writer(path, durability=durability) as writer:
        for turn in range(commits):
            writer.add_batch(np.full((batch, 32, 32, 3), turn % 251, np.uint8), label=[turn] * batch)
            writer.commit()
    print(f"{commits:,} commits of {batch} images: {time.perf_counter() - began:.1f} s")
    store = pixstore.Store(path)
    kept = len(store.gc().kept)
    print(f"after gc: {metadata_bytes(path) / 1e6:.2f} MB of metadata, {kept} versions kept, opens in {opening_seconds(path) * 1e3:.0f} ms")
    began = time.perf_counter()
    report = store.compact()
    compacted = time.perf_counter() - began
    store.gc(keep=1)
    files = len(list((path / "shards").iterdir()))
    print(f"after compact ({report.shards_before:,} shards become {report.shards_after}, {compacted:.1f} s) and gc --keep 1: ", end="")
    print(f"{files} files, {metadata_bytes(path) / 1e6:.2f} MB of metadata, opens in {opening_seconds(path) * 1e3:.1f} ms")


def metadata_bytes(path: Path) -> int:
    """Return the bytes of everything but pixels."""
    files = [path / "manifest.json", *(path / "versions").iterdir()]
    files += [each for each in (path / "shards").iterdir() if each.suffix in (".arrow", ".keys")]
    return sum(each.stat().st_size for each in files)


def opening_seconds(path: Path) -> float:
    """Return the seconds of the fastest of a few openings."""
    taken = []
    for _ in range(OPENINGS):
        began = time.perf_counter()
        pixstore.open(path)
        taken.append(time.perf_counter() - began)
    return min(taken)


if __name__ == "__main__":
    main()
