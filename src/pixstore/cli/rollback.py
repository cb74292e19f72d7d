"""`pixstore rollback`: a new version that holds what an older one holds."""

from __future__ import annotations

from typing import Annotated

import typer

import pixstore
from pixstore.cli.console import JsonOption, Output, QuietOption, StoreArgument
from pixstore.cli.words import as_count, printable


def run(
    store: StoreArgument,
    version: Annotated[str, typer.Argument(metavar="N|TAG", help="A kept version: its number, or a tag of it.")],
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Make a new version of STORE that holds what version N holds. No pixels are copied, and what came after N stays kept too.

    pixstore rollback photos.pixstore 7
    """
    output = Output(json, quiet)
    opened = pixstore.Store(store)
    number = opened.rollback(version)
    with opened.open(number) as dataset:
        rows = len(dataset)
    output.say(f"{printable(store)}: version {number} holds what version {printable(version)} holds, {as_count(rows, 'sample')}")
    output.finish({"store": store, "version": number, "of": version, "rows": rows})
