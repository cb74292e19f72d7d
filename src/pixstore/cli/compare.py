"""`pixstore compare`: whether two datasets hold the same samples."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

import pixstore
from pixstore.cli.console import JsonOption, LabelFromOption, Meter, Output, QuietOption
from pixstore.cli.source import ChannelOrderOption, FieldOption, Named, UnmatchedOption, named, shifted
from pixstore.cli.verify import OnOption, WorkersOption
from pixstore.cli.words import as_count, printable
from pixstore.trust.compare import Comparison


def run(
    a: Annotated[str | None, typer.Argument(metavar="A", help="A store, or data of a known layout. With --field, leave it out.")] = None,
    b: Annotated[str | None, typer.Argument(metavar="B", help="Another one.")] = None,
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Where stored bytes differ, decode: only other pixels are a difference.")
    ] = False,
    field: FieldOption = None,
    unmatched: UnmatchedOption = "refuse",
    label_from: LabelFromOption = None,
    channel_order: ChannelOrderOption = None,
    limit: Annotated[int, typer.Option(min=0, help="How many differences of each kind to list.")] = 5,
    on: OnOption = "threads",
    workers: WorkersOption = None,
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Say whether A and B hold the same samples: keys, columns, class names and stored bytes, in whatever order, engine or layout.

    pixstore compare photos/ photos.pixstore

    pixstore compare photos.pixstore small.pixstore --pixels

    pixstore compare --field image=photos/ --field mask=masks/ both.pixstore

    Every record of both is read. Ends with status 1 where they differ.
    """
    output = Output(json, quiet)
    a, b = shifted(field, a, b, last="B")
    one = named(a, field, label_from=label_from, channel_order=channel_order, unmatched=unmatched)
    other = named(b, label_from=label_from, channel_order=channel_order)
    with opened(one, quiet) as first, opened(other, quiet) as second, Meter("comparing", quiet=quiet) as meter:
        result = pixstore.compare(first, second, pixels=pixels, limit=limit, on=on, workers=workers, progress=meter.update)
    for line in lines(result, one.words, other.words, pixels=pixels):
        output.say(line)
    output.finish(as_json(result, one.words, other.words))
    if not result.equal:
        raise typer.Exit(1)


def opened(asked: Named, quiet: bool) -> pixstore.Dataset:
    """Return the dataset; what is stated of A or B is not for the one of them that is a store, which says everything of itself."""
    return (Named(asked.source) if asked.is_store else asked).open(quiet=quiet)


def lines(result: Comparison, a: str, b: str, *, pixels: bool) -> list[str]:
    """Return the comparison in words: the verdict, both digests, what differs and in which samples."""
    told = [
        f"equal: {as_count(result.matched, 'sample')}" if result.equal else f"DIFFERENT: {as_count(result.matched, 'sample')} in common"
    ]
    for name, digest, count in zip((a, b), result.digests, result.samples, strict=True):
        told.append(f"  {digest or 'no digest, not all can be read'}  {as_count(count, 'sample')}  {printable(name)}")
    told += [f"  {count:,} × {kind}{f' {printable(repr(name))}' if name else ''}" for (kind, name), count in result.counts.items()]
    told += [f"    {printable(each)}" for each in result.differences]
    unlisted = sum(result.counts.values()) - len(result.differences)
    if unlisted > 0:
        told.append(f"    {as_count(unlisted, 'more difference')}; --limit lists more of each kind")
    if any(kind == "bytes" for kind, _ in result.counts) and not pixels:
        told.append("    where only the encoding differs, --pixels compares what is seen")
    if result.same_pixels:
        told.append(f"{as_count(result.same_pixels, 'image')} stored differently, with the same pixels")
    return told


def as_json(result: Comparison, a: str, b: str) -> dict[str, Any]:
    """Return the comparison as `--json` writes it."""
    return {
        "equal": result.equal,
        "a": {"path": a, "samples": result.samples[0], "digest": result.digests[0]},
        "b": {"path": b, "samples": result.samples[1], "digest": result.digests[1]},
        "matched": result.matched,
        "counts": [{"kind": kind, "name": name, "samples": count} for (kind, name), count in result.counts.items()],
        "differences": [asdict(each) for each in result.differences],
        "same_pixels": result.same_pixels,
    }
