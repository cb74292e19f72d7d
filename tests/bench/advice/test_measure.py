"""The cells of advise: which are asked for which use, and what comes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pixstore.bench.advice.candidates import candidates
from pixstore.bench.advice.figures import FULL, WINDOW
from pixstore.bench.advice.measure import Asked, Wanted, measure
from pixstore.bench.advice.survey import survey
from pixstore.bench.lab.lab import Lab
from pixstore.bench.ways.base import Found, Reader, Way, Work


def settings(photos: Path, tmp_path: Path, wanted: Wanted) -> list[dict[str, Any]]:
    """Return what is asked of packed/keep."""
    sample = survey(photos).sample
    chosen = candidates(sample, wanted.use, wanted.cpus)
    trials = Asked(chosen, wanted).trials(Lab(sample, [], tmp_path / "lab", wanted.cpus))
    sample.close()
    return [dict(each.setting) for each in trials if each.way == "packed/keep"]


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        (Wanted("train", "never", False, 2), [{"threads": 2}, {"threads": 1}]),
        (Wanted("train", "never", False, 1), [{"threads": 1}]),
        (Wanted("train", "often", True, 1), [{"threads": 1}, {"cold": FULL}, {"cold": WINDOW}, {"job": "edit"}]),
        (Wanted("browse", "never", True, 1), [{"threads": 1}, {"cold": FULL}]),
        (Wanted("archive", "never", False, 1), [{"threads": 1}, {"job": "verify"}]),
    ],
)
def test_only_the_cells_that_matter_are_asked(wanted: Wanted, asked: list[dict[str, Any]], photos: Path, tmp_path: Path) -> None:
    assert settings(photos, tmp_path, wanted) == asked


def test_every_cell_comes_back_where_it_belongs(photos: Path, tmp_path: Path) -> None:
    sample = survey(photos).sample
    chosen = candidates(sample, "train", 2)
    lab = Lab(sample, [each.way for each in chosen], tmp_path / "lab", 2)
    told: list[str] = []
    found, differences = measure(lab, chosen, Wanted("train", "often", True, 2), 0.1, 60, told.append)
    assert differences == [] and told
    for candidate, each in zip(chosen, found, strict=True):
        assert each.error is None and set(each.seconds) == {1, 2}
        assert set(each.cold_seconds) == {FULL, WINDOW}
        assert (each.edit_seconds is not None, each.sample_bytes is not None) == (candidate.way.stores, candidate.way.stores)
    sample.close()


def test_verifying_is_measured_for_an_archive(arrays: Path, tmp_path: Path) -> None:
    sample = survey(arrays).sample
    chosen = candidates(sample, "archive", 1)[:2]
    found, _ = measure(Lab(sample, [], tmp_path / "lab", 1), chosen, Wanted("archive", "never", False, 1), 0.1, 60, print)
    assert found[0].verify_seconds is None and found[1].verify_seconds is not None
    sample.close()


def test_a_cell_without_time_says_so(photos: Path, tmp_path: Path) -> None:
    sample = survey(photos).sample
    chosen = candidates(sample, "train", 1)
    found, _ = measure(Lab(sample, [], tmp_path / "lab", 1), chosen, Wanted("train", "never", False, 1), 1e-9, 1e-9, print)
    assert all(each.error is None and not each.seconds for each in found)
    assert all("not measured" in note for each in found for note in each.notes)
    sample.close()


def test_the_data_as_it_lies_comes_first_and_then_the_simplest_store(photos: Path, tmp_path: Path) -> None:
    sample = survey(photos).sample
    chosen = candidates(sample, "train", 2)
    told: list[str] = []
    measure(Lab(sample, [], tmp_path / "lab", 2), chosen, Wanted("train", "never", True, 2), 0.1, 60, told.append)
    ways = [each.split(": ")[1].split(",")[0] for each in told]
    assert ways[:8] == ["source"] * 4 + ["packed/keep"] * 4
    assert "threads 2" in told[0] and "threads 2" in told[4]
    sample.close()


def test_a_way_that_differs_with_one_number_of_threads_has_failed_with_all(arrays: Path, tmp_path: Path) -> None:
    sample = survey(arrays).sample
    chosen = [each for each in candidates(sample, "train", 2) if each.way.name in ("packed/raw", "lmdb/raw")]
    chosen[0] = replace(chosen[0], single=OneWrong(chosen[0].single))
    lab = Lab(sample, [], tmp_path / "lab", 2)
    (wrong, right), differences = measure(lab, chosen, Wanted("train", "never", False, 2), 0.1, 60, print)
    assert len(differences) == 1
    assert wrong.differs and wrong.error is not None and wrong.error.startswith("DifferenceError") and wrong.seconds
    assert (right.differs, right.error) == (False, None)
    sample.close()


class OneWrong(Way):
    """A way on one thread that returns every image one brighter."""

    threads = 1

    def __init__(self, way: Way | None) -> None:
        assert way is not None
        self.name, self._way = way.name, way

    def store_many(self, folder: Path, work: Work) -> None:
        self._way.store_many(folder, work)

    def read_many(self, folder: Path, work: Work) -> Found:
        return self._way.read_many(folder, work)

    def read_shuffled(self, folder: Path, work: Work) -> Found:
        return self._way.read_shuffled(folder, work)

    def reader(self, folder: Path, work: Work) -> Reader:
        return Brighter(self._way.reader(folder, work))


class Brighter(Reader):
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, rows: NDArray[np.int64]) -> Found:
        found = self._reader.read(rows)
        return Found(np.asarray(found.images) + np.uint8(1), found.labels)

    def close(self) -> None:
        self._reader.close()
