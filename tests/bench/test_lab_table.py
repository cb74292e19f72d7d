from __future__ import annotations

from dataclasses import replace

from pixstore.bench import Results
from pixstore.bench.lab_table import first_table


def test_a_question_is_a_table_of_ways_and_places(asked: Results) -> None:
    table = first_table(asked, "order")
    assert table is not None
    assert table.title == "Order of access, 256 at once: images per second; 5,000 images"
    assert table.heads == ("images kept as", "way", "in order", "strided", "shuffled in windows", "shuffled")
    assert table.rows[0] == ("PNG files, tutorial", "tutorial-png", "50,000", "25,000", "16,700", "12,500")


def test_images_that_repeat_are_said_to(asked: Results) -> None:
    asked.source["sampled"] = 20
    table = first_table(asked, "order")
    assert table is not None
    assert table.title.endswith("; 5,000 images (20, repeated)")


def test_a_cell_without_a_value_says_why(asked: Results) -> None:
    asked.observations = [
        replace(each, seconds=None, error="not measured: no time") if each.setting["order"] == "in order" else each
        for each in asked.observations
        if (each.way, each.setting["order"]) != ("lmdb/raw", "shuffled")
    ]
    table = first_table(asked, "order")
    assert table is not None
    assert table.rows[2] == ("LMDB + raw", "lmdb/raw", "not measured", "failed", "16,700", "–")


def test_without_a_value_there_is_no_table(asked: Results) -> None:
    asked.observations = [replace(each, seconds=None, error="OSError: gone") for each in asked.observations]
    assert first_table(asked, "order") is None
    assert first_table(asked, "no such question") is None
