"""What holds for every question, whatever it asks."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.images import Sample, built_in
from pixstore.bench.lab.catalog import QUESTIONS
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.question import Question
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.suites import CLASSIC, FULL
from pixstore.bench.ways import catalog

RUN = Measurements({"cpus": 2}, {}, {"ways": {}})
every_question = pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)


def lab(folder: Path, sample: Sample) -> Lab:
    kinds = {"is_built_in": True, "is_encoded": sample.is_encoded, "is_uniform": isinstance(sample.images, np.ndarray)}
    return Lab(sample, [catalog.find(name, None, 2) for name in catalog.lab_names(**kinds)], folder / "lab", 2)


def test_every_question_says_what_it_is() -> None:
    for name, question in QUESTIONS.items():
        assert question.name == name
        assert question.title and question.asks.count("?") >= 1 and question.weight > 0


def test_no_question_is_called_as_another_or_as_a_suite() -> None:
    assert not QUESTIONS.keys() & {CLASSIC, FULL}
    assert len({question.title for question in QUESTIONS.values()}) == len(QUESTIONS)


@every_question
def test_a_question_that_was_refused_has_no_answer_and_no_fault(question: Question) -> None:
    refused = [Observation(question.name, "", 0, {}, error="not measured: no room")]
    assert question.sentences(refused, RUN) == []
    question.charts(refused)


@every_question
def test_a_question_of_which_a_part_was_measured_is_answered_with_that(question: Question, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    trials = question.trials(lab(tmp_path, built_in(20)))
    assert len({(trial.way, trial.images, *sorted(trial.setting.items())) for trial in trials}) == len(trials)
    for share in (0.0, 0.1, 0.5, 0.9):
        answers = []
        for trial in trials:
            seconds = Spread.of([0.5, 0.6]) if random.random() < share else None
            error = None if seconds else "not measured: the budget was spent"
            measures = defaultdict(lambda: Spread.of([0.5, 0.6])) if seconds else {}
            answers.append(Observation(question.name, trial.way, trial.images, dict(trial.setting), seconds, measures, {}, error))
        assert isinstance(question.sentences(answers, RUN), list)
        for chart in question.charts(answers):
            assert chart.name and chart.title


@every_question
def test_photos_of_mixed_sizes_are_asked_about_too(question: Question, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    images = [random.integers(0, 256, (size, 90, 3), np.uint8) for size in range(60, 68)]
    sample = Sample("photos", "folder", 8, images, np.arange(8), [b"jpeg"] * 8, np.arange(8), codec="jpeg")
    assert isinstance(question.trials(lab(tmp_path, sample)), list)
