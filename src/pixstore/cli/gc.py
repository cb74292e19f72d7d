"""`pixstore gc`: what no version needs is removed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

import pixstore
from pixstore.cli.console import JsonOption, Output, QuietOption, StoreArgument
from pixstore.cli.words import as_count, as_size, printable


def run(
    store: StoreArgument,
    keep: Annotated[int | None, typer.Option(min=1, metavar="N", help="Forget all but the last N versions and those with a tag.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Remove the files of STORE that no kept version needs: what killed writers left, and what forgotten versions had.

    pixstore gc photos.pixstore --dry-run

    Without --keep the last ten versions stay, fewer where their lists are large. A version with a tag always stays.
    """
    output = Output(json, quiet)
    report = pixstore.Store(store).gc(keep=keep, dry_run=dry_run)
    done = "would be removed" if dry_run else "removed"
    output.say(f"{printable(store)}: {as_count(report.files, 'file')}, {as_size(report.bytes)} {done}")
    for what, numbers in (("forgotten", report.forgotten), ("kept", report.kept)):
        if numbers:
            output.say(f"  {what:<10}{as_count(len(numbers), 'version')}: {', '.join(map(str, numbers))}")
    output.finish({"store": store, "dry_run": dry_run, **asdict(report)})
