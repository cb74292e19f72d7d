"""How long a store of many shards takes to open: so many commits of one small batch each.

    python benchmarks/open_many.py [FOLDER] [--commits 1000] [--rows 32] [--engine packed]

Prints medians of fresh processes in milliseconds: opening, the first image, a batch over all shards, a key, the table; then the bytes
of all that is no pixels. The first opening includes what a process loads once (NumPy, Arrow), the second is without.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import pixstore

TIMES = 7


def write(path: Path, commits: int, rows: int, engine: str) -> float:
    """Write a store of so many commits; return the seconds it took."""
    random = np.random.default_rng(0)
    began = time.perf_counter()
    with pixstore.Writer(path, engine=engine, durability="process") as writer:
        for commit in range(commits):
            images = random.integers(0, 256, (rows, 32, 32, 3), np.uint8)
            writer.add_batch(images, key=[f"image-{commit}-{row}" for row in range(rows)], label=np.arange(rows))
            writer.commit()
    return time.perf_counter() - began


def measure(work: Callable[[], Any]) -> float:
    """Return the milliseconds of one call."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def in_this_process(path: Path) -> dict[str, float]:
    """Return the milliseconds of each thing, of a dataset that nothing was read from before."""
    found: list[Any] = []
    times = {"open, first in its process": measure(lambda: found.append(pixstore.open(path)))}
    times["open, libraries loaded"] = measure(lambda: found.append(pixstore.open(path)))
    dataset = found[1]
    rows = np.linspace(0, len(dataset) - 1, 512).astype(np.int64)
    times["first image"] = measure(lambda: dataset[0])
    times["512 images of all shards"] = measure(lambda: dataset[rows])
    times["a key"] = measure(lambda: dataset.get(dataset[len(dataset) // 2].key))
    times["table"] = measure(lambda: dataset.table)
    return times


def in_processes(path: Path) -> dict[str, float]:
    """Return medians over fresh processes, of which each opens the store once."""
    runs = []
    for _ in range(TIMES):
        told = subprocess.run([sys.executable, __file__, "--only", str(path)], check=True, capture_output=True, text=True).stdout
        runs.append(json.loads(told))
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def metadata_bytes(path: Path) -> dict[str, int]:
    """Return the bytes of what is no pixels."""
    kinds = {"tables": "shards/*.arrow", "key indices": "shards/*.keys", "manifest": "manifest.json", "versions": "versions/*.json"}
    return {kind: sum(each.stat().st_size for each in path.glob(pattern)) for kind, pattern in kinds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folder", nargs="?", type=Path, help="where the store is made and kept for the next time; a temporary folder otherwise"
    )
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--engine", default="packed")
    parser.add_argument("--only", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only is not None:
        print(json.dumps(in_this_process(options.only)))
        return
    folder = options.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"many-{options.engine}-{options.commits}x{options.rows}.pixstore"
    if not path.exists():
        seconds = write(path, options.commits, options.rows, options.engine)
        print(f"written: {options.commits} commits in {seconds:.1f} s")
    for name, milliseconds in in_processes(path).items():
        print(f"{name}: {milliseconds:.1f} ms")
    for name, count in metadata_bytes(path).items():
        print(f"{name}: {count / 1e6:.2f} MB")
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
