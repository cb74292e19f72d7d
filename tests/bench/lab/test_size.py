"""Every size is measured with about the same bytes, overflow pages are counted, and the sentences say what changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bench.lab.conftest import MakeLab

from pixstore.bench import Results, Spread
from pixstore.bench.images import Sample, built_in, from_source
from pixstore.bench.lab.size import DISK, MEGABYTES, OWN, READ, SCALED, STORE, WASTED, WASTED_SHARE, Size
from pixstore.bench.measurements import Observation

SMALL = Size((32, 64), 100_000)


def test_every_cell_can_be_measured(make_lab: MakeLab, any_sample: Sample) -> None:
    names = ["packed/keep", "lmdb/keep", "hand-files"] if any_sample.is_encoded else ["packed/raw", "lmdb/raw", "packed/png"]
    for trial in SMALL.trials(make_lab(any_sample, names)):
        seen = trial.measure()
        assert seen.seconds > 0
        assert seen.measures[MEGABYTES] > 0
        assert (DISK in seen.measures) == (trial.setting["action"] == STORE)


def test_sizes_have_about_the_same_bytes(make_lab: MakeLab) -> None:
    trials = SMALL.trials(make_lab(built_in(10), ["packed/raw"]))
    assert {(trial.setting["size"], trial.images) for trial in trials} == {(32, 32), (64, 8)}
    assert {trial.setting["pictures"] for trial in trials} == {SCALED}


def test_mixed_sizes_are_measured_as_they_are_too(make_lab: MakeLab, photos: Path) -> None:
    sample = from_source(photos, 8)
    trials = SMALL.trials(make_lab(sample, ["source", "packed/keep"]))
    # Half are 12 × 10 pixels, half 16 × 10.
    own = [(trial.way, trial.setting["size"], trial.setting["action"]) for trial in trials if trial.setting["pictures"] == OWN]
    assert own == [("source", 12, READ), ("packed/keep", 12, STORE), ("packed/keep", 12, READ)]
    assert all(trial.way != "source" for trial in trials if trial.setting["pictures"] == SCALED)
    sample.close()


def test_overflow_pages_are_counted_for_lmdb_alone(make_lab: MakeLab) -> None:
    trials = SMALL.trials(make_lab(built_in(10), ["packed/raw", "lmdb/raw"]))
    seen = {(trial.way, trial.setting["size"]): trial.measure() for trial in trials if trial.setting["action"] == STORE}
    assert WASTED not in seen["packed/raw", 32].measures
    # 3,072 bytes on a page of 4,096; 12,288 bytes are three pages, with LMDB's header four.
    assert seen["lmdb/raw", 32].measures[WASTED] == 1024
    assert seen["lmdb/raw", 64].measures[WASTED] == 4096
    assert seen["lmdb/raw", 64].measures[WASTED_SHARE] == 1 / 3
    assert seen["lmdb/raw", 64].measures["overflow_pages"] == 8 * 4
    assert seen["lmdb/raw", 64].proof["lmdb_pages"]["page_bytes"] == 4096


def cell(way: str, size: int, action: str, **measures: float) -> Observation:
    spreads = {name: Spread.of([value] * 5) for name, value in measures.items()}
    return Observation("size", way, 8, {"size": size, "pictures": SCALED, "action": action}, Spread.of([1.0] * 5), spreads)


def test_sentences_say_what_changes_most_and_what_overflow_pages_cost(measured: Results) -> None:
    answers = [
        cell("tutorial-png", 32, READ, **{MEGABYTES: 10.0}),
        cell("tutorial-png", 512, READ, **{MEGABYTES: 80.0}),
        cell("lmdb/raw", 32, READ, **{MEGABYTES: 1000.0}),
        cell("lmdb/raw", 512, READ, **{MEGABYTES: 1500.0}),
        cell("lmdb/raw", 32, STORE, **{WASTED: 1024.0, WASTED_SHARE: 1 / 3, DISK: 1.4}),
        cell("lmdb/raw", 512, STORE, **{WASTED: 4096.0, WASTED_SHARE: 1 / 192, DISK: 1.01}),
    ]
    assert SMALL.sentences(answers, measured) == [
        "From 32 to 512 pixels a side, reading as many pixels shuffled gains most with PNG files, tutorial, 8× the rate, and least "
        "with LMDB + raw, 1.5×; fastest at 32 is LMDB + raw (1,000 MB/s), at 512 LMDB + raw (1,500 MB/s).",
        "Overflow pages cost LMDB + raw most at 32 pixels a side: whole pages for each record leave 1.02 kB an image unused, 33.3% of what "
        "they hold; at 512 pixels 4.1 kB an image unused, 0.5% of what they hold.",
    ]


def test_without_lmdb_the_second_sentence_is_of_the_disk(measured: Results) -> None:
    answers = [cell("packed/png", 32, STORE, **{DISK: 0.8}), cell("tutorial-png", 32, STORE, **{DISK: 1.3})]
    assert SMALL.sentences(answers, measured) == [
        "On disk a byte of pixels takes least with packed + PNG at 32 pixels a side, 0.80 bytes, and most with PNG files, tutorial at 32, "
        "1.30."
    ]


@pytest.mark.parametrize(
    "answers", [[], [Observation("size", "lmdb/raw", 8, {"size": 32, "pictures": SCALED, "action": READ}, error="no")]]
)
def test_nothing_measured_is_nothing_said(answers: list[Observation], measured: Results) -> None:
    assert SMALL.sentences(answers, measured) == []
    assert len(SMALL.charts(answers)) == 3


def test_own_sizes_and_overflow_have_charts_of_their_own() -> None:
    stored = cell("lmdb/raw", 32, STORE, **{WASTED: 1.0})
    own = Observation("size", "lmdb/raw", 8, {"size": 12, "pictures": OWN, "action": READ}, Spread.of([1.0]))
    assert [chart.name for chart in SMALL.charts([stored, own])][3:] == ["size-overflow", "size-own"]


def test_a_question_refused_has_no_sentences(measured: Results) -> None:
    refused = [Observation("size", "", 0, {}, error="not measured: its stores would need more than the disk has")]
    assert SMALL.sentences(refused, measured) == []
    assert SMALL.charts(refused)
