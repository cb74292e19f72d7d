from __future__ import annotations

from pathlib import Path

import pytest

import pixstore
from pixstore.bench.images import Sample, built_in, from_source
from pixstore.bench.lab import transactions
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.transactions import ALL, ONE, SOME, SYNCED, UNSYNCED
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways import catalog, ours
from pixstore.errors import InvalidInputError

RUN = Measurements({}, {}, {"ways": {"a": {"title": "A"}, "b": {"title": "B"}}})


def lab(folder: Path, sample: Sample, *names: str) -> Lab:
    return Lab(sample, [catalog.find(name, None, 2) for name in names], folder / "lab", 2)


def answers(rates: dict[tuple[str, str, str], float]) -> list[Observation]:
    return [
        Observation("transactions", way, 100, {"commit after": per_commit, "sync": sync}, Spread.of([100 / rate] * 5))
        for (way, per_commit, sync), rate in rates.items()
    ]


def test_every_manner_of_committing_stores_and_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(transactions.MOST, ONE, 4)
    monkeypatch.setitem(transactions.MOST, SOME, 120)
    here = lab(tmp_path, built_in(200), "tutorial-lmdb", "hand-lmdb", "hand-hdf5", "hand-files", "packed/raw", "lmdb/raw", "lmdb/png")
    here.count = lambda *_, **__: 200  # type: ignore[method-assign]
    trials = transactions.QUESTION.trials(here)
    both = [(per_commit, sync) for per_commit in (ONE, SOME, ALL) for sync in (SYNCED, UNSYNCED)]
    for way, expected in {
        "tutorial-lmdb": [(ALL, SYNCED)],
        "hand-lmdb": both,
        "hand-hdf5": [each for each in both if each[1] == UNSYNCED],
        "packed/raw": both,
        "lmdb/raw": both,
        "lmdb/png": [],
        "hand-files": [],
    }.items():
        assert [(trial.setting["commit after"], trial.setting["sync"]) for trial in trials if trial.way == way] == expected
    for trial in trials:
        assert trial.images == {ONE: 4, SOME: 120, ALL: 200}[str(trial.setting["commit after"])]
        assert trial.measure().seconds > 0
    assert not list((tmp_path / "lab").iterdir())


def test_ours_commits_a_version_every_so_many_images(tmp_path: Path) -> None:
    work = built_in(10).work(10)
    transactions._commit(ours.parse("packed/raw", 1), "process", 4, tmp_path, work)
    with pixstore.open(tmp_path / ours.STORE) as dataset:
        assert len(dataset) == 10
    versions = list((tmp_path / ours.STORE / "versions").iterdir())
    assert len(versions) == 3


def test_kept_photos_of_mixed_sizes_are_committed_too(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(transactions.MOST, ONE, 3)
    sample = from_source(photos, 8)
    here = lab(tmp_path, sample, "hand-lmdb", "packed/keep", "hand-hdf5")
    here.count = lambda *_, **__: 8  # type: ignore[method-assign]
    trials = transactions.QUESTION.trials(here)
    assert {trial.setting["commit after"] for trial in trials} == {ONE, ALL}
    assert all(trial.measure().seconds > 0 for trial in trials)
    sample.close()


def test_ways_that_do_not_commit_are_no_cells(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="none of these ways commits; add hand-lmdb"):
        transactions.QUESTION.trials(lab(tmp_path, built_in(8), "hand-files", "tutorial-png"))


def test_the_answer_says_what_a_commit_costs() -> None:
    rates = {("a", ONE, SYNCED): 200.0, ("a", ONE, UNSYNCED): 10_000.0, ("a", SOME, SYNCED): 8_000.0, ("a", ALL, SYNCED): 50_000.0}
    rates |= {("b", ONE, SYNCED): 20.0, ("b", ALL, SYNCED): 90_000.0}
    first, second = transactions.QUESTION.sentences(answers(rates), RUN)
    assert first == (
        "A synced commit after every image stores at most 200 images per second, with A; one commit for all stores 90,000, with B."
    )
    assert (
        second == "With A a commit of one image takes 5 ms synced and 100 µs not synced; 100 images per commit store 40× as many a second."
    )


def test_nothing_is_said_of_what_was_not_measured() -> None:
    assert transactions.QUESTION.sentences([], RUN) == []
    assert transactions.QUESTION.sentences([Observation("transactions", "", 0, {}, error="refused")], RUN) == []
    assert transactions.QUESTION.sentences(answers({("a", ALL, SYNCED): 1.0}), RUN) == []
