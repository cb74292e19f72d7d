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
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from pixstore import bench
from pixstore.bench import findings, report, table, words
from pixstore.cli.console import SECONDS_BETWEEN_LINES, JsonOption, Output, QuietOption
from pixstore.cli.words import parse_size, printable
from pixstore.errors import InvalidInputError

DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)?\Z")
SECONDS = {"s": 1, "m": 60, "h": 3600, None: 1}
DIFFERENT = 1
BAR_STEPS = 1000
WIDEST = 400
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
        help="What to compare: tutorial-png, tutorial-lmdb, tutorial-hdf5 (as everybody's tutorial does it), source (the data as it "
        "lies), ENGINE/CODEC (ours: packed, files, lmdb, hdf5 / raw, png, or keep = bytes as they are), with @power (survives a power "
        "cut) or @1thread.",
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
    int, typer.Option(min=1, help="How often each is measured, in turns; fewer where the budget is short, then marked.")
]
BudgetOption = Annotated[str, typer.Option(metavar="TIME", help="How long all of it may take: 90s, 20m, 1h.")]
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
    repeats: RepeatsOption = bench.DEFAULT_REPEATS,
    budget: BudgetOption = "2m",
    max_disk: DiskOption = None,
    out: OutOption = None,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Store and read images in several ways, compare times and disk use, and write a report with plots.

    1, 10 … 100,000 images are stored, read back and checked as PNG files + CSV,
    in LMDB and in HDF5, as everybody's tutorial does it and as pixstore does,
    each up to --repeats times in turns. The stores are deleted afterwards.

    pixstore bench                          built-in images, two minutes

    pixstore bench photos/                  your own

    pixstore bench photos/ --budget 20m --ways source,packed/keep,lmdb/keep@power
    """
    output = Output(json, quiet)
    folder = Path(out) if out is not None else Path("pixstore-bench") / datetime.now().strftime("%Y%m%d-%H%M%S")
    try:
        with _Bar(quiet=quiet) as bar:
            results = bench.run(
                source,
                ways=None if ways is None else _names(ways),
                experiments=_names(experiments),
                cutoffs=None if cutoffs is None else [_number(each) for each in _names(cutoffs)],
                repeats=repeats,
                budget_seconds=parse_duration(budget),
                max_disk_bytes=None if max_disk is None else parse_size(max_disk),
                out=folder,
                progress=bar.show,
            )
    except KeyboardInterrupt:
        if (folder / bench.JSON_NAME).exists():
            _show(bench.load(folder), folder, source, output)
        raise
    _show(results, folder, source, output)
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


def show_table(shown: table.Table, output: Output) -> None:
    """Print a table on stdout, as wide as it is where that is no terminal."""
    if not output.speaks:
        return
    drawn = Table(title=escape(printable(shown.title)), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    drawn.pad_edge = drawn.show_edge = False
    for number, head in enumerate(shown.heads):
        drawn.add_column(head, justify="right" if number >= len(table.NAMES) else "left", no_wrap=True)
    for row in shown.rows:
        drawn.add_row(*(escape(printable(each)) for each in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, console.measure(drawn, options=console.options.update(width=WIDEST)).maximum)
    console.print(drawn)
    console.print()


def show_notes(results: bench.Results, count: int | None, written: Path, output: Output) -> None:
    """Print footnotes, the first `count` findings (all for None) and where the report is."""
    for note in table.footnotes(results):
        output.say(printable(note))
    output.say()
    for sentence in findings.sentences(results)[:count]:
        output.say(printable(sentence))
    output.say()
    output.say(f"Report: {printable(written)}")


def _names(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _number(text: str) -> int:
    digits = text.replace("_", "")
    if not (digits.isascii() and digits.isdigit()) or int(digits) < 1:
        raise InvalidInputError(f"{text!r} in --cutoffs is no number of images; write --cutoffs 1,10,100")
    return int(digits)


def _show(results: bench.Results, folder: Path, source: str | None, output: Output) -> None:
    """Print the tables, two sentences, where the report is and what to do next."""
    written = report.write(results, folder)
    # A first look at built-in images is to fit on a screen.
    for each in table.tables(results)[-1:] if source is None else table.tables(results):
        show_table(each, output)
    show_notes(results, 2, written, output)
    output.say("Next:")
    for command in _next(source):
        output.say(f"  {command}")
    output.finish(results.to_json())


def _next(source: str | None) -> list[str]:
    if source is None:
        return ["pixstore bench YOUR/IMAGES", "pixstore convert YOUR/IMAGES images.pixstore"]
    return [f"pixstore convert {printable(shlex.quote(source))} images.pixstore", "pixstore info images.pixstore"]


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
