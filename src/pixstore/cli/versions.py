"""`pixstore versions`: which versions of a store are kept."""

from __future__ import annotations

from dataclasses import asdict

import pixstore
from pixstore.cli.console import JsonOption, Output, QuietOption, StoreArgument
from pixstore.cli.words import as_count, as_size, printable
from pixstore.upkeep import VersionFacts


def run(store: StoreArgument, quiet: QuietOption = False, json: JsonOption = None) -> None:
    """List the versions of STORE that are kept: number, time, samples, bytes that are new in it, tags.

    pixstore versions photos.pixstore

    Every commit is a version. The last ten are kept, and those with a tag; `pixstore rollback` goes back to one.
    """
    output = Output(json, quiet)
    found = pixstore.Store(store).versions()
    for each in found:
        output.say(line(each))
    output.finish({"store": store, "versions": [asdict(each) for each in found]})


def line(version: VersionFacts) -> str:
    """Return one version in words."""
    if version.damage is not None:
        return f"{version.number:>6}  damaged: {printable(version.damage)}"
    parts = [f"{version.number:>6}  {printable(version.created)}  {as_count(version.rows, 'sample'):>18}"]
    parts.append(f"{as_size(version.new_bytes):>9} new  {printable(version.engine)}, {printable(version.durability)}")
    parts += [f"[{printable(tag)}]" for tag in version.tags]
    parts += ["(current)"] if version.is_current else []
    parts += [] if version.is_finished else ["(a conversion that is not finished)"]
    return "  ".join(parts)
