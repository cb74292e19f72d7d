"""The whole report: sections in the order of their weight, a list of them, and the file it is written to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pixstore.bench import findings, page, plots, table, words
from pixstore.bench.against import Comparison
from pixstore.bench.measurements import Measurements
from pixstore.bench.report import classic, lab, method

NAME = "report.html"
TITLE = "Ways of keeping images, compared"


def write(results: Measurements, folder: Path, comparison: Comparison | None = None) -> Path:
    """Draw the plots and the report of these results into the folder; return the report's path.

    comparison: what has changed since an earlier run, for a section of its own.
    """
    drawn = plots.draw(results, folder / plots.FOLDER)
    drawings = {name: (folder / plots.FOLDER / f"{name}.svg").read_text(encoding="utf-8") for name in drawn}
    path = folder / NAME
    partial = path.with_name(NAME + ".partial")
    partial.write_text(render(results, drawings, comparison), encoding="utf-8")
    os.replace(partial, path)
    return path


def render(results: Measurements, drawings: Mapping[str, str], comparison: Comparison | None = None) -> str:
    """Return the report as HTML, with those of the drawings (SVG by name) that there are."""
    sections = [
        _comparison(comparison),
        lab.in_short(results),
        _failures(results),
        *classic.sections(results, drawings),
        *lab.sections(results, drawings),
        method.how(results),
        method.everything(results),
        method.machine(results),
    ]
    shown = [each for each in sections if each is not None]
    return page.page(TITLE, _heading(results), _summary(results), page.contents(shown), *shown)


def _heading(results: Measurements) -> page.Markup:
    date = str(results.run.get("date", "")).replace("T", " ").replace("+00:00", " UTC")
    when = f"{date}, {words.duration(results.run.get('seconds', 0))} in all"
    parts = [page.element("h1", TITLE), page.element("p", f"{words.source(results)}. {when}.", css="soft")]
    if results.source.get("synthetic"):
        parts.append(page.element("p", "These images are synthetic: made by pixstore's generator, not photographs.", css="synthetic"))
    return page.element("header", *parts)


def _summary(results: Measurements) -> page.Markup | str:
    """Return the first two findings; a run of the lab alone has its answers right below."""
    if not results.cells and results.observations:
        return ""
    return page.element("div", *(page.element("p", each) for each in findings.sentences(results)[:2]), css="summary")


def _comparison(comparison: Comparison | None) -> page.Section | None:
    if comparison is None:
        return None
    said = page.bullets(comparison.sentences())
    rows = [[page.cell(each, css="left") for each in row] for row in comparison.rows]
    return page.section("What has changed since the earlier run", said, *([page.table(comparison.heads, rows)] if rows else []))


def _failures(results: Measurements) -> page.Section | None:
    failed = [table.failure(results, cell) for cell in table.first_failures(results)]
    return page.section("What failed", page.bullets(failed)) if failed else None
