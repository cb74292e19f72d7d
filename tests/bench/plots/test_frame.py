from __future__ import annotations

from itertools import pairwise

import pytest

from pixstore.bench.plots import frame


@pytest.mark.parametrize("heights", [[0.5] * 6, [0.0, 0.01, 0.5, 0.99, 1.0], [0.0] * 10, [1.0] * 10, [0.2, 0.25, 0.26, 0.3]])
def test_labels_keep_their_distance_inside_the_plot(heights: list[float]) -> None:
    moved = frame.apart(heights, 0.04)
    assert all(after - before >= 0.04 - 1e-9 for before, after in pairwise(moved))
    assert moved[0] >= -1e-9
    assert moved[-1] <= 1 + 1e-9


def test_labels_with_room_stay_where_they_are() -> None:
    assert frame.apart([0.1, 0.5, 0.9], 0.04) == [0.1, 0.5, 0.9]


def test_a_drawing_shows_itself_as_png_and_keeps_what_its_marks_say() -> None:
    figure, (axes,) = frame.panels(1, 3, 2)
    (line,) = axes.plot([1, 2], [3, 4])
    figure.tip(line, "first", "second")
    assert figure.tips == {line.get_gid(): ["first", "second"]}
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_only_a_few_failures_are_named_below_a_plot() -> None:
    _, (axes,) = frame.panels(1, 3, 2)
    frame.say_below(axes, [])
    frame.say_below(axes, ["a", "b", "c", "d", "e"])
    assert [each.get_text() for each in axes.texts] == ["failed: a; b; c and 2 more, see the table"]
