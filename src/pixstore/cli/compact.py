"""`pixstore compact`: a store made small again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

import pixstore
from pixstore.cli.console import JsonOption, Meter, Output, QuietOption, StoreArgument
from pixstore.cli.words import as_count, as_size, parse_size, printable
from pixstore.upkeep import CompactReport


def run(
    store: StoreArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would win, and do nothing.")] = False,
    shard_bytes: Annotated[str, typer.Option("--shard-bytes", metavar="SIZE", help="How large a shard may become.")] = "1GiB",
    threads: Annotated[int | None, typer.Option(min=1, help="How many read; all CPUs if not given.")] = None,
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Write what deleted, changed and many small pieces have scattered into few full files, as a new version of STORE.

    pixstore compact photos.pixstore --dry-run

    Samples keep their order and their stored bytes. Everything is read back and compared before the new version counts; the files
    of former versions go with `pixstore gc --keep 1`.
    """
    output = Output(json, quiet)

    def announce(report: CompactReport) -> None:
        for line in foretold(report, store):
            output.say(line)

    with Meter("compacting", unit="rows", quiet=quiet) as meter:
        report = pixstore.Store(store).compact(
            shard_bytes=parse_size(shard_bytes), dry_run=dry_run, threads=threads, announce=announce, progress=meter.update
        )
    if dry_run:
        announce(report)
    elif report.version is not None:
        output.say(f"version {report.version}: {as_count(report.shards_after, 'shard')}, {as_size(report.bytes_after)} where there were")
        output.say(f"{as_size(report.bytes_before)}; the former files go with: pixstore gc {printable(store)} --keep 1")
    output.finish({"store": store, "dry_run": dry_run, **asdict(report), "bytes_won": report.bytes_won})


def foretold(report: CompactReport, store: str) -> list[str]:
    """Return what compacting will win, in words."""
    if not report.is_needed:
        return [f"{printable(store)}: nothing to win; {as_count(report.shards_before, 'shard')}, all full or alone"]
    won = f"{as_size(report.bytes_won)} less" if report.bytes_won >= 0 else f"{as_size(-report.bytes_won)} more"
    lines = [f"{printable(store)}: {as_count(report.shards_before, 'shard')} become {report.shards_after:,}, {won} in files of pixels"]
    lines.append(f"  {as_count(report.rewritten_rows, 'sample')} of {as_count(report.rewritten_shards, 'shard')} will be copied")
    if report.deleted_rows:
        lines.append(f"  {as_count(report.deleted_rows, 'deleted or replaced sample')} will be left out")
    if report.borrowed_rows:
        borrowed = as_count(report.borrowed_rows, "sample")
        lines.append(f"  {borrowed} with pixels in shards of former versions ({as_size(report.borrowed_bytes)}) will have their own")
    return lines
