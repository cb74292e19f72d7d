from __future__ import annotations

from itertools import pairwise
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


@pytest.mark.parametrize("heights", [[0.5] * 6, [0.0, 0.01, 0.5, 0.99, 1.0], [0.0] * 10, [1.0] * 10, [0.2, 0.25, 0.26, 0.3]])
def test_labels_keep_their_distance_inside_the_plot(heights: list[float]) -> None:
    moved = plots.apart(heights, 0.04)
    assert all(after - before >= 0.04 - 1e-9 for before, after in pairwise(moved))
    assert moved[0] >= -1e-9
    assert moved[-1] <= 1 + 1e-9


def test_labels_with_room_stay_where_they_are() -> None:
    assert plots.apart([0.1, 0.5, 0.9], 0.04) == [0.1, 0.5, 0.9]
