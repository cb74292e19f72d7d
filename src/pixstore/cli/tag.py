"""`pixstore tag`: a name for a version, which keeps it."""

from __future__ import annotations

from typing import Annotated

import typer

import pixstore
from pixstore.cli.console import JsonOption, Output, QuietOption, StoreArgument
from pixstore.cli.words import printable
from pixstore.errors import InvalidInputError


def run(
    store: StoreArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, '-', '_' and '.'; not a number.")],
    version: Annotated[str | None, typer.Option(metavar="N|TAG", help="Which version; the current one if not given.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the name away from the version that has it.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the name away altogether.")] = False,
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Name a version of STORE, so that it is kept for as long as it has the name.

    pixstore tag photos.pixstore before-relabelling
    """
    if remove and (version is not None or replace):
        raise InvalidInputError("--remove takes a name away, whatever version has it; --version and --replace do not go with it")
    output = Output(json, quiet)
    opened = pixstore.Store(store)
    number = opened.untag(name) if remove else opened.tag(name, version, replace=replace)
    done = "is no longer tagged" if remove else "is tagged"
    output.say(f"{printable(store)}: version {number} {done} {printable(name)}")
    output.finish({"store": store, "name": name, "version": number, "removed": remove})
