"""`pixstore advise`: say which way of keeping the user's own images is best for a use, with reasons, and the command that does it."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Annotated, Literal, TypeAlias

import typer
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from pixstore import bench
from pixstore.bench.advice import words
from pixstore.cli.bench import parse_duration
from pixstore.cli.console import SECONDS_BETWEEN_LINES, JsonOption, Output, QuietOption
from pixstore.cli.showing import show_table
from pixstore.cli.source import ChannelOrderOption, FieldOption, SourceArgument, UnmatchedOption, named
from pixstore.cli.words import as_duration, printable

DIFFERENT = 1
Use: TypeAlias = Literal["train", "browse", "archive"]
EditRate: TypeAlias = Literal["often", "never"]
Medium: TypeAlias = Literal["auto", "memory", "ssd", "disk", "network"]

UseOption = Annotated[Use, typer.Option(help="Shuffled batches for training, single random reads, or bytes on disk.")]
DemandOption = Annotated[
    float | None,
    typer.Option(metavar="N", min=0.001, help="Images per second that training takes: is it reached, and what does it cheapest?"),
]
EditOption = Annotated[EditRate, typer.Option(help="Whether images will be added, changed and removed often.")]
MediumOption = Annotated[Medium, typer.Option(help="What the data will lie on, where that is not what it lies on now.")]
DestOption = Annotated[
    str | None,
    typer.Option(
        "--dest",
        metavar="DEST",
        help="Where the store would go; measured is on its file system.",
        show_default="SOURCE's name .pixstore here",
    ),
]
BudgetOption = Annotated[str, typer.Option(metavar="TIME", help="How long it may take: 30s, 2m.")]


def run(
    source: SourceArgument = None,
    use: UseOption = "train",
    demand: DemandOption = None,
    edit: EditOption = "never",
    medium: MediumOption = "auto",
    dest: DestOption = None,
    budget: BudgetOption = f"{bench.ADVICE_SECONDS:.0f}s",
    field: FieldOption = None,
    unmatched: UnmatchedOption = "refuse",
    channel_order: ChannelOrderOption = None,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Measure a sample of your images and say which way of keeping them is best, why, and the command; or to leave them.

    Some hundred images, as large and of the formats that yours are, are stored
    in each way and read as the use does; what converting all of them takes is
    foretold. Nothing is left behind.

    pixstore advise photos/                        for training

    pixstore advise photos/ --demand 3000          for a GPU that takes 3,000 a second

    pixstore advise scans/ --use archive           the least disk

    pixstore advise photos/ --use browse --edit often --medium network
    """
    output = Output(json, quiet)
    asked = named(source, field, channel_order=channel_order, unmatched=unmatched)
    with Doing(quiet=quiet) as doing:
        advice = bench.advise(
            asked.source, use, demand=demand, edit=edit, medium=None if medium == "auto" else medium, destination=dest,
            budget_seconds=parse_duration(budget), channel_order=channel_order, unmatched=unmatched, progress=doing.show,
        )  # fmt: skip
    show(advice, output)
    output.finish(advice.to_json())
    for each in advice.differences:
        print(f"pixstore: what was read differs from what was stored: {printable(each)}", file=sys.stderr)
    if advice.differences:
        raise typer.Exit(DIFFERENT)


def show(advice: bench.Advice, output: Output) -> None:
    """Print the recommendation, the reasons, the candidates and what to do."""
    output.say(printable(advice.headline))
    for each in advice.reasons:
        output.say(f"  • {printable(each)}")
    output.say()
    show_table(words.candidates(advice.ways, advice.situation), output)
    for note in advice.notes:
        output.say(f"note: {printable(note)}")
    output.say(f"Measured in {as_duration(advice.seconds)}, in {printable(advice.measured_on)}; nothing was left there.")
    output.say()
    if advice.command is not None:
        output.say(f"  {printable(advice.command)}")
    if advice.loader is not None:
        output.say(f"  {printable(advice.loader)}")


class Doing:
    """Shows what is being done and the time left: in place on a terminal, else a line every ten seconds; all on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._said = time.monotonic()
        self._status: Status | None = None

    def __enter__(self) -> Doing:
        if not self._quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._status = Console(stderr=True).status("opening")
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, progress: bench.Progress) -> None:
        said = f"{printable(progress.doing)}, {as_duration(progress.seconds_left)} left at most"
        if self._status is not None:
            self._status.update(escape(said))
        elif not self._quiet and time.monotonic() - self._said >= SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            print(said, file=sys.stderr, flush=True)
