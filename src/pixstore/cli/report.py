"""pixstore report: draw tables, plots and the report again from the results of a bench, and tell what changed since another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pixstore import bench
from pixstore.bench import against as comparing
from pixstore.bench import report, table
from pixstore.bench.changes import Comparison
from pixstore.cli.console import JsonOption, Output, QuietOption
from pixstore.cli.showing import show_findings, show_place, show_table
from pixstore.cli.words import printable


def run(
    results: Annotated[str, typer.Argument(metavar="RESULTS", help="results.json of a bench, or the folder it lies in.")],
    against: Annotated[
        str | None, typer.Option(metavar="OLD", help="Results of an earlier bench: tell what changed since, beyond noise.")
    ] = None,
    out: Annotated[str | None, typer.Option(metavar="DIR", help="Where plots and report go.", show_default="beside the results")] = None,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print the tables of a bench, and draw its plots and report.html again, from results.json alone.

    With --against, print what changed instead, and show it in the report too: every cell that
    both runs measured, where the difference is more than their noise.

    pixstore report results/photos --out results/drawn-again

    pixstore report results/today --against results/yesterday
    """
    output = Output(json, quiet)
    path = Path(results)
    measured = bench.load(path)
    comparison = None if against is None else comparing.compare(measured, bench.load(Path(against)))
    folder = Path(out) if out is not None else path if path.is_dir() else path.parent
    folder.mkdir(parents=True, exist_ok=True)
    written = report.write(measured, folder, comparison)
    if comparison is None:
        for each in table.tables(measured):
            show_table(each, output)
        show_findings(measured, None, output)
    else:
        _show_changes(comparison, output)
    show_place(written, output)
    changes = {} if comparison is None else {"against": comparison.to_json()}
    output.finish(measured.to_json() | changes)


def _show_changes(comparison: Comparison, output: Output) -> None:
    changed = comparison.table()
    if changed is not None:
        show_table(changed, output)
    for sentence in comparison.sentences():
        output.say(printable(sentence))
    output.say()
