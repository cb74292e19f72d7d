"""`pixstore convert`: make a store from a source or from another store."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

import pixstore
from pixstore.cli.console import JsonOption, LabelFromOption, Meter, Output, QuietOption
from pixstore.cli.source import ChannelOrderOption, FieldOption, Named, SourceArgument, UnmatchedOption, named, shifted
from pixstore.cli.words import as_count, as_duration, as_size, by_reason, parse_size, printable
from pixstore.encoding import CODECS
from pixstore.errors import DestinationExistsError, InvalidInputError
from pixstore.estimate.trial import Estimate
from pixstore.manifest import is_store, load
from pixstore.naming import absolute
from pixstore.registry import ENGINES

Durability: TypeAlias = Literal["power", "process"]
Check: TypeAlias = Literal["structure", "decode", "none"]
OnBad: TypeAlias = Literal["quarantine", "fail"]

ShardSize = Annotated[str, typer.Option("--shard-size", metavar="SIZE", help="Bytes of pixels per file: 256MB, 1GB …")]
Level = Annotated[int | None, typer.Option(min=1, max=19, help="Effort, 1 (fast) to 12 for png, to 19 (small) for zstd.")]
Quality = Annotated[int | None, typer.Option(min=1, max=100, help="Quality for jpeg, webp and avif.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads; as many as there are CPUs if not given.")]
On = Annotated[str, typer.Option("--on", metavar="WHERE", help="Where it runs: threads, processes, ray or ray=ADDRESS.")]
Workers = Annotated[int | None, typer.Option(min=1, help="How many work at a time; one for each CPU if not given.")]
Order = Annotated[str, typer.Option(metavar="ORDER", help="Order of the samples: source, key, a column's name or shuffle:SEED.")]
CheckOption = Annotated[Check, typer.Option(help="How images are looked at: to their end, decoded, or by the header alone.")]
OnBadOption = Annotated[OnBad, typer.Option("--on-bad", help="Leave bad samples out and list them in DEST/bad.csv, or stop.")]
BadLimit = Annotated[str, typer.Option("--bad-limit", metavar="N|N%|none", help="Stop at more bad samples; a share is 100 at least.")]
Dedup = Annotated[bool, typer.Option("--dedup", help="Leave exact duplicates out and list them in DEST/duplicates.csv.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with what is unfinished at DEST, which is done anyway; never begin anew.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would take: bytes, time, free space. Nothing is written.")]
Memory = Annotated[str, typer.Option(metavar="SIZE", help="Bytes of images in memory at a time, all workers together.")]


def run(
    source: SourceArgument = None,
    dest: Annotated[str | None, typer.Argument(metavar="DEST", help="The store to make; must not exist.", show_default=False)] = None,
    field: FieldOption = None,
    unmatched: UnmatchedOption = "refuse",
    engine: Annotated[str | None, typer.Option(help=f"{', '.join(ENGINES)} or a plugin's; packed if not given.")] = None,
    codec: Annotated[str, typer.Option(help=f"keep (bytes as they are), {', '.join(CODECS)}.")] = "keep",
    shard_size: ShardSize = "1GiB",
    level: Level = None,
    quality: Quality = None,
    threads: Threads = None,
    label_from: LabelFromOption = None,
    channel_order: ChannelOrderOption = None,
    split: Annotated[str | None, typer.Option(metavar="NAME|FILE", help="A saved split, of which --part or --each are taken.")] = None,
    part: Annotated[str | None, typer.Option(help="Only the samples of this part of the split: train, test, fold-0 …")] = None,
    each: Annotated[bool, typer.Option("--each", help="One store DEST/PART for each part of the split.")] = False,
    durability: Annotated[Durability, typer.Option(help="What a commit survives: a power cut, or the end of the process.")] = "power",
    order: Order = "source",
    check: CheckOption = "structure",
    on_bad: OnBadOption = "quarantine",
    bad_limit: BadLimit = "1%",
    dedup: Dedup = False,
    on: On = "threads",
    workers: Workers = None,
    memory: Memory = "256MiB",
    resume: Resume = False,
    dry_run: DryRun = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if any sample was left out.")] = False,
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Make a store at DEST from what lies at SOURCE. Encoded images are kept byte for byte unless --codec says otherwise.

    pixstore convert photos/ photos.pixstore

    pixstore convert cifar-10-batches-py/ cifar.pixstore --engine lmdb --codec png

    pixstore convert --field image=photos/ --field mask=masks/ both.pixstore

    pixstore convert cats.pixstore train.pixstore --split default --part train

    What is finished is kept as it goes: after Ctrl-C, a kill or a full disk the same command goes on where it stopped.
    """
    output = Output(json, quiet)
    source, dest = shifted(field, source, dest, last="DEST")
    asked = named(source, field, label_from=label_from, channel_order=channel_order, unmatched=unmatched)
    parts = {part: Path(dest)}
    if each:
        parts = destinations(asked, dest, split=split, part=part)
    reports = {}
    for name, place in parts.items():
        with Meter(f"converting {name}" if each else "converting", quiet=quiet) as meter, telling_how_to_go_on():
            report = pixstore.convert(
                asked.source,
                place,
                engine=engine,
                codec=codec,
                shard_bytes=parse_size(shard_size),
                level=level,
                quality=quality,
                threads=threads,
                **asked.options(),
                split=split,
                part=name,
                durability=durability,
                order=order,
                check=check,
                on_bad=on_bad,
                bad_limit=bad_limit,
                dedup=dedup,
                on=on,
                workers=workers,
                memory=parse_size(memory),
                resume=resume,
                dry_run=dry_run,
                with_estimate=True,
                progress=meter.update,
            )
        for line in foretold(report.estimate) if dry_run and report.estimate else summary(report):
            output.say(line)
        reports[name] = report
    output.finish({"parts": {name: as_json(report) for name, report in reports.items()}} if each else as_json(reports[part]))
    if strict and any(report.bad_rows for report in reports.values()):
        raise typer.Exit(1)


@contextmanager
def telling_how_to_go_on() -> Iterator[None]:
    """Print what an interrupted or stopped conversion has done, and how it goes on."""
    try:
        yield
    except BaseException as error:
        for note in getattr(error, "__notes__", ()):
            print(f"pixstore: {printable(note)}", file=sys.stderr)
        raise


def destinations(asked: Named, dest: str, *, split: str | None, part: str | None) -> dict[str | None, Path]:
    """Return where the store of each part goes; where an earlier run was cut off, only those parts that it did not finish.

    Raises DestinationExistsError where something else is, before anything is made.
    """
    if split is None or part is not None:
        raise InvalidInputError("--each is for all parts of a split: give --split, and no --part")
    with asked.open(quiet=True) as dataset:
        places: dict[str | None, Path] = {name: Path(dest) / name for name in dataset.split(name=split)}
    left = {name: place for name, place in places.items() if not is_finished(place, asked, split, name)}
    for place in (left or places).values():
        if place.exists() and not (is_store(place) and load(place).is_unfinished):
            raise DestinationExistsError(f"{place}: is there already; choose another place")
    return left


def is_finished(place: Path, asked: Named, split: str, part: str | None) -> bool:
    """Return whether a store is the finished conversion of this part of this source."""
    job = load(place).job if is_store(place) else None
    told = {"source": absolute(asked.source), "split": split, "part": part}
    return job is not None and job.complete and all(job.facts.get(name) == value for name, value in told.items())


def foretold(expected: Estimate) -> list[str]:
    """Return what a conversion would take, in words."""
    room = "" if expected.fits else " — too little"
    return [
        f"{as_count(expected.samples, 'sample')}, {as_size(expected.bytes_in)} in",
        f"about {as_size(expected.bytes_out)} out in {as_count(expected.shards, 'shard')}, {as_size(expected.allocated)} of the disk",
        f"about {as_duration(expected.seconds)} ({expected.measured})",
        f"{as_size(expected.free)} free{room}",
    ]


def summary(report: pixstore.ConvertReport) -> list[str]:
    """Return what was done, in words: samples, bytes, time, the engine and why, what was left out and why."""
    rate = report.samples / max(report.seconds, 1e-9)
    expected = report.estimate
    time_then = f", {as_duration(expected.seconds)} estimated" if expected else ""
    size_then = f" ({as_size(expected.bytes_out)} estimated)" if expected else ""
    took = f"{as_duration(report.seconds)} ({rate:,.0f} samples/s{time_then})"
    lines = [
        f"{printable(report.destination)}: {as_count(report.samples, 'sample')} in {took}",
        f"{as_size(report.bytes_in)} in, {as_size(report.bytes_out)} out{size_then}",
        f"engine {report.engine} ({report.engine_reason}), codec {report.codec}",
    ]
    if report.resumed:
        lines.append(f"{as_count(report.resumed, 'sample')} of these were there from before")
    if report.duplicates:
        lines.append(f"left out {as_count(len(report.duplicates), 'exact duplicate')}, listed in duplicates.csv")
    if report.bad_rows:
        lines.append(f"left out {as_count(len(report.bad_rows), 'sample')} that could not be read, listed in bad.csv:")
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
        "resumed": report.resumed,
        "estimate": asdict(report.estimate) if report.estimate else None,
        "duplicates": [{"row": each.row, "key": each.key, "same_as": each.same_as} for each in report.duplicates],
        "bad_rows": [{"row": bad.row, "key": bad.key, "place": bad.place, "reason": bad.reason} for bad in report.bad_rows],
    }
