from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from pixstore.bench import Results, plots

ALL = {
    "store-many-log", "store-many-linear", "read-many-log", "read-many-linear", "read-shuffled-log", "read-shuffled-linear",
    "together", "throughput", "disk", "one-image",
}  # fmt: skip


def test_every_plot_is_drawn_as_svg_and_png(measured: Results, tmp_path: Path) -> None:
    measured.source["name"] = "a $ of <b>photos</b> & more"
    assert plots.draw(measured, tmp_path).keys() == ALL
    for name in ALL:
        root = ElementTree.fromstring((tmp_path / f"{name}.svg").read_text(encoding="utf-8"))
        assert root.tag.endswith("svg")
        with Image.open(tmp_path / f"{name}.png") as drawn:
            assert min(drawn.size) > 300


def test_ids_inside_the_plots_are_repeatable(measured: Results, tmp_path: Path) -> None:
    measured.cells = [cell for cell in measured.cells if cell.experiment == "disk"]
    plots.draw(measured, tmp_path / "a")
    plots.draw(measured, tmp_path / "b")
    assert (tmp_path / "a" / "disk.svg").read_bytes() == (tmp_path / "b" / "disk.svg").read_bytes()


def test_only_what_was_measured_is_drawn(measured: Results, tmp_path: Path) -> None:
    measured.cells = [cell for cell in measured.cells if cell.experiment == "read-many" and cell.images == 10]
    assert plots.draw(measured, tmp_path).keys() == {"throughput"}
    measured.cells = []
    assert plots.draw(measured, tmp_path) == {}


def test_plots_that_an_earlier_drawing_left_are_removed_and_nothing_else(asked: Results, tmp_path: Path) -> None:
    plots.draw(asked, tmp_path)
    (tmp_path / "mine.svg").write_text("<svg/>", encoding="utf-8")
    (tmp_path / "order.txt").write_text("notes", encoding="utf-8")
    asked.observations = []
    asked.cells = [cell for cell in asked.cells if cell.experiment == "disk"]
    assert plots.draw(asked, tmp_path).keys() == {"disk"}
    assert {path.name for path in tmp_path.iterdir()} == {"disk.svg", "disk.png", "mine.svg", "order.txt"}


def test_questions_are_drawn_after_the_classic_experiment(asked: Results, tmp_path: Path) -> None:
    drawn = plots.draw(asked, tmp_path)
    assert list(drawn)[-2:] == ["order", "order-one"]
    assert "<title>packed + PNG, shuffled: " in (tmp_path / "order.svg").read_text(encoding="utf-8")


def test_plots_are_found_by_name_by_axes_and_by_question(asked: Results) -> None:
    assert plots.names(asked) == [
        "store-many", "read-many", "read-shuffled", "together", "throughput", "disk", "one-image", "order", "order-one",
    ]  # fmt: skip
    assert [plots.figure(asked, "disk", is_log=is_log).axes[0].get_xscale() for is_log in (True, False)] == ["linear", "linear"]
    assert [plots.figure(asked, "read-many", is_log=is_log).axes[0].get_xscale() for is_log in (True, False)] == ["log", "linear"]
    assert plots.figure(asked, "order-one").axes[0].get_title(loc="left") == "Order of access, one image at a time"
    with pytest.raises(KeyError):
        plots.figure(asked, "no such plot")


def test_what_has_no_value_has_no_name(asked: Results) -> None:
    asked.observations = [replace(each, seconds=None, error="OSError: gone") for each in asked.observations]
    assert "order" not in plots.names(asked)
    with pytest.raises(KeyError):
        plots.figure(asked, "order")
