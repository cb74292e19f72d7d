from __future__ import annotations

from pathlib import Path

import pytest

from pixstore.bench.images import built_in, from_source
from pixstore.bench.lab import lmdb_options
from pixstore.bench.lab.caching import COLD, WARM, CacheStateError
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.lmdb_options import IN_ORDER, OFF, ON, SHUFFLED
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways import hand_lmdb, hand_memmap
from pixstore.errors import InvalidInputError

RUN = Measurements({}, {}, {})


def answers(rates: dict[tuple[str, str, str, str], float]) -> list[Observation]:
    names = ("readahead", "buffers", "order", "cache")
    return [Observation("lmdb", "hand-lmdb", 100, dict(zip(names, place, strict=True)), Spread.of([100 / rate] * 5))
            for place, rate in rates.items()]  # fmt: skip


def test_every_pair_of_options_is_measured_from_memory_and_readahead_from_the_disk(tmp_path: Path) -> None:
    here = Lab(built_in(300), [hand_memmap.WAY, hand_lmdb.WAY], tmp_path / "lab", 1)
    here.count = lambda *_, **__: 300  # type: ignore[method-assign]
    trials = lmdb_options.QUESTION.trials(here)
    settings = [tuple(trial.setting.values()) for trial in trials]
    assert len(set(settings)) == len(settings) == 12
    assert {setting[1] for setting in settings if setting[3] == COLD} == {ON}
    for trial in trials:
        try:
            observed = trial.measure()
        except CacheStateError:
            assert trial.setting["cache"] == COLD, "only a file system in memory refuses, and only to be cold"
            continue
        assert observed.seconds > 0
        assert observed.proof["pages"] > 0


def test_photos_of_mixed_sizes_are_read_too(photos: Path, tmp_path: Path) -> None:
    sample = from_source(photos, 8)
    here = Lab(sample, [hand_lmdb.WAY], tmp_path / "lab", 1)
    here.count = lambda *_, **__: 8  # type: ignore[method-assign]
    for trial in lmdb_options.QUESTION.trials(here):
        if trial.setting["cache"] == WARM:
            assert trial.measure().seconds > 0
    sample.close()


def test_without_lmdb_by_hand_there_is_no_such_question(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="add it to --ways"):
        lmdb_options.QUESTION.trials(Lab(built_in(8), [hand_memmap.WAY], tmp_path / "lab", 1))


def test_the_answer_says_what_each_option_changes() -> None:
    rates = {(ON, ON, order, WARM): 2000.0 for order in (IN_ORDER, SHUFFLED)} | {
        (ON, OFF, order, WARM): 1000.0 for order in (IN_ORDER, SHUFFLED)
    }
    rates |= {
        (ON, ON, IN_ORDER, COLD): 400.0,
        (OFF, ON, IN_ORDER, COLD): 100.0,
        (ON, ON, SHUFFLED, COLD): 50.0,
        (OFF, ON, SHUFFLED, COLD): 50.0,
    }
    first, second = lmdb_options.QUESTION.sentences(answers(rates), RUN)
    assert first.startswith("From memory, buffers=True in order reads 2× as many images per second (2,000) and buffers=True shuffled")
    assert second == (
        "From a cold cache, readahead=False in order reads 0.25× as many images per second (100) and readahead=False shuffled changes "
        "nothing beyond the noise (50 images per second)."
    )


def test_nothing_is_said_of_what_was_not_measured() -> None:
    assert lmdb_options.QUESTION.sentences([], RUN) == []
    assert lmdb_options.QUESTION.sentences([Observation("lmdb", "", 0, {}, error="refused")], RUN) == []
