from __future__ import annotations

import pytest

from pixstore.bench import Results, table


def test_summary_shows_time_and_disk_side_by_side(measured: Results) -> None:
    summary = table.summary(measured)
    assert summary is not None
    assert summary.heads == ("images kept as", "way", "store s", "read s", "shuffled s", "disk MB")
    assert summary.rows[0] == ("PNG files, tutorial", "tutorial-png", "0.301", "0.150", "0.150", "4.10")
    assert summary.rows[2] == ("LMDB + raw", "lmdb/raw", "failed", "failed", "failed", "failed")


def test_one_image_shows_time_and_disk_side_by_side(measured: Results) -> None:
    shown = table.one_image(measured)
    assert shown is not None
    assert shown.rows[0] == ("PNG files, tutorial", "tutorial-png", "1.30", "0.650", "12.3")


def test_every_cutoff_has_a_column_and_the_last_its_spread(measured: Results) -> None:
    shown = table.by_cutoff(measured, "store-many")
    assert shown is not None
    assert shown.heads[2:] == ("1", "10", "100", "1,000", "fastest – slowest of the last")
    assert shown.rows[0][2:] == ("1.3 ms", "4 ms", "31 ms", "301 ms", "271 ms – 361 ms")


def test_fewer_repeats_are_marked_and_explained(measured: Results) -> None:
    measured.run["repeats"] = 8
    summary = table.summary(measured)
    assert summary is not None
    assert summary.rows[0][2] == "0.301 ×5"
    assert table.footnotes(measured)[0].startswith("×n: only n repeats, not 8")


def test_footnotes_name_each_failure_once_and_all_notes(measured: Results) -> None:
    notes = table.footnotes(measured)
    assert len([note for note in notes if note.startswith("failed: LMDB + raw (lmdb/raw)")]) == 1
    assert notes[-2:] == ["a note", "stopped before 10,000 images"]


def test_ways_of_the_lab_alone_have_no_rows(measured: Results) -> None:
    measured.run["ways"]["hand-lmdb"] = {"title": "LMDB, by hand", "threads": 1}
    for shown in table.tables(measured):
        assert "hand-lmdb" not in [row[1] for row in shown.rows]


def test_what_was_not_measured_has_no_table(measured: Results) -> None:
    measured.cells = [cell for cell in measured.cells if cell.experiment == "read-many"]
    first, summary = table.tables(measured)
    assert first.title == "Reading in order"
    assert {row[2] for row in summary.rows} == {"–"}
    assert table.one_image(measured) is None
    measured.cells = []
    assert table.tables(measured) == []


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.00123, "0.00123"), (4.56, "4.56"), (1234.5, "1,234"), (0.0000001, "0.000000")])
def test_decimals_have_no_exponent(value: float, text: str) -> None:
    assert table.decimal(value) == text
