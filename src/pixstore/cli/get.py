"""`pixstore get`: one sample's stored bytes, untouched."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import pixstore
from pixstore.cli.console import JsonOption, Output, PathArgument, QuietOption, open_dataset
from pixstore.cli.words import as_size, printable
from pixstore.errors import DestinationExistsError, InvalidInputError


def run(
    path: PathArgument,
    sample: Annotated[str, typer.Argument(metavar="KEY|ROW", help="A key, or a row number where no key is written so.")],
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write; stdout if not given.")] = None,
    field: Annotated[str, typer.Option(help="Which image field.")] = "image",
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Write one sample's stored bytes to a file or to stdout, and say what they are.

    pixstore get photos.pixstore cats/a.png -o a.png
    """
    if out is None and (json == "-" or sys.stdout.isatty()):
        raise InvalidInputError("image bytes would not do on this output; name a file: -o FILE")
    with open_dataset(path, quiet=quiet) as dataset:
        row = find(dataset, sample)
        data = dataset.encoded(row, field=field)
        form = dataset.formats([row], field=field)[0]
        key = dataset.keys[row].as_py()
    if out is None:
        sys.stdout.buffer.write(data)
        return
    write_new(Path(out), data)
    shape = list(form.shape or ())
    what = f"{form.codec}, {' × '.join(map(str, shape))} {form.dtype}"
    output = Output(json, quiet)
    output.say(f"{printable(out)}: {as_size(len(data))}, {what}, key {printable(key)}, row {row}")
    output.finish({"file": out, "bytes": len(data), "key": key, "row": row, "codec": form.codec, "shape": shape, "dtype": form.dtype})


def find(dataset: pixstore.Dataset, sample: str) -> int:
    """Return the row that a user means by a key or a row number; a key comes first."""
    number = sample.removeprefix("-")
    if sample in dataset or not (number.isascii() and number.isdigit()):
        return dataset.row_of(sample)
    row = int(sample)
    return row + len(dataset) if -len(dataset) <= row < 0 else row


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet; one that is stays as it is."""
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise DestinationExistsError(f"{path}: is already there; remove it or name another file") from error
