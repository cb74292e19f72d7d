from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pixstore.bench.images import Sample, built_in
from pixstore.bench.lab import disk_order
from pixstore.bench.lab.caching import CacheStateError
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways.base import Work
from pixstore.errors import PixstoreError

RUN = Measurements({}, {}, {"ways": {"a": {"title": "A"}, "b": {"title": "B"}}})
LABELS = np.random.default_rng(0).integers(0, 4, 100)


def test_stores_are_in_the_order_that_their_names_say() -> None:
    came, by_label, shuffled = (disk_order.order_of(LABELS, stored) for stored in disk_order.STORED)
    assert came.tolist() == list(range(100))
    assert (np.diff(LABELS[by_label]) >= 0).all() and sorted(by_label.tolist()) == list(range(100))
    assert sorted(shuffled.tolist()) == list(range(100)) and shuffled.tolist() != list(range(100))


def test_the_order_of_reading_does_not_undo_that_of_storing() -> None:
    stored, read = disk_order.order_of(np.arange(1000), "shuffled"), np.random.default_rng(1000).permutation(1000)
    assert (stored[read] == np.arange(1000)).mean() < 0.01


def test_images_labels_and_encoded_bytes_are_put_in_order_together(mixed_work: Work) -> None:
    rows = np.array([2, 0, 3, 1])
    work = Work(mixed_work.images, mixed_work.labels, [b"a", b"b", b"c", b"d"], np.arange(10, 14))
    found = disk_order.in_order_of(work, rows)
    assert found.labels.tolist() == [2, 0, 3, 1]
    assert found.encoded == [b"c", b"a", b"d", b"b"]
    assert found.rows is not None and found.rows.tolist() == [12, 10, 13, 11]
    assert [image.shape for image in found.images] == [mixed_work.images[row].shape for row in rows]


def test_every_store_is_read_in_every_order_cold_and_warm(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(built_in(600), ["packed/raw", "hand-lmdb"], 600)
    trials = disk_order.QUESTION.trials(lab)
    assert len(trials) == 2 * 3 * 2 * 2
    clumping = {}
    for trial in trials:
        try:
            seen = trial.measure()
        except CacheStateError as error:
            pytest.skip(str(error))
        clumping[trial.setting["stored"], trial.setting["read"]] = seen.measures["label_clumping"]
        assert seen.proof["pages"] > 0
    assert clumping["by label", "in order"] > 10 * clumping["shuffled", "in order"]


def test_other_images_are_measured_or_refused_in_words(any_sample: Sample, make_lab: Callable[..., Lab]) -> None:
    for trial in disk_order.QUESTION.trials(make_lab(any_sample)):
        try:
            assert trial.measure().seconds > 0
        except DifferenceError:
            raise
        except PixstoreError as error:
            assert trial.way.startswith("hand") or isinstance(error, CacheStateError)


def test_sorting_by_one_label_is_not_asked(make_lab: Callable[..., Lab]) -> None:
    sample = built_in(40)
    sample.labels = np.zeros(len(sample), np.int64)
    settings = {trial.setting["stored"] for trial in disk_order.QUESTION.trials(make_lab(sample, ["packed/raw"], 40))}
    assert settings == {"as they came", "shuffled"}


def test_the_answer_compares_a_shuffled_store_with_shuffling_while_reading() -> None:
    def cell(way: str, stored: str, read: str, seconds: float, clumping: float) -> Observation:
        setting = {"stored": stored, "read": read, "cache": "cold"}
        return Observation("disk-order", way, 1000, dict(setting), Spread.of([seconds] * 5), {"label_clumping": Spread.of([clumping])})

    answers = [cell(way, "as they came", "shuffled", seconds, 1.0) for way, seconds in (("a", 0.4), ("b", 0.3))]
    answers += [cell(way, "shuffled", "in order", seconds, 0.98) for way, seconds in (("a", 0.1), ("b", 0.2))]
    answers += [cell("a", "by label", "in order", 0.1, 230.0)]
    assert disk_order.QUESTION.sentences(answers, RUN) == [
        "From a cold cache, random batches read in order from a store shuffled beforehand, instead of shuffling while reading, give most "
        "with A, 4× as many images per second, and least with B, 1.5×; fastest is A, 10,000 images per second.",
        "Read in order, batches of the shuffled store differ in their labels 0.98 times as much as batches drawn at random, those of the "
        "store sorted by label 230 times.",
    ]
    assert disk_order.QUESTION.sentences([], RUN) == []


def test_a_gain_within_the_noise_is_not_called_one() -> None:
    def cell(stored: str, read: str, runs: list[float]) -> Observation:
        return Observation("disk-order", "a", 1000, {"stored": stored, "read": read, "cache": "cold"}, Spread.of(runs))

    answers = [cell("as they came", "shuffled", [0.1, 0.12, 0.11, 0.11, 0.11]), cell("shuffled", "in order", [0.1, 0.11, 0.1, 0.1, 0.1])]
    (said,) = disk_order.QUESTION.sentences(answers, RUN)
    assert "instead of shuffling while reading, give nothing beyond the noise with A; fastest is A" in said
