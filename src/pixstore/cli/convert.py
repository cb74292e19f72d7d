"""`pixstore convert`: make a store from a source or from another store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

import pixstore
from pixstore.cli.console import JsonOption, LabelFromOption, Meter, Output, QuietOption
from pixstore.cli.words import as_count, as_duration, as_size, by_reason, parse_size, printable
from pixstore.errors import DestinationExistsError, InvalidInputError

Durability: TypeAlias = Literal["power", "process"]

ShardSize = Annotated[str, typer.Option("--shard-size", metavar="SIZE", help="Bytes of pixels per file: 256MB, 1GB …")]
Level = Annotated[int | None, typer.Option(min=1, max=12, help="Effort for png, 1 (fast) to 12 (small).")]
Quality = Annotated[int | None, typer.Option(min=1, max=100, help="Quality for jpeg.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads; as many as there are CPUs if not given.")]


def run(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A folder of images, CIFAR batches, HDF5, LMDB, a store …")],
    dest: Annotated[str, typer.Argument(metavar="DEST", help="The store to make; must not exist.")],
    engine: Annotated[str | None, typer.Option(help="packed (the default), files, lmdb, hdf5 or a plugin's.")] = None,
    codec: Annotated[str, typer.Option(help="keep (bytes as they are), raw, png or jpeg.")] = "keep",
    shard_size: ShardSize = "1GiB",
    level: Level = None,
    quality: Quality = None,
    threads: Threads = None,
    label_from: LabelFromOption = None,
    split: Annotated[str | None, typer.Option(metavar="NAME|FILE", help="A saved split, of which --part or --each are taken.")] = None,
    part: Annotated[str | None, typer.Option(help="Only the samples of this part of the split: train, test, fold-0 …")] = None,
    each: Annotated[bool, typer.Option("--each", help="One store DEST/PART for each part of the split.")] = False,
    durability: Annotated[Durability, typer.Option(help="What a commit survives: a power cut, or the end of the process.")] = "power",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if any sample was left out.")] = False,
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Make a store at DEST from what lies at SOURCE. Encoded images are kept byte for byte unless --codec says otherwise.

    pixstore convert photos/ photos.pixstore

    pixstore convert cifar-10-batches-py/ cifar.pixstore --engine lmdb --codec png

    pixstore convert cats.pixstore train.pixstore --split default --part train
    """
    output = Output(json, quiet)
    parts = {part: Path(dest)}
    if each:
        parts = destinations(source, dest, split=split, part=part, label_from=label_from)
    reports = {}
    for name, place in parts.items():
        with Meter(f"converting {name}" if each else "converting", quiet=quiet) as meter:
            report = pixstore.convert(
                source,
                place,
                engine=engine,
                codec=codec,
                shard_bytes=parse_size(shard_size),
                level=level,
                quality=quality,
                threads=threads,
                label_from=label_from,
                split=split,
                part=name,
                durability=durability,
                progress=meter.update,
            )
        for line in summary(report):
            output.say(line)
        reports[name] = report
    output.finish({"parts": {name: as_json(report) for name, report in reports.items()}} if each else as_json(reports[part]))
    if strict and any(report.bad_rows for report in reports.values()):
        raise typer.Exit(1)


def destinations(source: str, dest: str, *, split: str | None, part: str | None, label_from: str | None) -> dict[str | None, Path]:
    """Return where the store of each part goes. Raises DestinationExistsError where something is, before anything is made."""
    if split is None or part is not None:
        raise InvalidInputError("--each is for all parts of a split: give --split, and no --part")
    with pixstore.open(source, label_from=label_from) as dataset:
        places: dict[str | None, Path] = {name: Path(dest) / name for name in dataset.split(name=split)}
    for place in places.values():
        if place.exists():
            raise DestinationExistsError(f"{place}: is there already; choose another place")
    return places


def summary(report: pixstore.ConvertReport) -> list[str]:
    """Return what was done, in words: samples, bytes, time, the engine and why, what was left out and why."""
    rate = report.samples / max(report.seconds, 1e-9)
    lines = [
        f"{printable(report.destination)}: {as_count(report.samples, 'sample')} in {as_duration(report.seconds)} ({rate:,.0f} samples/s)",
        f"{as_size(report.bytes_in)} in, {as_size(report.bytes_out)} out",
        f"engine {report.engine} ({report.engine_reason}), codec {report.codec}",
    ]
    if report.bad_rows:
        lines.append(f"left out {as_count(len(report.bad_rows), 'sample')} that could not be read:")
        lines += by_reason((bad.key, bad.reason) for bad in report.bad_rows)
    lines += [f"note: {printable(note)}" for note in report.notes]
    if report.skipped:
        lines.append(f"skipped {as_count(len(report.skipped), 'file')}:")
        lines += by_reason((each.path, each.reason) for each in report.skipped)
    return lines


def as_json(report: pixstore.ConvertReport) -> dict[str, Any]:
    return {
        "source": report.source,
        "destination": report.destination,
        "samples": report.samples,
        "bytes_in": report.bytes_in,
        "bytes_out": report.bytes_out,
        "seconds": report.seconds,
        "engine": report.engine,
        "engine_reason": report.engine_reason,
        "codec": report.codec,
        "skipped": [{"path": each.path, "reason": each.reason} for each in report.skipped],
        "notes": list(report.notes),
        "bad_rows": [{"row": bad.row, "key": bad.key, "place": bad.place, "reason": bad.reason} for bad in report.bad_rows],
    }
