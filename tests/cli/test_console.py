"""Where a verb's words, tables, JSON and progress go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.table import Table

from pixstore.cli import console
from pixstore.cli.console import Meter, Output


def table() -> Table:
    made = Table("way")
    made.add_row("LMDB")
    return made


def test_words_and_tables_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.say("done")
    output.show(table())
    output.finish({"a": 1})
    assert "done" in (said := capsys.readouterr().out) and "LMDB" in said and '"a"' not in said


def test_json_stands_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(json="-")
    output.say("done")
    output.show(table())
    output.finish({"key": "Zürich \udc80"})
    assert json.loads(capsys.readouterr().out) == {"key": "Zürich \udc80"}


def test_json_file_leaves_the_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(json=str(tmp_path / "out.json"))
    output.say("done")
    output.finish({"a": 1})
    assert capsys.readouterr().out == "done\n"
    assert json.loads((tmp_path / "out.json").read_text()) == {"a": 1}


def test_quiet_says_nothing_but_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(json=str(tmp_path / "out.json"), quiet=True)
    output.say("done")
    output.show(table())
    output.finish({"a": 1})
    assert capsys.readouterr().out == ""
    assert (tmp_path / "out.json").exists()


def test_table_has_no_colour_with_no_color(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = Table("way")
    coloured.add_row("[red]LMDB[/red]")
    Output().show(coloured)
    assert "\x1b[31m" not in capsys.readouterr().out


def test_progress_without_a_terminal_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    with Meter("converting") as meter:
        for done in range(1, 31):
            now += 1.0
            meter.update(done, 60, done * 1_000_000)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0] == "converting: 10 of 60 samples, 1 samples/s, 1.0 MB/s, 50.0 s left"
    assert len(said.err.splitlines()) == 3


def test_quiet_progress_says_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    with Meter("converting", quiet=True) as meter:
        now += 60.0
        meter.update(1, 2)
    assert capsys.readouterr().err == ""


def test_progress_on_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(console.sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with Meter("writing [bold]", unit="images") as meter:
        meter.update(50, 100, 10)
    said = capsys.readouterr().err
    assert "writing [bold]" in said and "50 %" in said and "images/s" in said


def test_what_is_counted_first_is_no_share_and_no_part_of_the_rate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    with Meter("converting") as meter:
        for done, total in ((500, 0), (10, 60), (20, 60)):
            now += 10.0
            meter.update(done, total)
    assert capsys.readouterr().err.splitlines() == [
        "converting: 500 samples found, 50 samples/s",
        "converting: 10 of 60 samples, 1 samples/s, 50.0 s left",
        "converting: 20 of 60 samples, 1 samples/s, 40.0 s left",
    ]
