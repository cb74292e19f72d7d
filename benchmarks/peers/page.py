"""docs/benchmarks.md and its plots, drawn from docs/results/peers.json alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import charts
import plan
import summary
from environments import LOGS, ROOT
from summary import Row

PAGE = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / "docs" / "results" / "peers.json"
MEGABYTE = 1e6

HEAD = """# pixstore's loader beside the dedicated loaders

Written by `make bench-peers` from [results/peers.json](results/peers.json); do not edit.

Every loader gets the same images and makes batches of the same size, in a new random order at each epoch. Each runs in an
environment of its own and, in every round, in a process of its own; in each round another one is the first. A round's time is the
median of its whole epochs after one that is not counted; the tables have the medians of the rounds, and as range the slowest and
the fastest round. All files are in the page cache. Everyone has two threads or two worker processes.

- **pixstore is**: pixstore's images per second as a multiple of the line's; below 1 the line's loader is faster. The first of
  pixstore's lines in a workload stands for it: packed, checksums on.
- **first batch**: from the path on disk to the first batch in hand; libraries are imported before.
- **store**, **made in**: the loader's own copy of the images and the time to make it; a dash where it reads the files as they lie.
- **memory**: the largest resident size of the main process, with the pages of files that it maps; worker processes come on top.

The loop around each loader counts rows, adds up labels and reads one value of each batch. In one more epoch, not timed, all pixels
are added up, also weighted by their labels: where nothing is random but the order, these sums must be equal, and a line below says
so if they are not. Where crops are random, labels and shapes must be equal and the mean of all pixels alike.
"""

NOTES = """## What is not the same

- **Order.** pixstore, FFCV, DALI, Grain, Lance, Hugging Face datasets and torch shuffle all rows; here tf.data does too, with all
  records in its buffer. Streaming and LitData shuffle by shard and block, WebDataset by shard and within a buffer.
- **Photos.** FFCV cannot take JPEG files as they are: it decodes them and encodes them anew, here at quality 85,
  which takes 0.96 of the bytes the files had, and without the progressive scans that 32 of the 290 photos have. It resizes crops by
  OpenCV's area filter; Pillow, DALI and tf.data by a triangle that widens when shrinking.
- **Checksums.** pixstore compares one for every record of a store, unless a line says otherwise, and none in a folder. The records
  of TFRecord and ArrayRecord have their own; PNG has one in the file. The others compare none here.
- **Reused memory.** FFCV overwrites a batch some batches later, and the bare gather at once; the others hand out arrays that stay
  as they are.
- **Files.** One PNG or JPEG file per image is read by pixstore (the folder; its files engine), DALI and torch; the others read the
  same bytes from their own containers.
- **Left out.** FFCV does not decode PNG, and DALI has no container of small raw images, so each misses a table. Photos and floats
  are measured where a loader brings its own decoder or transforms; where Pillow and torchvision do that work, torch's lines stand
  for it.
"""


def write(results: Path = RESULTS) -> None:
    """Draw the page and its plots anew."""
    workloads = json.loads(results.read_text(encoding="utf-8"))["workloads"]
    parts = [HEAD]
    for name, measured in workloads.items():
        charts.draw(name, measured)
        parts.append("\n".join(section(name, measured)))
    parts.append("\n".join(aims(workloads)))
    parts.append(NOTES)
    parts.append("\n".join(versions(workloads)))
    parts.append("\n".join(repeat(workloads)) + "\n")
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def section(name: str, measured: dict[str, Any]) -> Iterator[str]:
    yield f"## {measured['title']}\n"
    yield f"{measured['images']:,} images, rounds: {measured['rounds']}, {measured['date']}, {machine(measured['machine'])}.\n"
    yield f"![Images per second of each loader]({charts.address(name)})\n"
    yield from lines(name, measured)
    yield ""
    yield from verdict(summary.rows(measured))


def lines(name: str, measured: dict[str, Any]) -> Iterator[str]:
    """Yield the table of a workload."""
    yield "| loader | images/s | range | pixstore is | first batch ms | store MB | made in s | memory MB | how it was used |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|---|"
    for row in summary.rows(measured):
        yield "| " + " | ".join(cells(row)) + " |"


def cells(row: Row) -> list[str]:
    name = f"**{row.name}**" if row.is_own else row.name
    if row.problem:
        return [name, "–", "–", "–", "–", "–", "–", "–", problem(row)]
    return [
        name,
        f"{row.rate:,.0f}",
        f"{row.slowest:,.0f} – {row.fastest:,.0f}",
        f"{row.ratio:.2f}×",
        f"{row.first_batch_seconds * 1000:,.0f}",
        "–" if row.store_bytes is None else f"{row.store_bytes / MEGABYTE:,.0f}",
        "–" if row.making_seconds is None else f"{row.making_seconds:.3g}",
        f"{row.peak_bytes / MEGABYTE:,.0f}",
        row.setting,
    ]


def problem(row: Row) -> str:
    log = LOGS / f"{row.peer}.log"
    return f"does not install: [log](peers/{log.name})" if log.exists() else row.problem.replace("|", "/")


def verdict(rows: list[Row]) -> Iterator[str]:
    """Yield who is faster than pixstore, who is not, and whose work was not the same."""
    others = [row for row in rows if row.rate and not row.is_own and not row.is_limit]
    faster = [f"{row.name} ({1 / row.ratio:.2f}×)" for row in others if row.ratio < 1]
    slower = [f"{row.name} ({row.ratio:.2f}×)" for row in others if row.ratio >= 1]
    if faster:
        yield f"Faster than pixstore: {', '.join(faster)}.\n"
    if slower:
        yield f"pixstore is faster than: {', '.join(slower)}.\n"
    for row in rows:
        if row.differs:
            yield f"Not the same work: {row.name}: {row.differs}.\n"


def aims(workloads: dict[str, Any]) -> Iterator[str]:
    """Yield what pixstore wants to reach, beside what it does."""
    yield "## Aimed at and reached\n"
    yield "| workload | pixstore's line | against | aimed at | measured | |"
    yield "|---|---|---|--:|--:|---|"
    for aim in plan.AIMS:
        rates = {row.name: row.rate for row in summary.rows(workloads[aim.workload])} if aim.workload in workloads else {}
        if not rates.get(aim.own) or not rates.get(aim.other):
            continue
        measured = rates[aim.own] / rates[aim.other]
        outcome = "reached" if measured >= aim.factor else "**missed**"
        yield f"| {aim.workload} | {aim.own} | {aim.other} | {aim.factor:.2f}× | {measured:.2f}× | {outcome} |"
    yield ""


def machine(found: dict[str, Any]) -> str:
    memory = found["memory_bytes"] / 2**30
    return f"{found['cpu']}, {found['cpus']} CPUs, {memory:.0f} GiB, {found['file_system']}, {found['system']}"


def versions(workloads: dict[str, Any]) -> Iterator[str]:
    yield "## Versions\n"
    found = {
        package: number
        for measured in workloads.values()
        for candidate in measured["candidates"]
        for package, number in candidate.get("versions", {}).items()
    }
    yield ", ".join(f"{package} {number}" for package, number in sorted(found.items())) + ".\n"
    yield "All that is in each environment stands in `benchmarks/peers/NAME/requirements.txt`. FFCV is compiled against Debian's OpenCV and"
    yield "libjpeg-turbo.\n"


def repeat(workloads: dict[str, Any]) -> Iterator[str]:
    yield "## How to repeat\n"
    yield "    apt-get install libopencv-dev libturbojpeg0-dev pkg-config g++     # for FFCV"
    yield "    make bench-peers CIFAR=cifar-10-batches-py.tar.gz PHOTOS=folder/of/jpegs\n"
    yield "Environments and data go into `.peers/` and take about 13 GB. PHOTOS is any folder of JPEG files, repeated"
    images = workloads.get("photos", {}).get("images", "enough of them")
    yield f"until there are {images}; here the 290 photos of a public segmentation data set, 48 KB and 480 × 640 pixels each in the middle."
    yield "`benchmarks/peers/run.py --help` names what else can be chosen."


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:]))
