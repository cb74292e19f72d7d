"""pixstore bench: measure which way of keeping images is best, on the user's own images or on built-in ones."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from pixstore import bench
from pixstore.bench import report, table, words
from pixstore.bench.lab.catalog import QUESTIONS
from pixstore.cli.console import SECONDS_BETWEEN_LINES, JsonOption, Output, QuietOption
from pixstore.cli.showing import show_findings, show_place, show_table
from pixstore.cli.source import ChannelOrderOption, FieldOption, Named, UnmatchedOption, named
from pixstore.cli.words import parse_size, printable
from pixstore.errors import InvalidInputError

DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)?\Z")
SECONDS = {"s": 1, "m": 60, "h": 3600, None: 1}
DIFFERENT = 1
BAR_STEPS = 1000
ALL_EXPERIMENTS = ",".join(bench.EXPERIMENTS)

SourceArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[SOURCE]",
        help="A folder of images, CIFAR batches, HDF5, LMDB, a store; only read. Without: built-in synthetic images.",
        show_default=False,
    ),
]
WaysOption = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,…",
        help="What to compare: tutorial-png, tutorial-lmdb, tutorial-hdf5 (as everybody's tutorial does it), hand-files, hand-lmdb, "
        "hand-hdf5, hand-hdf5-chunked, hand-hdf5-gzip, hand-memmap (the same libraries by hand, in the usual good manner), source (the "
        "data as it lies), ENGINE/CODEC (ours: packed, files, lmdb, hdf5 / raw, png, or keep = bytes as they are), with @power (survives "
        "a power cut) or @1thread.",
        show_default="those that fit the images",
    ),
]
ExperimentsOption = Annotated[
    str,
    typer.Option(
        metavar="A,B,…", help="store-one, store-many, read-one, read-many (in order), read-shuffled, disk.", show_default="all six"
    ),
]
CutoffsOption = Annotated[
    str | None,
    typer.Option(
        metavar="1,10,…",
        help="Numbers of images; where there are fewer, they repeat.",
        show_default="1, 10 … 100,000, as far as the budget goes",
    ),
]
RepeatsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="How often each cell of the classic experiment is measured, in turns; fewer where the budget is short, then marked.",
        show_default="5, then until known well enough, up to 20",
    ),
]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="How long all of it may take, with drawing: 90s, 20m, 1h. More time gives more images and more repeats.",
        show_default="2m; 90s for each question; 30m for --suite full",
    ),
]
SuiteOption = Annotated[
    str,
    typer.Option(
        metavar="A,B,…",
        help="What is asked. classic: the tutorial's experiment, for 1, 10 … 100,000 images. full: that and every question of the lab, in "
        "half an hour. Or questions by name: " + "; ".join(f"{name}: {question.title}" for name, question in QUESTIONS.items()) + ".",
    ),
]
DiskOption = Annotated[
    str | None,
    typer.Option("--max-disk", metavar="SIZE", help="What all stores together may take: 500MB, 20GB.", show_default="half of what is free"),
]
OutOption = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Where results, plots and report go, and the stores while they are measured; results already there are replaced.",
        show_default="pixstore-bench/DATE-TIME",
    ),
]


def run(
    source: SourceArgument = None,
    ways: WaysOption = None,
    experiments: ExperimentsOption = ALL_EXPERIMENTS,
    cutoffs: CutoffsOption = None,
    repeats: RepeatsOption = None,
    budget: BudgetOption = None,
    suite: SuiteOption = "classic",
    max_disk: DiskOption = None,
    out: OutOption = None,
    field: FieldOption = None,
    unmatched: UnmatchedOption = "refuse",
    channel_order: ChannelOrderOption = None,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Store and read images in several ways, compare times and disk use, and write a report with plots.

    1, 10 … 100,000 images are stored, read back and checked as PNG files + CSV,
    in LMDB and in HDF5, as everybody's tutorial does it and as pixstore does,
    in turns, until each median is known. The stores are deleted afterwards.
    --suite asks more: cold caches, workers, order, larger images, batches …

    pixstore bench                          built-in images, two minutes

    pixstore bench photos/                  your own

    pixstore bench photos/ --suite full     every question, in half an hour

    pixstore bench photos/ --suite order,cache --budget 2m

    pixstore bench photos/ --budget 20m --ways source,packed/keep,lmdb/keep@power
    """
    output = Output(json, quiet)
    asked = None if source is None and not field else named(source, field, channel_order=channel_order, unmatched=unmatched)
    folder = Path(out) if out is not None else Path("pixstore-bench") / datetime.now().strftime("%Y%m%d-%H%M%S")
    try:
        with _Bar(quiet=quiet) as bar:
            results = bench.run(
                None if asked is None else asked.source,
                ways=None if ways is None else _names(ways),
                experiments=_names(experiments),
                cutoffs=None if cutoffs is None else [_number(each) for each in _names(cutoffs)],
                repeats=repeats,
                budget_seconds=None if budget is None else parse_duration(budget),
                suite=_names(suite),
                max_disk_bytes=None if max_disk is None else parse_size(max_disk),
                out=folder,
                channel_order=channel_order,
                unmatched=unmatched,
                progress=bar.show,
            )
    except KeyboardInterrupt:
        if (folder / bench.JSON_NAME).exists():
            _show(bench.load(folder), folder, asked, output)
        raise
    _show(results, folder, asked, output)
    if results.differences:
        for each in results.differences:
            print(f"pixstore: what was read differs from what was stored: {printable(each)}", file=sys.stderr)
        raise typer.Exit(DIFFERENT)


def parse_duration(text: str) -> float:
    """Return the seconds of "90", "90s", "20m" or "1.5h". Raises InvalidInputError for anything else."""
    match = DURATION.match(text.strip())
    if match is None or float(match[1]) <= 0:
        raise InvalidInputError(f"{text!r} is no length of time; write 90s, 20m or 1h")
    return float(match[1]) * SECONDS[match[2]]


def _names(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _number(text: str) -> int:
    digits = text.replace("_", "")
    if not (digits.isascii() and digits.isdigit()) or int(digits) < 1:
        raise InvalidInputError(f"{text!r} in --cutoffs is no number of images; write --cutoffs 1,10,100")
    return int(digits)


def _show(results: bench.Results, folder: Path, asked: Named | None, output: Output) -> None:
    """Print the tables, two sentences and the lab's answers, where the report is and what to do next."""
    written = report.write(results, folder)
    # A first look at built-in images is to fit on a screen.
    for each in table.tables(results)[-1:] if asked is None else table.tables(results):
        show_table(each, output)
    show_findings(results, 2, output)
    show_place(written, output)
    output.say("Next:")
    for command in _next(asked):
        output.say(f"  {command}")
    output.finish(results.to_json())


def _next(asked: Named | None) -> list[str]:
    if asked is None:
        return ["pixstore bench YOUR/IMAGES", "pixstore convert YOUR/IMAGES images.pixstore"]
    quoted = printable(shlex.join(asked.arguments))
    return [f"pixstore advise {quoted}", f"pixstore convert {quoted} images.pixstore", "pixstore info images.pixstore"]


class _Bar:
    """Shows what is being measured and the time left: a bar on a terminal, else a line every ten seconds; all on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._said = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> _Bar:
        if not self._quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            texts = ("{task.percentage:>3.0f} %", "{task.fields[left]} left", "{task.description}")
            self._bar = Progress(BarColumn(bar_width=24), *map(TextColumn, texts), console=Console(stderr=True), transient=True)
            self._bar.add_task("opening", total=BAR_STEPS, left="…")
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, progress: bench.Progress) -> None:
        left = words.duration(float(round(progress.seconds_left)))
        if self._bar is not None:
            done = BAR_STEPS * progress.seconds / (progress.seconds + progress.seconds_left)
            self._bar.update(self._bar.task_ids[0], completed=done, description=progress.doing, left=left)
        elif not self._quiet and time.monotonic() - self._said >= SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            print(f"{progress.doing}, about {left} left", file=sys.stderr, flush=True)
