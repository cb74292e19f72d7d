"""`pixstore get`: one sample's stored bytes, untouched."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

import pixstore
from pixstore.cli.console import JsonOption, Output, QuietOption
from pixstore.cli.source import ChannelOrderOption, SourceArgument, UnmatchedOption, named, shifted
from pixstore.cli.words import as_size, printable
from pixstore.errors import DestinationExistsError, InvalidInputError
from pixstore.samples import IMAGE

WhichFieldOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="NAME|NAME=SOURCE",
        help="Which image field. With NAME=SOURCE, where one field of several lies that are joined, in place of SOURCE.",
        show_default="image",
    ),
]


def run(
    source: SourceArgument = None,
    sample: Annotated[
        str | None, typer.Argument(metavar="KEY|ROW", help="A key, or a row number where no key is written so.", show_default=False)
    ] = None,
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write; stdout if not given.")] = None,
    field: WhichFieldOption = None,
    unmatched: UnmatchedOption = "refuse",
    channel_order: ChannelOrderOption = None,
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Write one sample's stored bytes to a file or to stdout, and say what they are.

    pixstore get photos.pixstore cats/a.png -o a.png

    pixstore get both.pixstore cats/a.png --field mask -o a-mask.png

    pixstore get --field image=photos/ --field mask=masks/ cats/a.jpg --field mask -o a-mask.png
    """
    if out is None and (json == "-" or sys.stdout.isatty()):
        raise InvalidInputError("image bytes would not do on this output; name a file: -o FILE")
    places = [each for each in field or () if "=" in each]
    source, sample = shifted(places, source, sample, last="KEY or ROW")
    asked = named(source, places, channel_order=channel_order, unmatched=unmatched)
    with asked.open(quiet=quiet) as dataset:
        which = chosen_field(dataset, [each for each in field or () if "=" not in each])
        row = find(dataset, sample)
        data = dataset.encoded(row, field=which)
        form = dataset.formats([row], field=which)[0]
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


def chosen_field(dataset: pixstore.Dataset, field: Sequence[str]) -> str:
    """Return the one field that is asked for; without any, `image`, or the first where there is none of that name."""
    if len(field) > 1:
        raise InvalidInputError(f"--field names {' and '.join(field)}: one image is written, so name one field")
    if field:
        return field[0]
    names = dataset.schema.field_names
    return IMAGE if IMAGE in names or not names else names[0]


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
