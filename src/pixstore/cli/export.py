"""`pixstore export`: take a store, or what lies at a source, out in a layout that other people's readers open."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

import pixstore
from pixstore.cli.console import JsonOption, LabelFromOption, Meter, Output, QuietOption
from pixstore.cli.source import ChannelOrderOption, FieldOption, SourceArgument, UnmatchedOption, named, shifted
from pixstore.cli.words import as_count, as_duration, as_size, parse_size, printable
from pixstore.export import LOSSES
from pixstore.layouts import catalog

LAYOUTS = "\n\n".join(f"{each.name}: {each.words}" for each in catalog.ALL)

To = Annotated[str, typer.Option("--to", metavar="LAYOUT", help=f"One of: {', '.join(catalog.LAYOUTS)}.", show_default=False)]
Accept = Annotated[
    list[str] | None,
    typer.Option(
        "--accept", metavar="LOSS", help=f"What may be lost, if the layout cannot hold it; repeatable: {', '.join(sorted(LOSSES))}, or all."
    ),
]
Check = Annotated[bool, typer.Option("--check", help="Read the result again and compare every pixel and label before it counts as done.")]
ShardSize = Annotated[str, typer.Option("--shard-size", metavar="SIZE", help="Size of the files, for layouts of many: 256MB, 1GB …")]


def run(
    to: To,
    source: SourceArgument = None,
    dest: Annotated[str | None, typer.Argument(metavar="DEST", help="File or folder to make; must not exist.", show_default=False)] = None,
    accept: Accept = None,
    check: Check = False,
    field: FieldOption = None,
    unmatched: UnmatchedOption = "refuse",
    label_from: LabelFromOption = None,
    channel_order: ChannelOrderOption = None,
    split: Annotated[str | None, typer.Option(metavar="NAME|FILE", help="A saved split, of which --part is taken.")] = None,
    part: Annotated[str | None, typer.Option(help="Only the samples of this part of the split: train, test, fold-0 …")] = None,
    shard_size: ShardSize = "256MiB",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; as many as there are CPUs if not given.")] = None,
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    output = Output(json, quiet)
    source, dest = shifted(field, source, dest, last="DEST")
    asked = named(source, field, label_from=label_from, channel_order=channel_order, unmatched=unmatched)
    with Meter("exporting", quiet=quiet) as meter:
        report = pixstore.export(
            asked.source,
            dest,
            to=to,
            accept=accept or (),
            check=check,
            shard_bytes=parse_size(shard_size),
            threads=threads,
            split=split,
            part=part,
            progress=meter.update,
            **asked.options(),
        )
    for line in summary(report):
        output.say(line)
    output.finish(asdict(report))


run.__doc__ = f"""Write SOURCE, a store or other people's data, at DEST in a layout that other people's readers open.

pixstore export cats.pixstore cats/ --to folder

pixstore export cats.pixstore cats.h5 --to tutorial-hdf5 --accept keys --check

Encoded images are written byte for byte where the layout holds image files. What it cannot hold is listed, and nothing is written
until --accept names it. The layouts:

{LAYOUTS}
"""


def summary(report: pixstore.ExportReport) -> list[str]:
    """Return what was done, in words: samples, bytes, time, what was compared, what was lost."""
    rate = report.samples / max(report.seconds, 1e-9)
    took = f"{as_duration(report.seconds)} ({rate:,.0f} samples/s)"
    lines = [
        f"{printable(report.destination)}: {as_count(report.samples, 'sample')} as {report.layout} in {took}, {as_size(report.bytes)}",
        f"read again: {report.checked}",
    ]
    lines += [f"lost, as accepted: {loss.name}: {printable(loss.words)}" for loss in report.losses]
    return lines + [f"note: {printable(note)}" for note in report.notes]
