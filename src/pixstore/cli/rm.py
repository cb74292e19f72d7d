"""`pixstore rm`: samples taken out of a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pixstore.cli.console import JsonOption, Output, QuietOption, StoreArgument
from pixstore.cli.words import as_count, printable
from pixstore.upkeep.edits import take_out


def run(
    store: StoreArgument,
    keys: Annotated[list[str], typer.Argument(metavar="KEY …", help="The keys of the samples.")],
    quiet: QuietOption = False,
    json: JsonOption = None,
) -> None:
    """Take samples out of STORE, as a new version; where one key is missing, nothing is taken out.

    pixstore rm photos.pixstore cats/a.png cats/b.png

    Former versions keep them. `pixstore compact` and `pixstore gc --keep 1` give their bytes back.
    """
    output = Output(json, quiet)
    version = take_out(Path(store), keys)
    count = len(dict.fromkeys(keys))
    output.say(f"{printable(store)}: {as_count(count, 'sample')} taken out, version {version}")
    output.finish({"store": store, "version": version, "removed": count})
