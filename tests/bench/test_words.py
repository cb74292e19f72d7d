from __future__ import annotations

from dataclasses import replace

import pytest

from pixstore.bench import Results, words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.00034, "340 µs"), (0.0123, "12.3 ms"), (1.5, "1.5 s"), (59.9, "59.9 s"), (245, "4 min 5 s"), (12_000, "3 h 20 min")],
)
def test_durations_have_three_digits(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(512, "512 B"), (3072, "3.07 kB"), (307_200_000, "307 MB"), (2.5e13, "25 TB")])
def test_sizes_are_in_thousands(count: float, text: str) -> None:
    assert words.size(count) == text


def test_numbers_are_rounded_to_three_digits() -> None:
    assert [words.rounded(value) for value in (1.234, 45.67, 12_345)] == ["1.23", "45.7", "12,300"]
    assert [words.compact(value) for value in (0, 500, 20_000, 1.5e6)] == ["0", "500", "20 k", "1.5 M"]
    assert [words.times(value) for value in (1.26, 17.4)] == ["1.3×", "17×"]
    assert [words.count(value, "image") for value in (1, 1000)] == ["1 image", "1,000 images"]


def test_images_that_repeat_are_told_with_how_many_there_are(measured: Results) -> None:
    assert words.images(measured, 1000) == "1,000 images"
    measured.source["sampled"] = 20
    assert words.images(measured, 20) == "20 images"
    assert words.images(measured, 10, 4444) == "10 to 4,444 images (20, repeated)"


def test_parts_are_shown_in_percent() -> None:
    assert [words.percent(value) for value in (0, 0.004, 0.056, 0.375, 1.0)] == ["0 %", "0.4 %", "5.6 %", "38 %", "100 %"]


def test_largest_is_the_last_number_of_images_that_is_complete(measured: Results) -> None:
    assert words.largest(measured) == 1000
    measured.cells = [cell for cell in measured.cells if cell.images < 1000 or cell.way == "tutorial-png"]
    assert words.largest(measured) == 100
    measured.cells = []
    assert words.largest(measured) is None


def test_source_is_told_with_its_sizes(measured: Results) -> None:
    assert words.source(measured) == "synthetic images, each 32 × 32 × 3"
    other = replace(measured, source={"name": "photos", "images": 290, "shapes": 3, "largest": [20, 30, 3]})
    assert words.source(other) == "photos, 290 images, 3 sizes up to 20 × 30 × 3"
