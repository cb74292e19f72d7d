"""What users do with the results of a run: a table, plots, a report, and what a notebook shows of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from pixstore.bench import Observation, Results, Spread, load
from pixstore.errors import InvalidInputError


def test_results_loaded_are_results(measured: Results, tmp_path: Path) -> None:
    measured.save(tmp_path)
    again = load(tmp_path)
    assert isinstance(again, Results) and again == measured
    assert again.table().equals(measured.table())


@pytest.mark.parametrize(
    ("name", "experiment"), [("store", "store-many"), ("read", "read-many"), ("shuffled", "read-shuffled"), ("disk", "disk")]
)
def test_table_knows_short_names(measured: Results, name: str, experiment: str) -> None:
    table = measured.table(name)
    assert table.num_rows == 16 and set(table["experiment"].to_pylist()) == {experiment}
    assert measured.table(experiment).equals(table)


def scales(figure: Figure) -> set[str]:
    return {each for axes in figure.axes for each in (axes.get_xscale(), axes.get_yscale())}


def drawn(figure: Figure) -> int:
    """Return how many lines, bars and marks a figure has."""
    return sum(len(axes.lines) + len(axes.patches) + len(axes.collections) for axes in figure.axes)


@pytest.mark.parametrize("name", ["store", "read", "shuffled", "store-many", "read-many", "read-shuffled", "disk"])
def test_plot_is_a_figure_with_something_in_it(measured: Results, name: str) -> None:
    figure = measured.plot(name)
    assert isinstance(figure, Figure) and drawn(figure) >= len(measured.ways)


def test_plot_is_logarithmic_or_linear_as_asked(measured: Results) -> None:
    assert scales(measured.plot("read", log=True)) == {"log"}
    assert scales(measured.plot("read", log=False)) == {"linear"}


def test_unknown_plot_lists_what_there_is(measured: Results) -> None:
    with pytest.raises(InvalidInputError, match=r"no plot 'reed'.*store.*read.*shuffled.*disk"):
        measured.plot("reed")


def test_plot_of_what_was_not_measured_is_refused(measured: Results) -> None:
    measured.cells = [each for each in measured.cells if each.experiment != "disk"]
    with pytest.raises(InvalidInputError, match="no plot 'disk'"):
        measured.plot("disk")


def test_report_is_written_where_asked(measured: Results, tmp_path: Path) -> None:
    path = measured.report(tmp_path / "made")
    assert path == tmp_path / "made" / "report.html" and path.stat().st_size > 1000


def test_repr_is_short_and_says_what_was_measured(measured: Results) -> None:
    said = repr(measured)
    assert said.startswith("<Results of 72 cells (synthetic images, each 32 × 32 × 3); ways: tutorial-png,") and said.endswith("disk>")


def test_notebook_shows_the_summary_and_the_findings(measured: Results) -> None:
    html = measured._repr_html_()
    assert html.count("<tr>") == 1 + len(measured.ways) and "LMDB, tutorial" in html and "is fastest with" in html


def test_notebook_says_how_many_cells_failed_and_why(measured: Results) -> None:
    assert "4 cells without a measurement, the first: StoreFullError: &lt;b&gt;no space&lt;/b&gt; left" in measured._repr_html_()


def test_notebook_shows_the_answers_of_the_lab() -> None:
    settings = [(order, access) for order in ("in order", "shuffled") for access in ("256 at once", "one by one")]
    answers = [
        Observation("order", "packed/png", 100, {"order": order, "access": access}, Spread.of([1.0, 1.1, 1.2]))
        for order, access in settings
    ]
    results = Results(
        {}, {"name": "photos", "images": 100, "largest": [8, 8, 3]}, {"ways": {"packed/png": {"title": "<packed>"}}}, [], answers
    )
    html = results._repr_html_()
    assert "&lt;packed&gt;" in html and "Shuffled reading" in html and "<packed>" not in html


def test_notebook_shows_titles_as_text(measured: Results) -> None:
    measured.run["ways"]["lmdb/raw"]["title"] = "<script>alert(1)</script>"
    measured.source["name"] = "<b>photos"
    html = measured._repr_html_()
    assert "<script" not in html and "<b>photos" not in html and "&lt;b&gt;photos" in html


@pytest.mark.parametrize(
    ("question", "setting"),
    [("parallel-read", {"other axis": 1}), ("parallel-read", {"with": "threads", "workers": "many"}), ("batch", {"batch": "some"})],
)
def test_answers_that_this_version_does_not_understand_are_left_out_of_what_is_loaded(
    asked: Results, tmp_path: Path, question: str, setting: dict[str, str | int | float]
) -> None:
    known = asked.observations.copy()
    asked.observations.append(Observation(question, "packed/png", 100, setting, Spread.of([1.0] * 5)))
    asked.save(tmp_path)
    loaded = load(tmp_path)
    assert loaded.observations == known and loaded.cells == asked.cells
    assert loaded.run["notes"][-1] == f"of another version of pixstore, or damaged, and left out: {question}"
    assert loaded.report(tmp_path).exists()


def test_questions_that_this_version_does_not_know_are_noted(asked: Results, tmp_path: Path) -> None:
    asked.observations.append(Observation("tomorrow", "packed/png", 100, {}, Spread.of([1.0] * 5)))
    asked.save(tmp_path)
    loaded = load(tmp_path)
    assert loaded.observations == asked.observations
    assert loaded.run["notes"][-1] == "questions that this pixstore does not know: tomorrow"
