from __future__ import annotations

from pathlib import Path

import pytest

from pixstore.bench import Observation, Results, Spread
from pixstore.bench.table import Table
from pixstore.cli.console import Output
from pixstore.cli.showing import show_findings, show_place, show_table


@pytest.fixture
def results() -> Results:
    """Return the lab's answer to one question: two cells measured, three not."""
    answers = [
        Observation("order", "packed/png", 1000, {"order": order, "access": "256 at once"}, Spread.of([seconds] * 5))
        for order, seconds in (("in order", 1.0), ("shuffled", 2.0))
    ]
    answers += [Observation("order", "lmdb/raw", 1000, {"order": order}, error="not measured: no time") for order in "ab"]
    answers.append(Observation("order", "lmdb/raw", 1000, {"order": "c"}, error="OSError: \x1b[31mgone"))
    run = {"lab": {"order": {"title": "Order of access"}}, "ways": {"packed/png": {"title": "packed + PNG"}}}
    return Results({}, {}, run, [], answers)


def test_a_table_is_as_wide_as_it_is_and_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("a" * 60, "way", "x" * 60, "[red]1"), ("b\x1b[31m", "other", "y", "2")]
    show_table(Table("a title", ("images kept as", "way", "what", "seconds"), rows), Output())
    shown = capsys.readouterr().out
    assert "a" * 60 in shown and "x" * 60 in shown and "[red]1" in shown
    assert "\x1b[31m" not in shown


def test_answers_of_the_lab_are_printed_with_what_was_not_measured(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    show_findings(results, 2, Output())
    shown = capsys.readouterr().out
    assert "Nothing was measured with many images" not in shown
    assert "\nOrder of access\n  Shuffled reading" in shown and "packed + PNG" in shown
    assert "Order of access, 256 at once: " in shown
    assert "  2 cells: not measured: no time\n  1 cell: OSError: " in shown
    assert "\x1b" not in shown


def test_many_reasons_are_not_all_told(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    results.observations += [Observation("order", "lmdb/raw", 1, {"order": str(each)}, error=f"reason {each}") for each in range(7)]
    show_findings(results, 2, Output())
    shown = capsys.readouterr().out
    assert shown.count("1 cell: ") == 2 and "  6 cells for other reasons, which the report names" in shown


def test_a_question_without_an_answer_says_so(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    results.observations = results.observations[2:]
    show_findings(results, 2, Output())
    assert "Nothing of this question was measured." in capsys.readouterr().out


def test_a_question_measured_in_part_says_how_much(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    del results.observations[0]
    show_findings(results, 2, Output())
    shown = capsys.readouterr().out
    assert "  Too little was measured for an answer: 1 of 4 cells have values.\n" in shown
    assert "Nothing of this question was measured." not in shown


def test_a_question_of_another_version_is_shown_with_what_failed(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    results.observations = [
        Observation("weather", "packed/png", 1, {"sky": "blue"}, Spread.of([1.0])),
        Observation("weather", "packed/png", 1, {"sky": "grey"}, error="OSError: rain"),
    ]
    show_findings(results, 2, Output())
    shown = capsys.readouterr().out
    assert "\nweather\n  This pixstore does not know the question, so it has no answer to it; 1 of 2 cells have values.\n" in shown
    assert "  1 cell: OSError: rain" in shown


def test_the_place_of_the_report_is_told_unless_it_is_to_be_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    show_place(Path("a/report.html"), Output())
    show_place(Path("a/report.html"), Output(quiet=True))
    assert capsys.readouterr().out == "Report: a/report.html\n"
