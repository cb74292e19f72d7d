from __future__ import annotations

import pytest

from pixstore.bench import Results, findings


def test_first_sentences_tell_who_wins_and_by_how_much(measured: Results) -> None:
    reading, storing = findings.sentences(measured)[:2]
    assert reading.startswith("Reading in random order, 1,000 images: ")
    assert "× as fast as PNG files, tutorial (150 ms)" in reading
    assert storing.startswith("Storing, 1,000 images: LMDB, tutorial is fastest")


def test_growth_and_disk_are_told(measured: Results) -> None:
    text = " ".join(findings.sentences(measured))
    assert "10× as many images (100 → 1,000)" in text
    assert "Disk, allocated:" in text


def test_side_notes_do_not_win(measured: Results) -> None:
    twin = [cell for cell in measured.cells if cell.way == "packed/png"]
    measured.cells += [type(cell)(cell.experiment, "packed/png@1thread", cell.images, cell.seconds, cell.bytes) for cell in twin]
    assert "1 thread" not in " ".join(findings.sentences(measured)[:3])


def test_equal_times_are_called_equal(measured: Results) -> None:
    measured.cells = [cell for cell in measured.cells if cell.way.startswith("tutorial")]
    slow = [cell for cell in measured.cells if cell.way == "tutorial-png"]
    measured.cells = slow + [type(cell)(cell.experiment, "tutorial-hdf5", cell.images, cell.seconds, cell.bytes) for cell in slow]
    assert "about as fast as" in findings.sentences(measured)[0]


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
