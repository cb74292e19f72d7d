from __future__ import annotations

from pathlib import Path

from pixstore.bench.images import built_in, from_source
from pixstore.bench.lab import parallel_write
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.sharing import APART, THREADS
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways import catalog
from pixstore.bench.ways.source import SourceWay

RUN = Measurements({}, {}, {"ways": {"a": {"title": "A"}, "b": {"title": "B"}}})


def test_writers_are_threads_where_a_way_has_them_and_processes_with_a_store_each(tmp_path: Path) -> None:
    names = ("tutorial-lmdb", "hand-files", "hand-hdf5", "packed/png")
    here = Lab(built_in(60), [catalog.find(name, None, 2) for name in names], tmp_path / "lab", 2)
    here.count = lambda *_, **__: 60  # type: ignore[method-assign]
    trials = parallel_write.QUESTION.trials(here)
    assert {trial.way for trial in trials if trial.setting["with"] == THREADS} == {"hand-files", "packed/png"}
    for way in names:
        assert [trial.setting["workers"] for trial in trials if (trial.way, trial.setting["with"]) == (way, APART)] == [1, 2, 4]
    for trial in [each for each in trials if each.setting["workers"] == 2]:
        observed = trial.measure()
        assert observed.seconds > 0
        if trial.setting["with"] == APART:
            assert observed.proof == {"processes": trial.setting["workers"]}
    assert [path.name for path in (tmp_path / "lab").iterdir() if "carried" not in path.name] == []


def test_photos_are_stored_and_the_source_is_left_alone(photos: Path, tmp_path: Path) -> None:
    sample = from_source(photos, 8)
    assert sample.dataset is not None
    source = SourceWay(sample.dataset, sample.image_field, 2)
    here = Lab(sample, [catalog.find(name, source, 2) for name in ("source", "hand-lmdb", "packed/keep")], tmp_path / "lab", 1)
    here.count = lambda *_, **__: 8  # type: ignore[method-assign]
    trials = parallel_write.QUESTION.trials(here)
    assert {trial.way for trial in trials} == {"hand-lmdb", "packed/keep"}
    assert all(trial.measure().seconds > 0 for trial in trials if trial.setting["workers"] == 2)
    sample.close()


def test_the_answer_names_the_fastest_and_who_gains() -> None:
    rates = {("a", APART, 1): 100.0, ("a", APART, 2): 180.0, ("b", APART, 1): 50.0, ("b", APART, 2): 25.0, ("b", THREADS, 1): 50.0}
    seen = [
        Observation("parallel-write", way, 1000, {"workers": count, "with": kind}, Spread.of([1000 / rate] * 5))
        for (way, kind, count), rate in rates.items()
    ]
    first, second = parallel_write.QUESTION.sentences(seen, RUN)
    assert first == "Most images per second are stored with A, 2 processes with a store each: 180, alone 100."
    assert second == (
        "Storing in parallel, each way at its best, gains most with A, 1.8× with 2 processes with a store each, and least with B, 0.5×."
    )
    assert parallel_write.QUESTION.sentences([], RUN) == []
