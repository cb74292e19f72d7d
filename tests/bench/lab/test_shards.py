"""Shard sizes that make a difference are measured with each engine, and the sentences say what small ones cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.bench.lab.conftest import MakeLab

from pixstore.bench import Results, Spread
from pixstore.bench.images import Sample, built_in, from_source
from pixstore.bench.lab.shards import AXIS, FILES, OPEN, QUESTION, READ, STORE
from pixstore.bench.measurements import Observation


def test_every_planned_cell_can_be_measured(make_lab: MakeLab, any_sample: Sample) -> None:
    trials = QUESTION.trials(make_lab(any_sample))
    assert len({trial.way.partition("/")[0] for trial in trials}) == 4
    assert all(trial.measure().seconds > 0 for trial in trials)


def test_sizes_above_the_images_are_one_cell(make_lab: MakeLab) -> None:
    planned = {
        images: sorted({trial.setting[AXIS] for trial in QUESTION.trials(make_lab(built_in(10), ["packed/raw"], images))})
        for images in (300, 1400, 6000)
    }
    # 0.9 MB, 4.3 MB and 18.4 MB of pixels.
    assert planned == {300: [1024], 1400: [1, 4, 1024], 6000: [1, 4, 16, 1024]}


def test_encoded_images_count_by_the_bytes_that_are_kept(make_lab: MakeLab, photos: Path) -> None:
    sample = from_source(photos, 8)
    assert sample.encoded is not None
    mean = sum(map(len, sample.encoded)) / 8
    images = int(1.5 * (1 << 20) / mean)
    trials = QUESTION.trials(make_lab(sample, ["packed/keep", "tutorial-png"], images))
    assert {(trial.way, trial.setting[AXIS]) for trial in trials} == {("packed/keep", 1), ("packed/keep", 1024)}
    sample.close()


def test_small_shards_are_more_files(make_lab: MakeLab) -> None:
    trials = QUESTION.trials(make_lab(built_in(20), ["packed/raw"], 1000))
    seen = {(trial.setting[AXIS], trial.setting["action"]): trial.measure() for trial in trials}
    assert seen[1, STORE].measures[FILES] > seen[1024, STORE].measures[FILES]
    assert seen[1, OPEN].proof == {"samples": 1000}
    assert seen[1, READ].measures["megabytes_per_second"] > 0


def cell(way: str, megabytes: int, action: str, seconds: float, **measures: float) -> Observation:
    spreads = {name: Spread.of([value] * 5) for name, value in measures.items()}
    runs = np.linspace(0.9, 1.1, 5) * seconds
    return Observation("shards", way, 100, {AXIS: megabytes, "action": action}, Spread.of(runs.tolist()), spreads)


def test_sentences_say_who_loses_most_and_what_is_within_the_noise(measured: Results) -> None:
    answers = [
        *(cell("lmdb/raw", size, STORE, seconds, **{FILES: files}) for size, seconds, files in ((1, 2.0, 93), (1024, 1.0, 5))),
        *(cell("packed/png", size, STORE, seconds, **{FILES: 5}) for size, seconds in ((1, 4.0), (1024, 1.0))),
        *(cell("lmdb/raw", size, READ, seconds) for size, seconds in ((1, 1.05), (1024, 1.0))),
        *(cell("lmdb/raw", size, OPEN, seconds) for size, seconds in ((1, 4e-3), (1024, 1e-3))),
    ]
    assert QUESTION.sentences(answers, measured) == [
        "In shards of 1 MiB instead of 1 GiB, reading shuffled costs nothing beyond the noise with LMDB + raw; storing costs most with "
        "packed + PNG, 4× the time, and least with LMDB + raw, 2×.",
        "Opening costs 4× the time with LMDB + raw; the store of LMDB + raw is 93 files instead of 5.",
    ]


@pytest.mark.parametrize("answers", [[], [cell("lmdb/raw", 1024, READ, 1.0)]])
def test_one_size_alone_says_nothing(answers: list[Observation], measured: Results) -> None:
    assert QUESTION.sentences(answers, measured) == []


def test_a_question_refused_has_no_sentences(measured: Results) -> None:
    refused = [Observation("shards", "", 0, {}, error="not measured: its stores would need more than the disk has")]
    assert QUESTION.sentences(refused, measured) == []
    assert QUESTION.charts(refused)
