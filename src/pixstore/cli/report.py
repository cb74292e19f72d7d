"""pixstore report: draw tables, plots and the report again from the results of a bench."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pixstore import bench
from pixstore.bench import report, table
from pixstore.cli.bench import show_notes, show_table
from pixstore.cli.console import JsonOption, Output, QuietOption


def run(
    results: Annotated[str, typer.Argument(metavar="RESULTS", help="results.json of a bench, or the folder it lies in.")],
    out: Annotated[str | None, typer.Option(metavar="DIR", help="Where plots and report go.", show_default="beside the results")] = None,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print the tables of a bench, and draw its plots and report.html again, from results.json alone.

    pixstore report results/photos --out results/drawn-again
    """
    output = Output(json, quiet)
    path = Path(results)
    measured = bench.load(path)
    folder = Path(out) if out is not None else path if path.is_dir() else path.parent
    folder.mkdir(parents=True, exist_ok=True)
    written = report.write(measured, folder)
    for each in table.tables(measured):
        show_table(each, output)
    show_notes(measured, None, written, output)
    output.finish(measured.to_json())
