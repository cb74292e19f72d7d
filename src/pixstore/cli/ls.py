"""`pixstore ls`: the samples of a store or a source, one per line."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from typing import Annotated, Any

import typer

import pixstore
from pixstore.cli.console import JsonOption, LabelFromOption, Output, PathArgument, QuietOption, open_dataset
from pixstore.cli.words import printable

ROWS_AT_ONCE = 1000


def run(
    path: PathArgument,
    limit: Annotated[int, typer.Option(min=0, help="How many samples; 0 is all.")] = 20,
    label_from: LabelFromOption = None,
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """List the samples of PATH: key, shape and columns.

    pixstore ls photos.pixstore --limit 5
    """
    output = Output(json, quiet)
    listed: list[dict[str, Any]] = []
    with open_dataset(path, label_from=label_from, quiet=quiet) as dataset:
        total = len(dataset)
        for sample in samples(dataset, total if limit == 0 else min(limit, total)):
            output.say(line(dataset, sample))
            if json is not None:
                listed.append(sample)
    if 0 < limit < total:
        output.say(f"… {total - limit:,} more; --limit 0 lists all")
    output.finish({"path": path, "rows": total, "samples": listed})


def samples(dataset: pixstore.Dataset, count: int) -> Iterator[dict[str, Any]]:
    """Yield row, key, shape of each field and columns of the first `count` samples, as `--json` writes them."""
    for start in range(0, count, ROWS_AT_ONCE):
        rows = slice(start, min(start + ROWS_AT_ONCE, count))
        shapes = {name: dataset.formats(rows, field=name) for name in dataset.schema.field_names}
        for place, columns in enumerate(dataset.table[rows].to_pylist()):
            yield {
                "row": start + place,
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
