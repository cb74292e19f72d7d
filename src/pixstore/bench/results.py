"""What a run gives its user: the measurements, as a table, as a plot, as a report."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from matplotlib.figure import Figure

from pixstore.bench import cells, findings, page, plots, table, words
from pixstore.bench import report as reports
from pixstore.bench.lab.catalog import QUESTIONS
from pixstore.bench.measurements import Measurements, load_measurements
from pixstore.errors import InvalidInputError

SHORT_NAMES = {"store": "store-many", "read": "read-many", "shuffled": "read-shuffled"}
"""What people say for the experiments with many images; their own names do as well."""


class Results(Measurements):
    """A run's measurements, to look at."""

    @classmethod
    def of(cls, measured: Measurements) -> Results:
        return cls(measured.machine, measured.source, measured.run, measured.cells, measured.observations)

    def table(self, name: str | None = None) -> pa.Table:
        """Return every cell as a row, classic experiment and lab together; `bench.cells` lists the columns.

        name: of one experiment ("read", "shuffled" …) or question ("order") only, without the columns that are empty there.
        Raises InvalidInputError, naming what there is, for one that was not measured.
        """
        return cells.as_table(self, None if name is None else SHORT_NAMES.get(name, name))

    def plot(self, name: str, *, log: bool = True) -> Figure:
        """Return the plot of one experiment ("store", "read", "shuffled", "disk") or question ("order").

        log: both axes logarithmic, for times over numbers of images. Notebooks show the figure by itself; pyplot is not used.
        Raises InvalidInputError, naming what can be drawn, for anything else.
        """
        try:
            return plots.figure(self, SHORT_NAMES.get(name, name), is_log=log)
        except KeyError as error:
            short = {long: said for said, long in SHORT_NAMES.items()}
            here = [short.get(each, each) for each in plots.names(self)]
            raise InvalidInputError(f"no plot {name!r} of these results; here: {', '.join(here) or 'none'}") from error

    def report(self, path: str | Path) -> Path:
        """Draw the plots and report.html into the folder `path`; return the report's path."""
        return reports.write(self, Path(path))

    def __repr__(self) -> str:
        asked = dict.fromkeys([*(each.experiment for each in self.cells), *(each.question for each in self.observations)])
        cells = words.count(len(self.cells) + len(self.observations), "cell")
        return f"<Results of {cells} ({words.source(self)}); ways: {', '.join(self.ways)}; measured: {', '.join(asked) or 'nothing'}>"

    def _repr_html_(self) -> str:
        sentences = [*findings.sentences(self), *(each for said in findings.answers(self).values() for each in said)]
        parts: list[object] = [page.element("b", f"Results: {words.source(self)}")]
        summary = table.summary(self)
        if summary is not None:
            parts.append(page.table(summary.heads, summary.rows))
        errors = [*(each.error for each in self.cells), *(each.error for each in self.observations)]
        failed = [each for each in errors if each is not None]
        if failed:
            sentences.append(f"{words.count(len(failed), 'cell')} without a measurement, the first: {failed[0]}")
        parts.append(page.bullets(sentences))
        return page.element("div", *parts)


def load(path: Path) -> Results:
    """Return the results in this results.json, or in the folder that holds it.

    Answers to questions that mean something else to this version of pixstore, which it can therefore not draw, are left out, with a
    note; of questions it does not know there is a note too.
    Raises PathNotFoundError where there is none, InvalidInputError where it is not one.
    """
    found = Results.of(load_measurements(path))
    asked = list(dict.fromkeys(each.question for each in found.observations))
    foreign = [question for question in asked if not _is_understood(found, question)]
    unknown = [question for question in asked if question not in QUESTIONS]
    found.observations = [each for each in found.observations if each.question not in foreign]
    notes = {"of another version of pixstore, or damaged, and left out": foreign, "questions that this pixstore does not know": unknown}
    for note, named in notes.items():
        if named:
            found.run["notes"] = [*found.run.get("notes", []), f"{note}: {', '.join(named)}"]
    return found


def _is_understood(results: Measurements, name: str) -> bool:
    """Return whether this version's question of that name can be answered and drawn from these cells; True where it knows none."""
    question, answers = QUESTIONS.get(name), results.answers(name)
    if question is None:
        return True
    try:
        question.sentences(answers, results)
        question.charts(answers)
    except (LookupError, ArithmeticError, TypeError, ValueError):
        return False
    return True
