"""Every codec that can keep the images is measured, JPEG's loss is what it is, and the sentences name size, speed and loss."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from tests.bench.lab.conftest import MakeLab

from pixstore.bench import Results, Spread
from pixstore.bench.images import Sample, built_in, from_source
from pixstore.bench.lab.codecs import BYTES, PSNR, QUESTION, READ, STORE, choices, psnr_decibels
from pixstore.bench.measurements import Observation
from pixstore.bench.ways.base import Found, Work


def test_every_planned_cell_can_be_measured(make_lab: MakeLab, any_sample: Sample) -> None:
    for trial in QUESTION.trials(make_lab(any_sample)):
        seen = trial.measure()
        assert seen.seconds > 0
        assert (BYTES in seen.measures) == (trial.setting["action"] == STORE)
        is_lossy = str(trial.setting["codec"]).startswith("JPEG")
        assert (PSNR in seen.measures) == (is_lossy and trial.setting["action"] == READ)


def test_choices_are_what_can_keep_the_images(any_sample: Sample) -> None:
    found = set(choices(any_sample, 2))
    assert {"raw", "PNG 1", "PNG 12"} <= found
    assert ("as it was" in found) == any_sample.is_encoded
    assert ("gzip 4" in found) == isinstance(any_sample.images, np.ndarray)
    assert ("JPEG 90" in found) == (any_sample.images[0].dtype == np.uint8)


def test_levels_of_a_codec_are_one_way_with_stores_of_their_own(make_lab: MakeLab) -> None:
    lab = make_lab(built_in(40), images=40)
    trials = {(trial.setting["codec"], trial.setting["action"]): trial for trial in QUESTION.trials(lab)}
    assert {trials[codec, READ].way for codec in ("PNG 1", "PNG 12")} == {"packed/png"}
    assert {trials[codec, READ].way for codec in ("LZF", "gzip 9")} == {"hand-hdf5-chunked"}
    loss = [trials[codec, READ].measure().measures[PSNR] for codec in ("JPEG 75", "JPEG 90", "JPEG 95")]
    assert loss == sorted(loss)
    assert loss[0] < loss[2]
    size = [trials[codec, STORE].measure().measures[BYTES] for codec in ("JPEG 75", "JPEG 95", "PNG 1", "raw")]
    assert size == sorted(size)


def test_signal_to_noise_is_that_of_a_planted_error() -> None:
    images = np.full((4, 8, 8, 3), 100, np.uint8)
    work = Work(images, np.arange(4))
    assert psnr_decibels(Found(images, work.labels), work) is None
    assert psnr_decibels(Found(images + 5, work.labels), work) == pytest.approx(10 * math.log10(255**2 / 25))
    # One of four images off by ten has the same mean squared error as all off by five.
    some = images.copy()
    some[2] = 110
    assert psnr_decibels(Found(some, work.labels), work) == pytest.approx(10 * math.log10(255**2 / 25))


def cell(codec: str, action: str, seconds: list[float], **measures: float) -> Observation:
    spreads = {name: Spread.of([value] * 5) for name, value in measures.items()}
    return Observation("codec", "packed/any", 100, {"codec": codec, "action": action}, Spread.of(seconds), spreads)


def test_sentences_name_the_smallest_the_fastest_and_the_loss(measured: Results) -> None:
    answers = [
        cell("raw", STORE, [0.1] * 5, **{BYTES: 3000.0}),
        cell("PNG 1", STORE, [0.2] * 5, **{BYTES: 2400.0}),
        cell("PNG 12", STORE, [0.8] * 5, **{BYTES: 2100.0}),
        cell("JPEG 90", STORE, [0.2] * 5, **{BYTES: 1000.0}),
        cell("raw", READ, [0.1, 0.105, 0.11, 0.115, 0.12]),
        cell("no filter", READ, [0.115, 0.12, 0.13, 0.135, 0.14]),
        cell("PNG 1", READ, [0.5] * 5),
        cell("JPEG 90", READ, [0.4] * 5, **{PSNR: 34.56}),
    ]
    assert QUESTION.sentences(answers, measured) == [
        "Smallest without loss: PNG 12, 2.1 kB an image, 70% of raw; PNG of level 12 instead of 1 takes 12.5% less disk and 4× the time to "
        "store.",
        "Raw reads fastest, 909 images per second (not told apart from no filter), PNG of level 1 200; JPEG of quality 90 reads 250 and "
        "takes 1 kB an image, at a loss that leaves 34.6 dB of signal to noise.",
    ]


def test_nothing_measured_is_nothing_said(measured: Results) -> None:
    refused = Observation("codec", "", 0, {}, error="not measured")
    assert QUESTION.sentences([], measured) == QUESTION.sentences([refused], measured) == []
    assert QUESTION.charts([refused]) == QUESTION.charts([])
    assert [chart.name for chart in QUESTION.charts([])] == ["codec-disk", "codec-read", "codec-store"]


def test_encoded_images_are_kept_too(make_lab: MakeLab, photos: Path) -> None:
    sample = from_source(photos, 8)
    trials = {(trial.setting["codec"], trial.setting["action"]): trial for trial in QUESTION.trials(make_lab(sample, images=8))}
    assert trials["as it was", READ].way == "packed/keep"
    assert trials["as it was", READ].measure().seconds > 0
    sample.close()
