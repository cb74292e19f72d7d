"""`pixstore ls`: the samples of a store or a source, one per line."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import typer

import pixstore
from pixstore.cli.console import JsonOption, LabelFromOption, Output, QuietOption
from pixstore.cli.source import ChannelOrderOption, FieldOption, SourceArgument, UnmatchedOption, named
from pixstore.cli.words import printable
from pixstore.rows import Indices
from pixstore.splits.choices import KeyOrder

ROWS_AT_ONCE = 1000


def run(
    source: SourceArgument = None,
    limit: Annotated[int, typer.Option(min=0, help="How many samples; 0 is all.")] = 20,
    start: Annotated[str | None, typer.Option("--from", metavar="KEY", help="In order of keys, from this one or the next on.")] = None,
    prefix: Annotated[str | None, typer.Option(metavar="TEXT", help="In order of keys, those that begin with this.")] = None,
    field: FieldOption = None,
    unmatched: UnmatchedOption = "refuse",
    label_from: LabelFromOption = None,
    channel_order: ChannelOrderOption = None,
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """List the samples of SOURCE: key, shape and columns.

    pixstore ls photos.pixstore --limit 5

    pixstore ls photos.pixstore --prefix cats/ --from cats/m
    """
    output = Output(json, quiet)
    listed: list[dict[str, Any]] = []
    asked = named(source, field, label_from=label_from, channel_order=channel_order, unmatched=unmatched)
    with asked.open(quiet=quiet) as dataset:
        rows = np.arange(len(dataset))
        if start is not None or prefix is not None:
            rows = KeyOrder(start, prefix or "").rows(dataset.table)
        total = len(rows)
        for sample in samples(dataset, rows if limit == 0 else rows[:limit]):
            output.say(line(dataset, sample))
            if json is not None:
                listed.append(sample)
    if 0 < limit < total:
        output.say(f"… {total - limit:,} more; --limit 0 lists all")
    output.finish({"path": asked.words, "rows": total, "samples": listed})


def samples(dataset: pixstore.Dataset, rows: Indices) -> Iterator[dict[str, Any]]:
    """Yield row, key, shape of each field and columns of these samples, as `--json` writes them."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        chosen = rows[start : start + ROWS_AT_ONCE]
        shapes = {name: dataset.formats(chosen, field=name) for name in dataset.schema.field_names}
        for place, columns in enumerate(dataset.table.take(pa.array(chosen)).to_pylist()):
            yield {
                "row": int(chosen[place]),
                "key": columns.pop("key"),
                "shape": {name: list(formats[place].shape or ()) for name, formats in shapes.items()},
                "columns": {name: as_json(value) for name, value in columns.items()},
            }


def as_json(value: Any) -> Any:
    """Return a column's value as JSON has it: bytes as base64, what is no finite number as null."""
    if isinstance(value, list):
        return [as_json(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def line(dataset: pixstore.Dataset, sample: dict[str, Any]) -> str:
    """Return one sample in words: its key, its shapes, its columns with the names of classes."""
    shapes = sample["shape"]
    parts = [printable(sample["key"])]
    for name, shape in shapes.items():
        size = "×".join(map(str, shape)) or "shape unknown"
        parts.append(size if len(shapes) == 1 else f"{name} {size}")
    for name, value in sample["columns"].items():
        classes = dataset.schema.classes.get(name, ())
        known = isinstance(value, int) and 0 <= value < len(classes)
        parts.append(printable(f"{name}={value} ({classes[value]})" if known else f"{name}={value}"))
    return "  ".join(parts)
