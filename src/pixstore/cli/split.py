"""`pixstore split`: draw train, validation and test samples, or folds, and save who is where by name."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

import pixstore
from pixstore.cli.console import JsonOption, LabelFromOption, Output, QuietOption
from pixstore.cli.source import ChannelOrderOption, FieldOption, Named, SourceArgument, UnmatchedOption, named
from pixstore.cli.words import as_count, printable
from pixstore.errors import InvalidInputError
from pixstore.splits.parts import SplitWarning

SizeOption = Annotated[str | None, typer.Option(metavar="SIZE", help="A fraction (0.8) or a count of samples (40000).")]
StratifyOption = Annotated[str | None, typer.Option(metavar="COLUMN", help="Spread each value of this column evenly.")]
GroupOption = Annotated[str | None, typer.Option(metavar="COLUMN", help="Keep equal values of this column together.")]


def run(
    source: SourceArgument = None,
    train: SizeOption = None,
    val: SizeOption = None,
    test: SizeOption = None,
    kfold: Annotated[int | None, typer.Option(metavar="K", help="K folds of equal size instead.")] = None,
    stratify: StratifyOption = None,
    group: GroupOption = None,
    seed: Annotated[int, typer.Option(help="Another seed, another split.")] = 0,
    name: Annotated[str | None, typer.Option(help='Its name in the store; "default" if not given.')] = None,
    out: Annotated[str | None, typer.Option(metavar="FILE", help="Save as FILE.arrow or FILE.csv, for data that is no store.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of another split of that name.")] = False,
    field: FieldOption = None,
    unmatched: UnmatchedOption = "refuse",
    label_from: LabelFromOption = None,
    channel_order: ChannelOrderOption = None,
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Split the samples of SOURCE and save it; without sizes, say which splits are saved there.

    pixstore split cats.pixstore --train 0.8 --val 0.1 --test 0.1 --stratify label --group patient

    pixstore split photos/ --kfold 10 --out photos-folds.arrow
    """
    output = Output(json, quiet)
    if name is not None and out is not None:
        raise InvalidInputError("--name is for a store, --out for a file; give one of them")
    sizes = {part: parsed(size) for part, size in (("train", train), ("val", val), ("test", test)) if size is not None}
    if sizes and kfold is not None:
        raise InvalidInputError("sizes and --kfold are two kinds of split; give one of them")
    asked = named(source, field, label_from=label_from, channel_order=channel_order, unmatched=unmatched)
    with asked.open(quiet=quiet) as dataset:
        if not sizes and kfold is None:
            listed(dataset, asked, Path(out) if out else name, output)
            return
        place = Path(out) if out else name or "default"
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always", SplitWarning)
            if kfold is None:
                parts = dataset.split(sizes, stratify=stratify, group=group, seed=seed, name=place, replace=replace)
            else:
                dataset.kfold(kfold, stratify=stratify, group=group, seed=seed, name=place, replace=replace)
                parts = dataset.split(name=place)
    counts = {part: len(samples) for part, samples in parts.items()}
    notes = [str(each.message) for each in noted]
    made = {"stratify": stratify, "group": group, "seed": seed}
    say(output, str(place), counts, made, notes)
    version = None if out else store_version(asked)
    output.say(f"saved in {printable(out or asked.words)}" + ("" if version is None else f", version {version}"))
    output.finish({"path": asked.words, "name": str(place), "version": version, **made, "parts": counts, "notes": notes})


def listed(dataset: pixstore.Dataset, asked: Named, name: str | Path | None, output: Output) -> None:
    """Say which splits are saved, and how many samples each part has now."""
    saved = dataset.splits
    names = list(saved) if name is None else [name]
    found: dict[str, Any] = {}
    for each in names:
        made = dict(saved.get(str(each), {}))
        counts = {part: len(samples) for part, samples in dataset.split(name=each).items()}
        say(output, str(each), counts, made, [])
        found[str(each)] = {**made, "parts": counts}
    if not names:
        place = "" if asked.is_store else " --out split.arrow"
        output.say(f"no split is saved here; make one: pixstore split {printable(asked.words)} --train 0.8 --test 0.2{place}")
    output.finish({"path": asked.words, "splits": found})


def say(output: Output, name: str, counts: dict[str, int], made: dict[str, Any], notes: list[str]) -> None:
    """Print a split: how it was made, each part's count and share, what could not be as asked."""
    total = sum(counts.values())
    how = [f"{words} {printable(made[key])}" for key, words in (("stratify", "stratified by"), ("group", "grouped by")) if made.get(key)]
    how += [f"seed {made['seed']}"] if "seed" in made else []
    output.say(f"{printable(name)}: {', '.join([as_count(total, 'sample'), *how])}")
    width = max((len(part) for part in counts), default=0)
    for part, count in counts.items():
        output.say(f"  {printable(part):<{width}} {count:>12,} {count / max(total, 1):>8.1%}")
    for note in notes:
        output.say(f"note: {printable(note)}")


def parsed(text: str) -> int | float:
    """Return a size: a whole number is a count, anything with a point a fraction."""
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError as error:
        raise InvalidInputError(f"{text!r} is no size; give a fraction such as 0.8, or a count") from error


def store_version(asked: Named) -> int | None:
    with asked.open(quiet=True) as dataset:
        return None if dataset.store_manifest is None else dataset.store_manifest.version
