"""Decay in the short tier: a few faults per engine; and that faults do what they say."""

from __future__ import annotations

import pytest

from faults.rot import PART, SHARES, fault_of, sound_store, trial
from faults.rot_faults import KINDS, SORTS, Fault, sort_of
from faults.rot_store import Span
from faults.samples import ENGINES

SHORT_TRIALS = 24
BEFORE = {"shards/a.bin": b"0123456789"}
SPANS = [Span("shards/a.bin", 2, 4, "first", "image"), Span("shards/a.bin", 6, 8, "second", "image")]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_answer_of_a_decayed_store_is_right_or_an_error(engine: str) -> None:
    with sound_store(engine) as sound:
        trials = [trial(sound, seed) for seed in range(SHORT_TRIALS)]
        now = {name: (sound.path / name).read_bytes() for name in sound.before}
    assert [failure for _, failures in trials for failure in failures] == []
    assert len({fault.sort for fault, _ in trials}) >= 4 and now == sound.before


def fault(after: bytes | None) -> Fault:
    return Fault("flip", "pixels", {"shards/a.bin": after}, "")


@pytest.mark.parametrize(
    ("after", "damaged", "is_within"),
    [
        (b"01x3456789", {"first"}, True),
        (b"01x34567x9", {"first"}, False),
        (b"01234567x9", set(), False),
        (b"01x345x789", {"first", "second"}, True),
        (b"0123456", {"second"}, False),
        (None, {"first", "second"}, False),
    ],
)
def test_fault_knows_whose_records_it_damages(after: bytes | None, damaged: set[str], is_within: bool) -> None:
    assert {span.key for span in fault(after).damaged(BEFORE, SPANS)} == damaged
    assert fault(after).is_within(BEFORE, SPANS) is is_within


@pytest.mark.parametrize(
    ("file", "sort"),
    [
        ("manifest.json", "manifest"),
        ("versions/00000001.json", "versions"),
        ("splits/half.1.arrow", "splits"),
        ("shards/1.arrow", "tables"),
        ("shards/1.keys", "keys"),
        ("shards/1.files/image.names", "pixels"),
        ("shards/1.lmdb", "pixels"),
    ],
)
def test_every_file_of_a_store_has_its_sort(file: str, sort: str) -> None:
    assert sort_of(file) == sort and sort in SORTS


def test_full_run_has_the_faults_that_are_promised() -> None:
    trials = PART.trials
    assert trials * SHARES["flip"] >= 2000 and trials * SHARES["truncate"] >= 200 and set(SHARES) == set(KINDS)


def test_seed_means_the_same_fault_in_every_run() -> None:
    words = []
    for _ in range(2):
        with sound_store("files") as sound:
            words.append([fault_of(seed, sound).words for seed in range(20)])
    assert words[0] == words[1] and len(set(words[0])) > 10
