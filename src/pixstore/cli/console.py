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
PathArgument: TypeAlias = Annotated[str, typer.Argument(metavar="PATH", help="A store, or data of a known layout.")]

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
        self._start = self._said = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Meter:
        if not self._quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            shown = ("{task.description}", "{task.percentage:>3.0f} %", "{task.fields[detail]}")
            title, percent, detail = (TextColumn(each) for each in shown)
            self._bar = Progress(title, BarColumn(), percent, detail, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(printable(self._title).replace("[", "\\["), total=None, detail="")
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: int, total: int, count: int = 0) -> None:
        """Show that `done` of `total` units and `count` bytes are through; a total of 0 is not known yet."""
        now = time.monotonic()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total or None, detail=self._detail(done, total, count, now))
        elif not self._quiet and now - self._said >= SECONDS_BETWEEN_LINES:
            self._said = now
            of = f" of {total:,}" if total else ""
            print(f"{self._title}: {done:,}{of} {self._unit}, {self._detail(done, total, count, now)}", file=sys.stderr, flush=True)

    def _detail(self, done: int, total: int, count: int, now: float) -> str:
        seconds = max(now - self._start, 1e-9)
        parts = [f"{done / seconds:,.0f} {self._unit}/s"]
        if count:
            parts.append(f"{as_size(count / seconds)}/s")
        if done and total > done:
            parts.append(f"{as_duration((total - done) * seconds / done)} left")
        return ", ".join(parts)
