"""What verbs print with: words on stdout, progress on stderr, JSON where it is asked for, and nothing that a hostile name could control."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from pixstore.cli.words import as_duration, as_size, printable

JsonOption: TypeAlias = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON; - is stdout, alone on it.")
]
QuietOption: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
LabelFromOption: TypeAlias = Annotated[
    str | None, typer.Option("--label-from", metavar="folder|REGEX|FILE.csv", help="Where an image folder's labels come from.")
]
StoreArgument: TypeAlias = Annotated[str, typer.Argument(metavar="STORE", help="A store.")]

SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class Output:
    """Where a verb's result goes, as `--json` and `--quiet` say."""

    json: str | None = None
    quiet: bool = False

    @property
    def speaks(self) -> bool:
        """Whether words may go to stdout: not with --quiet, not where JSON has it alone."""
        return not self.quiet and self.json != "-"

    def say(self, text: str = "") -> None:
        """Print a line of words on stdout, unless it is to be quiet."""
        if self.speaks:
            print(text)

    def show(self, table: Table) -> None:
        """Print a table on stdout, unless it is to be quiet."""
        if self.speaks:
            Console(highlight=False, soft_wrap=False).print(table)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the verb's result as JSON where --json asks for it."""
        if self.json is None:
            return
        text = json.dumps(result, indent=2, ensure_ascii=False)
        if self.json == "-":
            print(text.encode("utf-8", "backslashreplace").decode())
        else:
            Path(self.json).write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


class Meter:
    """Shows how far a long job is, with its rate and the time left: a bar on a terminal, else a line every ten seconds.

    Everything goes to stderr. Call `update` as often as is handy; use as a context manager.
    """

    def __init__(self, title: str, *, unit: str = "samples", quiet: bool = False) -> None:
        self._title = title
        self._unit = unit
        self._quiet = quiet
        self._start = self._counted = self._said = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: int, total: int, count: int = 0) -> None:
        """Show that `done` of `total` units and `count` bytes are through; with a total of 0, that so many were found so far."""
        now = time.monotonic()
        # What comes after counting is another job, with a rate of its own.
        since = self._counted if total else self._start
        if not total:
            self._counted = now
        said = f"{done:,} of {total:,} {self._unit}" if total else f"{done:,} {self._unit} found"
        detail = self._detail(done, total, count, now - since)
        if not self._quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._draw(done, total, f"{100 * done / total:3.0f} %" if total else said, detail)
        elif not self._quiet and now - self._said >= SECONDS_BETWEEN_LINES:
            self._said = now
            print(f"{self._title}: {said}, {detail}", file=sys.stderr, flush=True)

    def _draw(self, done: int, total: int, share: str, detail: str) -> None:
        """Show the bar, which is there from the first update on: a short job has none."""
        if self._bar is None or self._task is None:
            columns = (TextColumn(each) for each in ("{task.fields[share]}", "{task.fields[detail]}"))
            self._bar = Progress(TextColumn("{task.description}"), BarColumn(), *columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(printable(self._title).replace("[", "\\["), total=None, share=share, detail=detail)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total or None, share=share, detail=detail)

    def _detail(self, done: int, total: int, count: int, seconds: float) -> str:
        seconds = max(seconds, 1e-9)
        parts = [f"{done / seconds:,.0f} {self._unit}/s"]
        if count:
            parts.append(f"{as_size(count / seconds)}/s")
        if done and total > done:
            parts.append(f"{as_duration((total - done) * seconds / done)} left")
        return ", ".join(parts)
