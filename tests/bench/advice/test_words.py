"""Advice in words: every number in them is one of the figures'."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from pixstore.bench.advice import words
from pixstore.bench.advice.figures import Figures, Situation, Use
from pixstore.bench.advice.rules import decide
from pixstore.bench.statistics import Spread
from pixstore.naming import Stated

TRAIN = Situation("train", images=100_000, sampled=4_000)
SOURCE = Figures(
    "source", "as it lies", seconds={1: Spread.of([290e-6, 295e-6, 300e-6, 305e-6, 310e-6])}, disk_bytes=10**9, convert_seconds=0.0
)
PACKED = Figures(
    "packed/png",
    "packed + PNG",
    "packed",
    "png",
    None,
    {1: Spread.of([99e-6, 100e-6, 100e-6, 100e-6, 101e-6])},
    disk_bytes=2 * 10**9,
    convert_seconds=40.0,
)
LMDB = replace(PACKED, way="lmdb/png", title="LMDB + PNG", engine="lmdb", seconds={1: Spread.of([199e-6, 200e-6, 200e-6, 200e-6, 201e-6])})
WAYS = [SOURCE, PACKED, LMDB]


def test_recommendation_reasons_and_price_come_from_the_figures() -> None:
    verdict = decide(WAYS, TRAIN)
    assert words.headline(verdict).startswith("Convert them: packed, as PNG (confidence high")
    said = words.reasons(verdict, TRAIN)
    assert len(said) == 3
    assert said[0].startswith("3× (2.87 to 3.13) as many images per second")
    assert "40 s and 2 GB of disk" in said[1] and "after 2.0 epochs" in said[1]
    assert said[2] == "next best: LMDB + PNG, 2× the time per image, opening counted"


def test_leaving_says_so_and_has_no_command() -> None:
    verdict = decide([PACKED, replace(SOURCE, seconds=PACKED.seconds)], TRAIN)
    assert words.headline(verdict).startswith("Leave them as they are (confidence ")
    assert words.command(verdict, "photos", "out") is None
    assert words.loader(verdict, TRAIN, "photos", "out") == "pixstore.open('photos').loader(256, shuffle=True, threads=1)"


@pytest.mark.parametrize("source", ["photos", "my photos; rm -rf x", "-x", "it's $HOME"])
def test_the_command_is_one_that_a_shell_reads_as_meant(source: str) -> None:
    command = words.command(decide(WAYS, TRAIN), source, "out dir")
    assert command is not None
    named = "./-x" if source == "-x" else source
    assert shlex.split(command) == ["pixstore", "convert", named, "out dir", "--engine", "packed", "--codec", "png"]


def test_fields_that_lie_apart_and_what_is_stated_of_them_are_in_the_command() -> None:
    both, stated = {"image": "photos", "mask": "my masks"}, Stated(channel_order="bgr", unmatched="skip", label_from=None)
    command = words.command(decide(WAYS, TRAIN), both, "out", stated)
    assert command is not None
    named = ["--field", "image=photos", "--field", "mask=my masks", "--channel-order=bgr", "--unmatched=skip"]
    assert shlex.split(command) == ["pixstore", "convert", *named, "out", "--engine", "packed", "--codec", "png"]
    left = decide([PACKED, replace(SOURCE, seconds=PACKED.seconds)], TRAIN)
    assert f"pixstore.open({both!r}, channel_order='bgr', unmatched='skip')." in str(words.loader(left, TRAIN, both, "out", stated))


def test_the_command_has_level_order_and_shard_size_where_they_matter() -> None:
    slow = replace(TRAIN, medium="network", source_medium="network", is_medium_measured=False, edit="often")
    verdict = decide([SOURCE, replace(PACKED, level=9)], slow)
    command = words.command(verdict, "photos", "out")
    assert command == "pixstore convert photos out --engine packed --codec png --level 9 --order shuffle:0 --shard-size 256MiB"
    assert 'shuffle="window"' in str(words.loader(verdict, slow, "photos", "out"))


def test_every_candidate_has_its_row() -> None:
    table = words.candidates(WAYS, TRAIN)
    assert table.rows[0] == ("as it lies", "source", "3,330", "3,230 – 3,450", "1 GB", "–", "–")
    assert table.rows[1] == ("packed + PNG", "packed/png", "10,000", "9,900 – 10,100", "2 GB", "40 s", "3×")
    browsing = words.candidates([SOURCE, replace(PACKED, seconds={1: Spread.of([1e-4])})], replace(TRAIN, use="browse"))
    assert browsing.rows[1][2:4] == ("100 µs", "measured once")


def test_what_was_not_measured_has_a_dash() -> None:
    assert words.candidates([SOURCE, replace(PACKED, seconds={}, disk_bytes=None, convert_seconds=None)], TRAIN).rows[1][2:] == ("–",) * 5


def test_a_demand_that_nothing_meets_comes_first() -> None:
    situation = replace(TRAIN, demand=50_000)
    said = words.reasons(decide(WAYS, situation), situation)
    assert said[0] == "50,000 images per second are not reached with these CPUs: as they lie 3,230, the fastest way 9,900"


def test_ways_left_out_by_a_rule_are_named() -> None:
    situation = replace(TRAIN, free_bytes=10**9)
    assert any("1 GB are free" in each for each in words.reasons(decide(WAYS, situation), situation))


def test_leaving_few_images_does_not_speak_of_a_next_best_that_is_better() -> None:
    tiny = replace(TRAIN, images=20, sampled=20)
    verdict = decide(WAYS, tiny)
    said = words.reasons(verdict, tiny)
    assert verdict.reasons[0].rule == "tiny"
    assert said[1] == "packed + PNG is 3× as fast, but with so little to read it does not matter"
    assert not any("next best" in each for each in said)


def test_a_gain_too_small_is_not_contradicted_by_the_next_best() -> None:
    little = replace(SOURCE, seconds={1: Spread.of([107e-6, 108e-6, 108e-6, 108e-6, 109e-6])})
    verdict = decide([little, PACKED], TRAIN)
    assert verdict.reasons[0].rule == "little-gain" and len(words.reasons(verdict, TRAIN)) == 1


def test_a_source_that_meets_the_demand_is_not_contradicted_by_a_faster_way() -> None:
    situation = replace(TRAIN, demand=3_000)
    said = words.reasons(decide(WAYS, situation), situation)
    assert said[1] == "packed + PNG is 3× as fast, more than is wanted"


def test_ways_within_the_noise_are_about_the_same() -> None:
    near = replace(LMDB, seconds={1: Spread.of([98e-6, 100e-6, 107e-6, 110e-6, 112e-6])})
    assert "next best: LMDB + PNG, about the same time per image, opening counted" in words.reasons(
        decide([SOURCE, PACKED, near], TRAIN), TRAIN
    )


@pytest.mark.parametrize(
    ("demand", "said"), [(None, "unless a --demand needs it"), (3_000, "does not need it"), (10**9, "is not reached even so")]
)
def test_the_remark_on_decoded_pixels_fits_the_demand(demand: float | None, said: str) -> None:
    decoded = replace(PACKED, way="packed/raw", codec="raw", is_decoded=True, seconds={1: Spread.of([1e-5] * 5)})
    situation = replace(TRAIN, demand=demand)
    remarks = decide([SOURCE, PACKED, decoded], situation).remarks
    assert len(remarks) == 1 and remarks[0].words.endswith(said)


def test_a_demand_on_a_source_that_was_not_measured_is_not_called_unreached() -> None:
    situation = replace(TRAIN, demand=50_000)
    verdict = decide([replace(SOURCE, seconds={}), PACKED], situation)
    said = words.reasons(verdict, situation)
    assert said[0] == "whether 50,000 images per second are reached as they lie could not be measured"
    assert words.headline(verdict).startswith("Leave them as they are (confidence low: as it lies could not be measured in the time")


@pytest.mark.parametrize("use", ["train", "browse", "archive"])
def test_times_and_sizes_of_nothing_are_said_without_dividing_by_them(use: Use) -> None:
    ways = [replace(each, seconds={1: Spread.of([0.0] * 5)}, disk_bytes=0, edit_seconds=Spread.of([0.0])) for each in WAYS]
    for demand in (None, 100.0) if use == "train" else (None,):
        situation = replace(TRAIN, use=use, edit="often", demand=demand)
        verdict = decide(ways, situation)
        assert words.reasons(verdict, situation) and len(words.candidates(ways, situation).rows) == 3
