"""Disk use and bytes written are those of the stores, of few images and of many."""

from __future__ import annotations

import pytest
from tests.bench.lab.conftest import MakeLab

from pixstore.bench import Results, Spread
from pixstore.bench.images import Sample, built_in
from pixstore.bench.lab.disk import ALLOCATED, APPARENT, OWN, QUESTION, WRITTEN, counts
from pixstore.bench.measurements import Observation
from pixstore.errors import InvalidInputError


def test_every_planned_cell_can_be_measured(make_lab: MakeLab, any_sample: Sample) -> None:
    names = ["packed/raw", "lmdb/raw", "hand-lmdb"] if any_sample.images[0].dtype == "uint16" else None
    for trial in QUESTION.trials(make_lab(any_sample, names)):
        seen = trial.measure()
        assert seen.measures[APPARENT] > 0
        assert seen.measures[ALLOCATED] > 0


def test_a_way_that_cannot_says_so(make_lab: MakeLab) -> None:
    (trial, *_) = QUESTION.trials(make_lab(built_in(10), ["packed/keep"]))
    with pytest.raises(InvalidInputError, match="keeps encoded images"):
        trial.measure()


def test_counts_go_up_to_all_images() -> None:
    assert counts(5000) == [10, 100, 1000, 5000]
    assert counts(1000) == [10, 100, 1000]
    assert counts(8) == [8]


def test_raw_pixels_take_and_write_a_little_more_than_themselves(make_lab: MakeLab) -> None:
    (trial,) = [each for each in QUESTION.trials(make_lab(built_in(10), ["hand-hdf5"], 1000)) if each.images == 1000]
    measures = trial.measure().measures
    assert measures[OWN] == 3072
    assert 3072 < measures[APPARENT] < 1.02 * 3072
    assert 3072 < measures[ALLOCATED] < 1.05 * 3072
    # Where temporary files lie in memory, nothing is counted.
    if WRITTEN in measures:
        assert 1 <= measures[WRITTEN] < 1.05


def cell(way: str, images: int, **measures: float) -> Observation:
    spreads = {name: Spread.of([value] * 5) for name, value in measures.items()}
    return Observation("disk-use", way, images, {"images": images}, Spread.of([1.0] * 5), spreads)


def test_sentences_name_least_and_most_and_what_few_images_cost(measured: Results) -> None:
    answers = [
        cell("lmdb/raw", 10, **{ALLOCATED: 12_000.0, OWN: 3072.0, WRITTEN: 9.0}),
        cell("packed/png", 10, **{ALLOCATED: 5000.0, OWN: 3072.0}),
        cell("lmdb/raw", 1000, **{ALLOCATED: 4000.0, OWN: 3072.0, WRITTEN: 1.4}),
        cell("packed/png", 1000, **{ALLOCATED: 2500.0, OWN: 3072.0, WRITTEN: 0.82}),
    ]
    said = [
        "Of 1,000 images, 3.07 kB each, one takes 2.5 kB on disk with packed + PNG, the least, and 4 kB with LMDB + raw, the most (1.6×); "
        "of 10 alone one takes 12 kB with LMDB + raw, 3× that.",
        "For each byte of these images 0.82 bytes are written with packed + PNG, the least, and 1.40 with LMDB + raw, the most.",
    ]
    assert QUESTION.sentences(answers, measured) == said
    # A number of images that only some ways came to would tell half the story.
    assert QUESTION.sentences([*answers, cell("lmdb/raw", 5000, **{ALLOCATED: 1.0, OWN: 3072.0})], measured) == said


@pytest.mark.parametrize("answers", [[], [Observation("disk-use", "lmdb/raw", 10, {"images": 10}, error="no")]])
def test_nothing_measured_is_nothing_said(answers: list[Observation], measured: Results) -> None:
    assert QUESTION.sentences(answers, measured) == []
    assert QUESTION.charts(answers)[0].axis == "images"


def test_a_question_refused_has_no_sentences(measured: Results) -> None:
    refused = [Observation("disk-use", "", 0, {}, error="not measured: its stores would need more than the disk has")]
    assert QUESTION.sentences(refused, measured) == []
    assert QUESTION.charts(refused)


def test_ways_that_take_alike_are_not_ranked(measured: Results) -> None:
    answers = [
        cell(way, images, **{ALLOCATED: 3000.0 + more, OWN: 3072.0, WRITTEN: 1.001 + more / 1e4})
        for way, more in (("lmdb/raw", 0.0), ("packed/raw", 2.0))
        for images in (10, 1000)
    ]
    assert QUESTION.sentences(answers, measured) == [
        "Of 1,000 images, 3.07 kB each, one takes 3 kB on disk with LMDB + raw, about as much as with any other; of 10 alone one takes "
        "3 kB with LMDB + raw, as much as that.",
        "For each byte of these images 1.00 bytes are written with LMDB + raw, as with all others.",
    ]
