"""`pixstore repair`: a new store of all that can be proven of a damaged one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

import pixstore
from pixstore.cli.console import JsonOption, Meter, Output, QuietOption
from pixstore.cli.words import as_count, as_duration, as_size, printable
from pixstore.trust.repair import LOST, RepairReport

SHOWN = 20


def run(
    store: Annotated[str, typer.Argument(metavar="STORE", help="A damaged store; it is only read.")],
    out: Annotated[str, typer.Argument(metavar="OUT", help="The store to make; must not exist.")],
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Make a new store at OUT of every sample of STORE that can be proven, and list those that cannot in OUT/lost.csv.

    pixstore repair photos.pixstore saved.pixstore

    A sample is proven where its table and each of its images have the checksums they were written with. Ends with status 1 where
    samples are lost, or where the conversion into STORE was not finished.
    """
    output = Output(json, quiet)
    with Meter("saving", quiet=quiet) as meter:
        report = pixstore.repair(store, out, progress=meter.update)
    for line in lines(report):
        output.say(line)
    output.finish({**asdict(report), "whole": report.is_whole})
    if not report.is_whole:
        raise typer.Exit(1)


def lines(report: RepairReport) -> list[str]:
    """Return what was saved and what was lost, in words."""
    size, time = as_size(report.bytes), as_duration(report.seconds)
    told = [f"{printable(report.destination)}: {as_count(report.samples, 'sample')} of version {report.version} saved ({size} in {time})"]
    if report.lost:
        told.append(f"lost {as_count(len(report.lost), 'sample')}, listed in {printable(report.destination)}/{LOST}:")
        told += [
            f"  {printable(each.key or f'row {each.row} of shard {each.shard}')}: {printable(each.reason)}" for each in report.lost[:SHOWN]
        ]
    if len(report.lost) > SHOWN:
        told.append(f"  … and {len(report.lost) - SHOWN:,} more")
    told += [f"note: {printable(note)}" for note in report.notes]
    return told
