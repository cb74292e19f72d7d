from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pixstore.bench.images import Sample, built_in
from pixstore.bench.lab import folds
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.errors import PixstoreError

RUN = Measurements({}, {}, {"ways": {"a": {"title": "A"}, "b": {"title": "B"}}})


@pytest.mark.parametrize("order", folds.ORDERS)
def test_each_row_is_tested_once_and_trained_on_in_all_other_folds(order: str) -> None:
    found = folds.folds_of(3003, order)
    assert len(found) == folds.FOLDS
    assert sorted(np.concatenate([fold.test for fold in found]).tolist()) == list(range(3003))
    for fold in found:
        assert sorted([*fold.train.tolist(), *fold.test.tolist()]) == list(range(3003))
        assert (np.diff(fold.test) > 0).all()
        assert np.concatenate(list(fold.batches())).tolist() == [*fold.train.tolist(), *fold.test.tolist()]


def test_orders_of_the_train_part_are_what_their_names_say() -> None:
    in_order, windows, shuffled = (folds.folds_of(3000, order)[0].train for order in folds.ORDERS)
    assert (np.diff(in_order) > 0).all()
    assert windows[: folds.WINDOW].max() < windows[folds.WINDOW :].min()
    assert (np.diff(windows[: folds.WINDOW]) < 0).any()
    assert shuffled[: folds.WINDOW].max() > 2500


def test_every_cell_is_measured_and_checked(any_sample: Sample, make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(any_sample)
    trials = folds.QUESTION.trials(lab)
    ours = [trial for trial in trials if trial.setting["access"] == folds.LOADER]
    assert {trial.way for trial in ours} == {way.name for way in lab.ways if "/" in way.name}
    for trial in trials:
        try:
            assert trial.measure().seconds > 0
        except DifferenceError:
            raise
        except PixstoreError as error:
            assert "/" not in trial.way, error


def test_a_loader_that_gives_other_images_is_found_out(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(built_in(40), ["packed/raw"], 40)
    trial = next(each for each in folds.QUESTION.trials(lab) if each.setting["access"] == folds.LOADER)
    trial.measure()
    lab.work(40).images[:] = 0
    with pytest.raises(DifferenceError):
        trial.measure()


def test_the_answer_names_the_fastest_the_slowest_and_what_order_gains() -> None:
    def cell(way: str, order: str, seconds: float) -> Observation:
        return Observation("folds", way, 10_000, {"train": order, "access": folds.ROWS}, Spread.of([seconds] * 5))

    answers = [cell("a", "shuffled", 0.1), cell("b", "shuffled", 2.0), cell("a", "in order", 0.1), cell("b", "in order", 0.5)]
    assert folds.QUESTION.sentences(answers, RUN) == [
        "One pass through all 5 folds, 10,000 images read in all, train part shuffled, takes 100 ms with A and 2 s with B.",
        "Reading the train part in order instead would give most with B, 4× as many images per second, and least with A, nothing "
        "beyond the noise.",
    ]
    assert folds.QUESTION.sentences([], RUN) == []


def test_grey_and_colour_photos_come_through_one_loader(make_lab: Callable[..., Lab]) -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (6, 5 + number, 3)[: 2 + number % 2], np.uint8) for number in range(12)]
    lab = make_lab(Sample("mixed", "folder", 12, images, np.arange(12) % 2), ["packed/png"], 12)
    for trial in folds.QUESTION.trials(lab):
        assert trial.measure().seconds > 0
