"""`pixstore put`: one sample into a store."""

from __future__ import annotations

import base64
import json as json_text
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer

import pixstore
from pixstore.cli.console import JsonOption, Output, QuietOption, StoreArgument
from pixstore.cli.words import as_size, printable
from pixstore.errors import InvalidInputError, SchemaError
from pixstore.upkeep.edits import put

LABEL = "label"
TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def run(
    store: StoreArgument,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The sample's key.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="The image, kept byte for byte.")],
    label: Annotated[str | None, typer.Option(help="Its label: a value, or the name of a class.")] = None,
    column: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A column's value; may be given often.")] = None,
    field: Annotated[list[str] | None, typer.Option(metavar="NAME=FILE", help="A further image, such as mask=FILE.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the sample of this key; what is not given stays.")] = False,
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Put one image into STORE under a key, as a new version.

    pixstore put photos.pixstore cats/new.jpg new.jpg --label cats

    pixstore put photos.pixstore cats/new.jpg better.jpg --replace
    """
    output = Output(json, quiet)
    schema = pixstore.Store(store).open().schema
    texts = dict(pair(each, "--column") for each in column or ())
    if label is not None:
        texts[LABEL] = label
    values = {name: value_of(name, text, schema) for name, text in texts.items()}
    files = {"image": file, **dict(pair(each, "--field") for each in field or ())}
    report = put(Path(store), key, {name: Path(each) for name, each in files.items()}, values, replacing=replace)
    done = "replaced" if report.replaced else "added"
    output.say(f"{printable(store)}: {printable(key)} {done}, {as_size(report.bytes)}, version {report.version}")
    output.finish({"store": store, "key": key, "version": report.version, "replaced": report.replaced, "bytes": report.bytes})


def pair(text: str, option: str) -> tuple[str, str]:
    """Return name and value of NAME=VALUE."""
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise InvalidInputError(f"{option} {text!r}: write it as NAME=VALUE")
    return name, value


def value_of(name: str, text: str, schema: pixstore.Schema) -> Any:
    """Return a column's value for what a user wrote: of the column's type; the number of a class for its name; null for nothing.

    Raises SchemaError for a column that there is not, InvalidInputError for text that does not fit.
    """
    if name not in schema.columns.names:
        known = ", ".join(schema.columns.names) or "none"
        raise SchemaError(f"no column {name!r}; columns here: {known}")
    kind = schema.columns.field(name).type
    classes = schema.classes.get(name, ())
    if text in classes:
        return classes.index(text)
    if not text:
        return None
    try:
        return parsed(text, kind)
    except ValueError as error:
        names = f", or one of its classes: {', '.join(classes[:12])}" if classes else ""
        raise InvalidInputError(f"column {name!r} takes {kind}{names}; {text!r} does not fit") from error


def parsed(text: str, kind: pa.DataType) -> Any:
    """Return the text as a value of this type: bytes are written in base64, lists and what has no type yet as JSON. Raises ValueError."""
    if pa.types.is_string(kind):
        return text
    if pa.types.is_boolean(kind):
        if text.lower() not in TRUTHS:
            raise ValueError(text)
        return TRUTHS[text.lower()]
    if pa.types.is_integer(kind):
        return int(text)
    if pa.types.is_floating(kind):
        return float(text)
    if pa.types.is_binary(kind):
        return base64.b64decode(text, validate=True)
    try:
        return json_text.loads(text)
    except ValueError:
        if pa.types.is_null(kind):
            return text
        raise
