"""Every type a way holds is measured, none that it does not hold is planned, and the sentences say what a type costs."""

from __future__ import annotations

from pathlib import Path

from tests.bench.lab.conftest import MakeLab

from pixstore.bench import Results, Spread
from pixstore.bench.images import Sample, built_in, from_source
from pixstore.bench.lab.dtype import BYTES, QUESTION, READ, STORE
from pixstore.bench.measurements import Observation


def test_every_planned_cell_can_be_measured(make_lab: MakeLab, any_sample: Sample) -> None:
    names = (
        ["tutorial-png", "packed/keep", "hdf5/keep"] if any_sample.is_encoded else ["tutorial-hdf5", "files/png", "packed/raw", "hand-lmdb"]
    )
    trials = QUESTION.trials(make_lab(any_sample, names))
    assert {trial.setting["type"] for trial in trials} == {"uint8", "uint16", "float32"}
    for trial in trials:
        assert trial.measure().seconds > 0


def test_types_a_way_does_not_hold_are_not_planned(make_lab: MakeLab) -> None:
    trials = QUESTION.trials(make_lab(built_in(10), ["tutorial-lmdb", "packed/png", "packed/jpeg", "hand-files", "lmdb/raw"]))
    planned: dict[str, list[object]] = {}
    for trial in trials:
        if trial.setting["action"] == READ:
            planned.setdefault(trial.way, []).append(trial.setting["type"])
    assert planned == {
        "tutorial-lmdb": ["uint8"],
        "packed/png": ["uint8", "uint16"],
        "hand-files": ["uint8"],
        "lmdb/raw": ["uint8", "uint16", "float32"],
    }


def test_engines_that_keep_encoded_images_stand_for_raw_ones(make_lab: MakeLab, photos: Path) -> None:
    sample = from_source(photos, 8)
    trials = QUESTION.trials(make_lab(sample, ["source", "packed/keep", "lmdb/keep", "hand-lmdb"]))
    assert {trial.way for trial in trials} == {"packed/raw", "lmdb/raw"}
    sample.close()


def cell(way: str, dtype: str, action: str, seconds: float, **measures: float) -> Observation:
    spreads = {name: Spread.of([value] * 5) for name, value in measures.items()}
    return Observation("dtype", way, 100, {"type": dtype, "action": action}, Spread.of([seconds] * 5), spreads)


def test_sentences_say_what_remains_and_what_is_taken(measured: Results) -> None:
    answers = [
        cell("lmdb/raw", "uint8", READ, 1.0),
        cell("lmdb/raw", "uint16", READ, 2.0),
        cell("lmdb/raw", "float32", READ, 4.0),
        cell("packed/png", "uint8", READ, 3.0),
        cell("packed/png", "uint16", READ, 30.0),
        cell("lmdb/raw", "uint8", STORE, 1.0, **{BYTES: 4000.0}),
        cell("lmdb/raw", "uint16", STORE, 1.0, **{BYTES: 8000.0}),
        cell("packed/png", "uint8", STORE, 1.0, **{BYTES: 2000.0}),
        cell("packed/png", "uint16", STORE, 1.0, **{BYTES: 3000.0}),
    ]
    assert QUESTION.sentences(answers, measured) == [
        "Next to reading as uint8, the same pictures cost, as uint16 most with packed + PNG, 10× the time, and least with LMDB + raw, 2×; "
        "as float32 4× the time with LMDB + raw; floats are read fastest with LMDB + raw.",
        "The same picture in 16 bits takes 1.5× the disk of 8 bits with packed + PNG (2 kB → 3 kB an image), the least, and 2× with "
        "LMDB + raw, the most.",
    ]


def test_ways_that_grow_alike_are_not_ranked(measured: Results) -> None:
    answers = [
        cell(way, dtype, STORE, 1.0, **{BYTES: size + more})
        for way, more in (("lmdb/raw", 0.0), ("packed/raw", 1.0))
        for dtype, size in (("uint8", 4000.0), ("uint16", 8000.0))
    ]
    assert QUESTION.sentences(answers, measured) == [
        "The same picture in 16 bits takes 2× the disk of 8 bits with packed + raw (4 kB → 8 kB an image), as with all others."
    ]


def test_nothing_measured_is_nothing_said(measured: Results) -> None:
    assert QUESTION.sentences([], measured) == []
    assert QUESTION.sentences([cell("lmdb/raw", "uint8", READ, 1.0)], measured) == []


def test_a_question_refused_has_no_sentences(measured: Results) -> None:
    refused = [Observation("dtype", "", 0, {}, error="not measured: its stores would need more than the disk has")]
    assert QUESTION.sentences(refused, measured) == []
    assert QUESTION.charts(refused)
