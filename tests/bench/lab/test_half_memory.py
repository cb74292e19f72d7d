from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from pixstore.bench.cgroup import unavailable
from pixstore.bench.images import Sample, built_in
from pixstore.bench.lab.caching import CacheStateError
from pixstore.bench.lab.half_memory import LEAST_DATA_BYTES, MOST_RESIDENT, QUESTION, HalfMemory
from pixstore.bench.lab.lab import Lab
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.errors import InvalidInputError

RUN = Measurements({}, {}, {"ways": {"a": {"title": "A"}, "b": {"title": "B"}}})
needs_groups = pytest.mark.skipif(unavailable() is not None, reason=f"memory cannot be limited here: {unavailable()}")


@needs_groups
def test_each_mode_is_read_within_the_limit_and_says_how_random_it_is(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(built_in(400), ["packed/raw"])
    trials = HalfMemory(data_bytes=LEAST_DATA_BYTES + 3072).trials(lab)
    assert [(trial.setting["order"], trial.setting["io"]) for trial in trials] == [
        ("in order", "as it opens"),
        ("shuffled", "as it opens"),
        ("shuffled", "map"),
        ("window-shuffled", "as it opens"),
        ("pseudo-epochs", "as it opens"),
    ]
    try:
        in_order, pseudo = trials[0].measure(), trials[-1].measure()
    except CacheStateError as error:
        pytest.skip(str(error))
    for seen in (in_order, pseudo):
        assert seen.proof["limit_bytes"] - seen.proof["need_bytes"] <= 0.55 * seen.proof["data_bytes"]
        assert seen.measures["peak_bytes"] <= seen.proof["limit_bytes"]
    # What does not fit was gone again before the first batch that counts: the cell is about memory for half.
    assert 0.2 < in_order.proof["part_before"] < 0.65
    assert in_order.measures["resident_share"] <= MOST_RESIDENT
    assert pseudo.proof["images_read"] >= 3 * (trials[-1].images // 2)
    assert pseudo.measures["displacement"] == pytest.approx(0.5, abs=0.1)


@needs_groups
def test_too_little_data_is_not_halved(make_lab: Callable[..., Lab]) -> None:
    trials = HalfMemory(data_bytes=1_200_000).trials(make_lab(built_in(400), ["packed/raw"]))
    with pytest.raises(InvalidInputError, match=r"the images take 1.2 MB as they are stored"):
        trials[0].measure()


@needs_groups
def test_photos_are_read_but_half_of_them_decoded_is_no_half_of_their_bytes(make_lab: Callable[..., Lab], photo_sample: Sample) -> None:
    lab = make_lab(photo_sample, ["packed/keep"])
    in_order, *_, pseudo = HalfMemory(encoded_bytes=LEAST_DATA_BYTES + 1_000_000).trials(lab)
    with pytest.raises(InvalidInputError, match=r"half of the images takes .* decoded, more than the"):
        pseudo.measure()
    try:
        assert in_order.measure().seconds > 0
    except CacheStateError as error:
        pytest.skip(str(error))


@pytest.fixture
def photo_sample() -> Sample:
    """Return encoded images of two sizes, smaller than decoded."""
    images = [np.zeros((700 + 4 * (number % 2), 700, 3), np.uint8) for number in range(4)]
    for number, image in enumerate(images):
        image[:350] = np.random.default_rng(number).integers(0, 256, (350, 700, 3), np.uint8)
    return Sample("photos", "folder", 4, images, np.arange(4), [_png(image) for image in images])


def _png(image: np.ndarray) -> bytes:  # type: ignore[type-arg]
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def test_ways_that_only_their_writer_reads_and_files_one_by_one_are_left_out(make_lab: Callable[..., Lab]) -> None:
    trials = QUESTION.trials(make_lab(built_in(40)))
    assert {trial.way for trial in trials} == {"hand-lmdb", "hand-hdf5", "hand-memmap", "lmdb/raw", "hdf5/raw", "packed/raw"}
    assert {trial.images for trial in trials} == {60_000}


def cell(way: str, order: str, rate: float, how: str = "as it opens") -> Observation:
    measures = {"batch_spread": Spread.of([0.5]), "displacement": Spread.of([0.5])}
    return Observation("half-memory", way, 1000, {"order": order, "io": how}, Spread.of([1000 / rate] * 5), measures)


def test_the_answer_names_the_fastest_shuffle_and_what_other_orders_give() -> None:
    answers = [cell("a", "shuffled", 2000), cell("b", "shuffled", 1000), cell("a", "shuffled", 9999, "map"), cell("a", "in order", 8000)]
    answers += [cell("a", "window-shuffled", 4000), cell("a", "pseudo-epochs", 10_000)]
    assert QUESTION.sentences(answers, RUN) == [
        "With memory for half of the data, a full shuffle is fastest with A: 2,000 images per second; in order it is 4× as many; "
        "window-shuffled it is 2× as many.",
        "Pseudo-epochs give A 5× as many images per second as a full shuffle, but the rows of a batch lie 50% as far apart, and a row "
        "moves 50% as far between two epochs.",
    ]


def test_the_answer_says_what_really_lay_in_memory() -> None:
    answers = [cell("a", "shuffled", 2000), cell("b", "shuffled", 1000)]
    for answer, part in zip(answers, (0.41, 0.55), strict=True):
        answer.measures["resident_share"] = Spread.of([part] * 5)
    (said,) = QUESTION.sentences(answers, RUN)
    assert said.startswith("With memory for half of the data (41 % to 55 % of the files lay in it), a full shuffle is fastest with A: ")


def test_a_way_without_another_is_not_called_the_fastest() -> None:
    assert QUESTION.sentences([cell("a", "shuffled", 2000)], RUN) == [
        "With memory for half of the data, a full shuffle was measured with A alone: 2,000 images per second."
    ]


def test_without_permission_every_cell_failed_and_nothing_is_said() -> None:
    failed = Observation("half-memory", "a", 1000, {"order": "shuffled", "io": "as it opens"}, error="GroupUnavailableError: no")
    assert QUESTION.sentences([failed], RUN) == []
