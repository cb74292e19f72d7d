from __future__ import annotations

from pixstore.bench import Cell, Results, Spread
from pixstore.bench.measurements import Observation
from pixstore.bench.report import classic

SVG = '<svg width="10pt" height="10pt"></svg>'
ALL = ("store-many-log", "store-many-linear", "read-many-log", "together", "throughput", "disk", "one-image")


def headings(measured: Results, *names: str) -> list[str]:
    return [each.heading for each in classic.sections(measured, dict.fromkeys(names, SVG)) if each is not None]


def test_sections_come_in_the_order_of_their_weight(measured: Results) -> None:
    assert headings(measured, *ALL) == [
        "1,000 images, side by side", "Who wins", "How it grows", "What it costs in disk", "What 100 epochs take",
        "How far from what the machine can do", "One image",
    ]  # fmt: skip


def test_every_plot_has_its_table_behind_it(measured: Results) -> None:
    shown = "".join(str(each) for each in classic.sections(measured, dict.fromkeys(ALL, SVG)) if each is not None)
    assert shown.count("<figure>") == len(ALL)
    # The two plots of one experiment share theirs.
    assert shown.count("The numbers behind this plot") + shown.count("The numbers behind these plots") == len(ALL) - 1


def test_growth_is_fitted_in_a_table_and_told_once(measured: Results) -> None:
    sections = {each.heading: each for each in classic.sections(measured, dict.fromkeys(ALL, SVG)) if each is not None}
    assert "<th>fixed cost</th><th>cost per image</th>" in sections["How it grows"]
    assert "a fixed time and a time per image" in sections["How it grows"]
    assert "a fixed time and a time per image" not in sections["Who wins"]


def test_a_run_of_the_lab_alone_has_no_classic_sections(asked: Results) -> None:
    asked.cells = []
    assert headings(asked) == []


def test_ways_without_a_cell_of_a_table_are_not_in_it_and_ways_that_failed_are(asked: Results) -> None:
    asked.run["ways"]["hand-lmdb"] = {"title": "LMDB, by hand", "threads": 1}
    asked.run["ways"]["hand-files"] = {"title": "files, by hand", "threads": 1}
    asked.observations.append(Observation("order", "hand-lmdb", 9, {"order": "shuffled", "access": "256 at once"}, Spread.of([1.0] * 5)))
    asked.cells.append(Cell("read-one", "hand-files", 1, Spread.of([1.0] * 5)))
    sections = {each.heading: str(each) for each in classic.sections(asked, dict.fromkeys(ALL, SVG)) if each is not None}
    assert "hand-lmdb" not in "".join(sections.values())
    assert [heading for heading, shown in sections.items() if "hand-files" in shown] == ["One image"]
    assert "LMDB + raw <code>lmdb/raw</code>" in sections["1,000 images, side by side"]
