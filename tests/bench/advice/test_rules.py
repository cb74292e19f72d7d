"""The rules of advise, on planted figures: each rule where it applies, and where it just does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.bench.advice import rules
from pixstore.bench.advice.figures import FULL, WINDOW, Figures, Situation, Verdict
from pixstore.bench.statistics import Spread

TRAIN = Situation("train", images=100_000, sampled=4_000)
GIGABYTE = 10**9


def spread(seconds: float, scatter: float = 0.01) -> Spread:
    return Spread.of([seconds * (1 + scatter * step) for step in (-1, -0.5, 0, 0.5, 1, -0.2, 0.2)])


def way(name: str, seconds: float, /, **figures: Any) -> Figures:
    """Return a store with these seconds per image on one thread and half of it on two, 1 GB large, converted in 10 s."""
    engine, _, codec = name.partition("/")
    given: dict[str, Any] = {"disk_bytes": GIGABYTE, "convert_seconds": 10.0, "seconds": {1: spread(2 * seconds), 2: spread(seconds)}}
    return Figures(name, name.title(), engine, codec, **{**given, **figures})


def source(seconds: float, /, **figures: Any) -> Figures:
    given: dict[str, Any] = {"disk_bytes": GIGABYTE, "convert_seconds": 0.0, "seconds": {1: spread(2 * seconds), 2: spread(seconds)}}
    return Figures("source", "as it lies", **{**given, **figures})


def rule_of(verdict: Verdict) -> str:
    return verdict.reasons[0].rule


def test_clear_winner_is_recommended_with_its_gain_and_when_it_has_paid() -> None:
    verdict = rules.decide([source(300e-6), way("packed/keep", 100e-6), way("lmdb/keep", 150e-6)], TRAIN)
    assert (verdict.choice.way, rule_of(verdict), verdict.confidence) == ("packed/keep", "gain", "high")
    assert verdict.gain is not None and verdict.gain.low < 3 < verdict.gain.high
    assert verdict.gain.ratio == pytest.approx(3)
    # 200 µs are saved of each of 100,000 images: 20 s an epoch, for 10 s of conversion.
    assert verdict.payback_epochs == pytest.approx(0.5)
    assert verdict.runner_up is not None and verdict.runner_up.way == "lmdb/keep"


def test_tie_goes_to_less_disk_then_to_the_simpler_engine_and_is_said() -> None:
    equal = [
        way("lmdb/keep", 100e-6),
        way("hdf5/keep", 101e-6),
        way("packed/keep", 102e-6),
        way("files/keep", 101e-6, disk_bytes=2 * GIGABYTE),
    ]
    verdict = rules.decide([source(300e-6), *equal], TRAIN)
    assert verdict.choice.way == "packed/keep"
    assert [each.rule for each in verdict.reasons] == ["gain", "tie"]
    assert verdict.confidence == "medium" and "Lmdb/Keep" in verdict.confidence_reason
    smaller = [replace(each, disk_bytes=GIGABYTE // 2) if each.engine == "hdf5" else each for each in equal]
    assert rules.decide([source(300e-6), *smaller], TRAIN).choice.way == "hdf5/keep"


def test_a_simpler_way_that_is_clearly_slower_is_no_tie_however_wide_the_intervals() -> None:
    wide = way("packed/keep", 130e-6, seconds={1: spread(130e-6, 0.5)})
    assert rules.decide([source(300e-6), wide, way("lmdb/keep", 100e-6)], TRAIN).choice.way == "lmdb/keep"


@pytest.mark.parametrize(("seconds", "leaves"), [(104e-6, True), (109e-6, True), (112e-6, False), (90e-6, True)])
def test_less_than_a_tenth_is_not_worth_a_copy(seconds: float, leaves: bool) -> None:
    verdict = rules.decide([source(seconds), way("packed/keep", 100e-6)], TRAIN)
    assert verdict.leaves_as_is is leaves
    assert rule_of(verdict) == ("little-gain" if leaves else "gain")


def test_a_tie_among_stores_does_not_hide_what_the_best_of_them_wins() -> None:
    verdict = rules.decide([source(113e-6), way("lmdb/keep", 100e-6), way("packed/keep", 104.5e-6)], TRAIN)
    assert verdict.choice.way == "packed/keep"


def test_gain_within_the_noise_is_none() -> None:
    verdict = rules.decide([source(120e-6, seconds={2: spread(120e-6, 0.3)}), way("packed/keep", 100e-6)], TRAIN)
    assert verdict.leaves_as_is and "noise" in verdict.reasons[0].words


def test_twenty_images_are_left_as_they_are() -> None:
    tiny = replace(TRAIN, images=20, sampled=20)
    verdict = rules.decide([source(10e-3), way("packed/keep", 2e-3)], tiny)
    assert (verdict.leaves_as_is, rule_of(verdict), verdict.confidence) == (True, "tiny", "high")
    assert "200 ms" in verdict.reasons[0].words


def test_few_images_that_take_long_to_open_are_not_tiny() -> None:
    tiny = replace(TRAIN, images=20, sampled=20)
    verdict = rules.decide([source(10e-3, opening_seconds=9.0), way("packed/keep", 10e-3, convert_seconds=9.5)], tiny)
    assert not verdict.leaves_as_is
    assert {"gain", "opening"} <= {each.rule for each in verdict.reasons}


def test_conversion_that_never_pays_is_not_recommended() -> None:
    verdict = rules.decide([source(120e-6), way("packed/keep", 100e-6, convert_seconds=500.0)], TRAIN)
    assert (verdict.leaves_as_is, rule_of(verdict)) == (True, "never-pays")
    assert "250 epochs" in verdict.reasons[0].words


def test_archive_prefers_the_least_disk_whatever_the_speed() -> None:
    stores = [way("packed/raw", 1e-6, disk_bytes=GIGABYTE), way("packed/png", 90e-6, disk_bytes=GIGABYTE // 2)]
    verdict = rules.decide([source(1e-6), *stores], replace(TRAIN, use="archive"))
    assert verdict.choice.way == "packed/png" and verdict.gain is not None and verdict.gain.ratio == pytest.approx(2)


def test_an_archive_that_is_converted_says_how_long_proving_it_takes() -> None:
    verdict = rules.decide([source(1e-6), way("packed/png", 1e-6, disk_bytes=1, verify_seconds=20e-6)], replace(TRAIN, use="archive"))
    assert [each.rule for each in verdict.remarks] == ["proven"] and "2 s" in verdict.remarks[0].words


def test_archive_as_small_as_can_be_is_left_and_it_is_said_that_nothing_proves_it() -> None:
    verdict = rules.decide([source(1e-6), way("packed/keep", 1e-6)], replace(TRAIN, use="archive"))
    assert verdict.leaves_as_is and [each.rule for each in verdict.remarks] == ["unproven"]


def test_browsing_goes_by_the_slow_single_reads_not_by_opening() -> None:
    verdict = rules.decide([source(1e-3, opening_seconds=100.0), way("files/keep", 1e-3)], replace(TRAIN, use="browse"))
    assert verdict.leaves_as_is
    assert rules.decide([source(2e-3), way("files/keep", 1e-3)], replace(TRAIN, use="browse")).choice.way == "files/keep"


def test_edits_exclude_ways_that_are_slow_to_edit() -> None:
    stores = [way("packed/keep", 100e-6, edit_seconds=spread(0.1)), way("hdf5/keep", 80e-6, edit_seconds=spread(0.31))]
    often = rules.decide([source(300e-6), *stores], replace(TRAIN, edit="often"))
    assert often.choice.way == "packed/keep" and often.excluded["hdf5/keep"].rule == "slow-edit"
    assert often.shard_bytes < rules.SHARD_BYTES
    never = rules.decide([source(300e-6), *stores], TRAIN)
    assert never.choice.way == "hdf5/keep" and never.shard_bytes == rules.SHARD_BYTES


def test_edits_exclude_a_source_that_cannot_be_edited_in_place() -> None:
    situation = replace(TRAIN, edit="often", is_editable=False)
    verdict = rules.decide([source(100e-6), way("packed/keep", 100e-6)], situation)
    assert (verdict.choice.way, rule_of(verdict)) == ("packed/keep", "not-editable")


def test_demand_that_the_source_meets_needs_no_conversion() -> None:
    verdict = rules.decide([source(300e-6), way("packed/keep", 100e-6)], replace(TRAIN, demand=3_000))
    assert verdict.leaves_as_is and rule_of(verdict) == "demand"
    assert verdict.demand is not None and verdict.demand.way == "source"


def test_demand_takes_the_way_that_is_made_soonest_of_those_that_meet_it() -> None:
    stores = [way("packed/keep", 50e-6, convert_seconds=30.0), way("lmdb/keep", 90e-6, convert_seconds=10.0), way("files/keep", 200e-6)]
    verdict = rules.decide([source(300e-6), *stores], replace(TRAIN, demand=10_000))
    assert verdict.choice.way == "lmdb/keep" and verdict.demand is not None and verdict.demand.rate is not None
    assert verdict.demand.rate >= 10_000


def test_demand_that_nothing_meets_is_said_and_the_rules_go_on() -> None:
    verdict = rules.decide([source(300e-6), way("packed/keep", 100e-6)], replace(TRAIN, demand=50_000))
    assert verdict.choice.way == "packed/keep" and verdict.demand is not None and verdict.demand.way is None


def test_decoded_pixels_are_a_remark_and_chosen_for_a_demand_alone() -> None:
    ways = [source(300e-6), way("packed/keep", 290e-6), way("packed/raw", 20e-6, is_decoded=True)]
    verdict = rules.decide(ways, TRAIN)
    assert verdict.leaves_as_is and [each.rule for each in verdict.remarks] == ["decoded"]
    assert rules.decide(ways, replace(TRAIN, demand=20_000)).choice.way == "packed/raw"
    assert rules.decide(ways, replace(TRAIN, demand=3_000)).leaves_as_is


def test_demand_is_answered_where_decoded_pixels_alone_are_left() -> None:
    ways = [source(300e-6), way("packed/keep", 290e-6, error="OSError: no"), way("packed/raw", 20e-6, is_decoded=True)]
    assert rules.decide(ways, replace(TRAIN, demand=20_000)).choice.way == "packed/raw"
    assert rule_of(rules.decide(ways, TRAIN)) == "nothing-left"


def test_way_that_does_not_fit_the_disk_is_excluded() -> None:
    situation = replace(TRAIN, free_bytes=GIGABYTE // 2)
    verdict = rules.decide([source(300e-6), way("packed/raw", 50e-6), way("packed/png", 100e-6, disk_bytes=GIGABYTE // 3)], situation)
    assert verdict.choice.way == "packed/png" and verdict.excluded["packed/raw"].rule == "room"
    none_fits = rules.decide([source(300e-6), way("packed/raw", 50e-6)], situation)
    assert none_fits.leaves_as_is and rule_of(none_fits) == "nothing-left" and "free" in none_fits.reasons[0].words


def test_where_nothing_can_be_written_the_data_is_left() -> None:
    verdict = rules.decide([source(300e-6), way("packed/keep", 50e-6)], replace(TRAIN, is_writable=False))
    assert verdict.leaves_as_is and "written" in verdict.reasons[0].words


def test_network_takes_few_files_stored_in_shuffled_order_though_nothing_was_measured_there() -> None:
    situation = replace(TRAIN, medium="network", source_medium="network", is_medium_measured=False)
    stores = [way("files/keep", 60e-6), way("lmdb/keep", 70e-6), way("hdf5/keep", 80e-6), way("packed/keep", 100e-6)]
    verdict = rules.decide([source(100e-6), *stores], situation)
    assert (verdict.choice.way, rule_of(verdict), verdict.confidence) == ("packed/keep", "slow-medium", "low")
    assert (verdict.order, verdict.shuffle, verdict.threads) == ("shuffle:0", WINDOW, 2)
    assert {name: each.rule for name, each in verdict.excluded.items()} == {"files/keep": "file-each", "lmdb/keep": "remote-lmdb"}
    assert [each.rule for each in verdict.reasons] == ["slow-medium", "unmeasured", "window"]


def test_on_a_measured_network_what_was_measured_counts() -> None:
    situation = replace(TRAIN, medium="network", source_medium="network")
    verdict = rules.decide([source(300e-6), way("hdf5/keep", 80e-6), way("packed/keep", 100e-6)], situation)
    assert verdict.choice.way == "hdf5/keep" and (verdict.order, verdict.shuffle) == ("source", FULL)


def test_data_beyond_memory_is_judged_by_reads_from_the_medium() -> None:
    situation = replace(TRAIN, memory_bytes=GIGABYTE // 2)
    cold = {FULL: spread(400e-6), WINDOW: spread(100e-6)}
    raw = way("packed/raw", 10e-6, cold_seconds=cold)
    png = way("packed/png", 50e-6, disk_bytes=GIGABYTE // 4, cold_seconds=cold)
    verdict = rules.decide([source(300e-6, cold_seconds={FULL: spread(500e-6)}), raw, png], situation)
    assert verdict.choice.way == "packed/png" and verdict.shuffle == FULL
    alone = rules.decide([source(300e-6, cold_seconds={FULL: spread(500e-6)}), raw], situation)
    assert (alone.choice.way, alone.shuffle, alone.order) == ("packed/raw", WINDOW, "shuffle:0")


def test_one_thread_is_named_where_more_win_nothing() -> None:
    same = way("packed/raw", 1e-6, seconds={1: spread(1.02e-6), 2: spread(1e-6)})
    assert rules.decide([source(10e-6, opening_seconds=5.0), same], TRAIN).threads == 1
    assert rules.decide([source(10e-6, opening_seconds=5.0), way("packed/raw", 1e-6)], TRAIN).threads == 2


@pytest.mark.parametrize(("failed", "rule"), [({"error": "OSError: no"}, "failed"), ({"seconds": {}}, "measured")])
def test_way_that_was_not_measured_is_excluded_with_the_reason(failed: dict[str, Any], rule: str) -> None:
    verdict = rules.decide([source(300e-6), way("lmdb/keep", 50e-6, **failed), way("packed/keep", 100e-6)], TRAIN)
    assert verdict.choice.way == "packed/keep" and verdict.excluded["lmdb/keep"].rule == rule
    # One that failed is no choice; one that had no turn might have been the best.
    assert verdict.confidence == ("high" if rule == "failed" else "low")


@pytest.mark.parametrize("demand", [None, 5_000.0])
@pytest.mark.parametrize("others", [{}, {"medium": "network", "source_medium": "network", "is_medium_measured": False}])
def test_no_store_is_better_than_a_source_of_which_nothing_is_known(others: dict[str, Any], demand: float | None) -> None:
    stores = [way("packed/keep", 100e-6), way("lmdb/keep", 50e-6)]
    late = rules.decide([source(300e-6, seconds={}), *stores], replace(TRAIN, demand=demand, **others))
    assert (late.leaves_as_is, rule_of(late), late.confidence) == (True, "measured", "low")
    assert "failed" not in late.reasons[0].words and "could not be measured in the time: give --budget" in late.confidence_reason
    failed = rules.decide([source(300e-6, seconds={}, error="OSError: no"), *stores], replace(TRAIN, demand=demand, **others))
    assert (failed.leaves_as_is, rule_of(failed), failed.confidence) == (True, "failed", "low")


def test_where_no_store_was_measured_leaving_is_not_sure() -> None:
    stores = [way("packed/keep", 100e-6, seconds={}), way("lmdb/keep", 50e-6, seconds={})]
    verdict = rules.decide([source(300e-6), *stores], TRAIN)
    assert (verdict.leaves_as_is, rule_of(verdict), verdict.confidence) == (True, "nothing-left", "low")
    assert verdict.confidence_reason == "nothing could be measured in the time: give --budget"
    assert rules.decide([source(300e-6, seconds={}), *stores], TRAIN).confidence == "low"
    # One that might have been best is enough for doubt; a rule that takes all out is not.
    full = [replace(stores[0], seconds={}), way("lmdb/keep", 50e-6, disk_bytes=TRAIN.free_bytes + 1)]
    assert rules.decide([source(300e-6), *full], TRAIN).confidence == "low"
    assert rules.decide([source(300e-6), full[1]], TRAIN).confidence == "high"


def test_stores_that_failed_leave_the_data_without_certainty() -> None:
    failed = way("packed/keep", 100e-6, error="OSError: no")
    verdict = rules.decide([source(300e-6), failed], TRAIN)
    assert (rule_of(verdict), verdict.confidence) == ("nothing-left", "low") and "failed: OSError" in verdict.reasons[0].words


@pytest.mark.parametrize("others", [{}, {"images": 20, "sampled": 20}, {"demand": 1_000.0}, {"edit": "often", "is_editable": False}])
def test_a_way_that_reads_back_other_pixels_is_out_and_takes_all_certainty(others: dict[str, Any]) -> None:
    wrong = way("packed/keep", 10e-6, error="DifferenceError: the read-back differs", differs=True)
    for ways in ([source(300e-6), wrong, way("lmdb/keep", 100e-6)], [source(300e-6), wrong]):
        verdict = rules.decide(ways, replace(TRAIN, **others))
        assert verdict.choice is not wrong and verdict.confidence == "low" and "not what was stored" in verdict.confidence_reason


def test_a_source_that_cannot_be_edited_need_not_be_measured() -> None:
    situation = replace(TRAIN, edit="often", is_editable=False)
    verdict = rules.decide([source(100e-6, seconds={}), way("packed/keep", 100e-6), way("lmdb/keep", 300e-6)], situation)
    assert (verdict.choice.way, rule_of(verdict), verdict.confidence) == ("packed/keep", "not-editable", "high")


def test_a_way_beyond_memory_that_was_not_read_from_the_medium_is_not_compared_with_one_that_was() -> None:
    situation = replace(TRAIN, memory_bytes=GIGABYTE // 2)
    cold = {FULL: spread(200e-6)}
    verdict = rules.decide(
        [source(300e-6, cold_seconds={FULL: spread(500e-6)}), way("lmdb/keep", 1e-6), way("packed/keep", 1e-6, cold_seconds=cold)],
        situation,
    )
    assert verdict.choice.way == "packed/keep" and verdict.excluded["lmdb/keep"].rule == "measured"
    unread = rules.decide([source(300e-6), way("packed/keep", 1e-6, cold_seconds=cold)], situation)
    assert (unread.leaves_as_is, rule_of(unread), unread.confidence) == (True, "measured", "low")
    nowhere = rules.decide([source(300e-6), way("packed/keep", 100e-6)], situation)
    assert (nowhere.choice.way, nowhere.confidence) == ("packed/keep", "low")


def test_wide_scatter_and_small_samples_lower_the_confidence() -> None:
    wide = {2: spread(100e-6, 0.5)}
    assert rules.decide([source(900e-6), way("packed/keep", 100e-6, seconds=wide)], TRAIN).confidence == "low"
    for repeats in (1, 4):
        few = {2: Spread.of([100e-6] * repeats)}
        assert rules.decide([source(900e-6), way("packed/keep", 100e-6, seconds=few)], TRAIN).confidence == "low"
    small = replace(TRAIN, sampled=50)
    assert rules.decide([source(900e-6), way("packed/keep", 100e-6)], small).confidence == "medium"


@given(
    speeds=st.lists(st.floats(1e-6, 1e-2), min_size=4, max_size=4),
    own=st.floats(1e-6, 1e-2),
    sizes=st.lists(st.integers(10**6, 10**12), min_size=4, max_size=4),
    use=st.sampled_from(["train", "browse"]),
)
def test_what_is_chosen_is_never_more_than_a_tenth_worse_than_the_best(speeds: list[float], own: float, sizes: list[int], use: Any) -> None:
    names = ("lmdb/keep", "files/keep", "packed/keep", "hdf5/keep")
    stores = [way(name, each, disk_bytes=size, convert_seconds=0.0) for name, each, size in zip(names, speeds, sizes, strict=True)]
    verdict = rules.decide([source(own), *stores], Situation(use, 10**7, 4_000))
    chosen = own if verdict.leaves_as_is else speeds[names.index(verdict.choice.way)]
    assert chosen <= 1.1001 * min(own, *speeds)


def test_every_rule_stands_in_the_guide() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "advise.md").read_text(encoding="utf-8")
    names = [rule.name for rule in (*rules.EXCLUDING, *rules.LEAVING)] + [
        "gain",
        "tie",
        "demand",
        "slow-medium",
        "opening",
        "window",
        "unmeasured",
    ]
    names += ["failed", "nothing-left", "decoded", "proven", "unproven"]
    assert [name for name in names if f"`{name}`" not in guide] == []


def test_edits_that_took_no_time_by_the_clock_can_be_compared() -> None:
    stores = [way("packed/keep", 100e-6, edit_seconds=spread(0.0)), way("hdf5/keep", 80e-6, edit_seconds=spread(0.1))]
    verdict = rules.decide([source(300e-6), *stores], replace(TRAIN, edit="often"))
    assert verdict.choice.way == "packed/keep" and verdict.excluded["hdf5/keep"].rule == "slow-edit"
