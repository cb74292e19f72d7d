from __future__ import annotations

from dataclasses import replace

import pytest

from pixstore.bench import Observation, Results, Spread, findings


def rarely(measured: Results, way: str, images: int) -> None:
    """Leave one repeat of what the way has measured with so many images."""
    measured.cells = [
        replace(each, seconds=Spread.of([each.seconds.median])) if each.seconds and (each.way, each.images) == (way, images) else each
        for each in measured.cells
    ]


def test_what_was_measured_too_few_times_is_left_out_of_the_order(measured: Results) -> None:
    for images in (1, 10, 100, 1000):
        rarely(measured, "tutorial-lmdb", images)
    reading, storing = findings.sentences(measured)[:2]
    assert storing.startswith("Storing, 100 images: LMDB + raw is fastest")
    assert reading.endswith("; left out, measured fewer than 5 times: LMDB, tutorial.")


def test_a_number_of_images_at_which_all_ways_are_known_is_told_before_a_larger_one(measured: Results) -> None:
    rarely(measured, "tutorial-lmdb", 1000)
    assert findings.sentences(measured)[0].startswith("Reading in random order, 100 images: ")


def test_nobody_is_fastest_where_everything_was_measured_once(measured: Results) -> None:
    measured.cells = [replace(each, seconds=Spread.of([each.seconds.median])) if each.seconds else each for each in measured.cells]
    for sentence in findings.sentences(measured)[:3]:
        assert sentence.endswith(" 1,000 images: measured fewer than 5 times, so no way is called fastest.")


def test_first_sentences_tell_who_wins_and_by_how_much(measured: Results) -> None:
    reading, storing = findings.sentences(measured)[:2]
    assert reading.startswith("Reading in random order, 1,000 images: ")
    assert "× as fast as PNG files, tutorial (150 ms)" in reading
    assert storing.startswith("Storing, 1,000 images: LMDB, tutorial is fastest")


def test_growth_and_disk_are_told(measured: Results) -> None:
    text = " ".join(findings.sentences(measured))
    assert "per image with" in text
    assert "Disk, allocated:" in text


def test_side_notes_do_not_win(measured: Results) -> None:
    twin = [cell for cell in measured.cells if cell.way == "packed/png"]
    measured.cells += [type(cell)(cell.experiment, "packed/png@1thread", cell.images, cell.seconds, cell.bytes) for cell in twin]
    assert "1 thread" not in " ".join(findings.sentences(measured)[:3])


def test_ways_that_cannot_be_told_apart_win_together(measured: Results) -> None:
    # Reading takes both 7 µs per image; they differ by their names alone.
    assert "LMDB, tutorial and packed + PNG are equally fast with 7.5 ms, " in findings.sentences(measured)[0]
    measured.cells = [cell for cell in measured.cells if cell.way.startswith("tutorial")]
    slow = [cell for cell in measured.cells if cell.way == "tutorial-png"]
    twins = [replace(cell, way=f"packed/raw{number}") for cell in slow for number in range(5)]
    measured.cells = slow + twins
    first = findings.sentences(measured)[0]
    assert "are equally fast with" in first and "and 3 more" in first and "as fast as PNG files" not in first


def test_ways_that_noise_alone_makes_level_are_not_called_equally_fast(measured: Results) -> None:
    noisy = Spread.of([0.001, 0.002, 0.05, 0.1, 0.2])
    measured.cells = [
        replace(each, seconds=noisy) if (each.experiment, each.way) == ("read-shuffled", "packed/png") else each for each in measured.cells
    ]
    first = findings.sentences(measured)[0]
    assert first.endswith("LMDB, tutorial and packed + PNG cannot be told apart, with 7.5 ms to 50 ms.")


def test_ties_are_intervals_that_meet_and_differences_too_small_to_matter() -> None:
    times = {"a": Spread.of([1.0] * 5), "b": Spread.of([1.04] * 5), "c": Spread.of([1.06] * 5), "d": Spread.of([0.9, 1.0, 1.3, 1.3, 1.3])}
    assert findings.ties(times) == ["a", "b", "d"]
    assert findings.ties({"c": times["c"]}) == ["c"]


def test_the_lab_alone_has_answers_and_nothing_classic_to_say(measured: Results) -> None:
    assert findings.answers(measured) == {}
    measured.cells = []
    for order, seconds in (("in order", 1.0), ("shuffled", 2.0)):
        setting = {"order": order, "access": "256 at once"}
        measured.observations.append(Observation("order", "packed/png", 1000, setting, Spread.of([seconds] * 5)))
    measured.observations.append(Observation("of another version", "packed/png", 1000, {}, Spread.of([1.0])))
    assert findings.sentences(measured) == []
    measured.run["interrupted"] = True
    assert findings.sentences(measured) == [findings.INTERRUPTED]
    (name, (sentence, *_)), *others = findings.answers(measured).items()
    assert name == "order" and "packed + PNG" in sentence and others == []


def test_interrupted_and_empty_runs_say_so(measured: Results) -> None:
    measured.run["interrupted"] = True
    assert "interrupted" in findings.sentences(measured)[0]
    measured.cells = []
    assert findings.sentences(measured) == ["Nothing was measured with many images."]
    assert findings.epochs(measured) == []


def test_epochs_are_of_the_whole_set(measured: Results) -> None:
    fastest, seconds = findings.epochs(measured)[0]
    per_image = (measured.median("read-shuffled", fastest, 1000) or 0) / 1000
    assert seconds == pytest.approx(per_image * findings.ASSUMED_IMAGES * 100)
    measured.source.update(synthetic=False, images=290)
    assert findings.epochs(measured)[0][1] == pytest.approx(per_image * 290 * 100)


@pytest.mark.parametrize(
    ("experiment", "way", "seconds", "what"),
    [
        ("read-many", "packed/png", 6e-3, "inflating"),
        ("read-shuffled", "tutorial-lmdb", 5e-4, "gathering"),
        ("read-many", "tutorial-lmdb", 4e-4, "copying"),
        ("store-many", "packed/png", 1e-3 * 2_300_000 / 3_072_000, "writing"),
        ("store-many", "tutorial-lmdb", 4e-3 * 2_300_000 / 3_072_000, "writing to the disk"),
    ],
)
def test_limits_belong_to_the_work_of_the_cell(measured: Results, experiment: str, way: str, seconds: float, what: str) -> None:
    cell = measured.cell(experiment, way, 1000)
    assert cell is not None
    limit = findings.limit(measured, cell)
    assert limit is not None
    assert (limit.what, limit.seconds) == (what, pytest.approx(seconds))


def test_cells_of_other_counts_have_no_limit(measured: Results) -> None:
    cell = measured.cell("read-many", "packed/png", 100)
    assert cell is not None
    assert findings.limit(measured, cell) is None


def test_an_answer_from_few_repeats_says_so_last() -> None:
    setting = {"access": "256 at once"}
    cells = [
        Observation("order", "a", 1000, {**setting, "order": order}, Spread.of([1.0] * repeats))
        for order, repeats in (("in order", 5), ("shuffled", 2))
    ]
    said = findings.answers(Results({}, {}, {}, [], cells))["order"]
    assert said[-1] == "1 of 2 cells were measured fewer than 5 times: by those nobody is called ahead."
    sizes = {"allocated_bytes_per_image": Spread.of([4096.0]), "own_bytes_per_image": Spread.of([3072.0])}
    counted = [Observation("disk-use", "a", 10, {"images": 10}, Spread.of([1.0]), sizes)]
    assert len(findings.answers(Results({}, {}, {}, [], counted))["disk-use"]) == 1
