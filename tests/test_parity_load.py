"""One suite of `load` for both cores: exact=True gives the reference's pixels within the tolerance of each step, and the same failures."""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pixstore import reference
from pixstore.headers import JPEG, OTHER, PNG, RAW, RAW_BGR, RAW_PLANAR, RAW_PLANAR_BGR

NATIVE_IS_TESTED = os.environ.get("PIXSTORE_CORE") == "native" or importlib.util.find_spec("pixstore_native") is not None
pytestmark = pytest.mark.skipif(not NATIVE_IS_TESTED, reason="pixstore_native is not installed")

FILTERS = ("nearest", "bilinear", "bicubic", "lanczos")
ONE, NOTHING = np.ones(1, np.float32), np.zeros(1, np.float32)


@pytest.fixture(scope="module")
def native() -> Any:
    return importlib.import_module("pixstore_native")


def noise(shape: tuple[int, ...], dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def smooth(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Return an image in which neighbours are alike, as in photos, with an edge from black to white."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    waves = [127 + 90 * np.sin(x / random.uniform(3, 15) + y / random.uniform(3, 15)) for _ in range(shape[2])]
    pixels = np.stack(waves, axis=2).astype(np.uint8)
    pixels[:, : shape[1] // 5] = random.choice([0, 255])
    return pixels


def load_one(
    core: Any, data: Any, codec: int, shape: tuple[int, ...], depth: int, steps: list[Any], out: np.ndarray, **options: Any
) -> Any:
    arguments = np.array([codec], np.uint8), np.array([shape], np.int32), np.array([depth], np.uint8)
    return core.load([data], *arguments, steps, out.reshape(-1).view(np.uint8), **{"exact": True, **options})


def both(native: Any, pixels: np.ndarray, steps: list[Any], shape: tuple[int, ...], dtype: Any = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    """Return what native core and reference make of raw pixels."""
    found = [np.full(shape, 7, dtype) for _ in range(2)]
    for core, out in zip((native, reference), found, strict=True):
        stored = np.ascontiguousarray(pixels).reshape(-1).view(np.uint8)
        assert load_one(core, stored, RAW, pixels.shape, pixels.itemsize, steps, out) == []
    return found[0], found[1]


def assert_near(found: np.ndarray, expected: np.ndarray, most: float, mean: float | None = None) -> None:
    difference = abs(found.astype(np.float64) - expected.astype(np.float64))
    assert difference.size == 0 or difference.max() <= most
    assert mean is None or difference.mean() <= mean


# ---- each step ----

EXTENTS = st.tuples(st.integers(1, 40), st.integers(1, 40))
DEPTHS = st.sampled_from(["uint8", "uint16"])
SEEDS = st.integers(0, 2**31)


@settings(max_examples=60)
@given(size=EXTENTS, channels=st.integers(1, 4), dtype=DEPTHS, target=st.sampled_from(["gray", "rgb", "rgba"]), seed=SEEDS)
def test_color_is_exact(native: Any, size: tuple[int, int], channels: int, dtype: str, target: str, seed: int) -> None:
    pixels = noise((*size, channels), dtype, seed)
    shape = (*size, {"gray": 1, "rgb": 3, "rgba": 4}[target])
    found, expected = both(native, pixels, [("color", target)], shape, dtype)
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=60)
@given(
    size=EXTENTS, channels=st.integers(1, 4), dtype=DEPTHS, origin=st.tuples(st.integers(-50, 50), st.integers(-50, 50)),
    target=EXTENTS, code=st.integers(1, 8), seed=SEEDS,
)  # fmt: skip
def test_crop_and_orient_are_exact(
    native: Any, size: tuple[int, int], channels: int, dtype: str, origin: tuple[int, int], target: tuple[int, int], code: int, seed: int
) -> None:
    steps = [("crop", np.array([origin], np.int32), np.array([target], np.int32)), ("orient", np.array([code], np.uint8))]
    upright = target[::-1] if code >= 5 else target
    found, expected = both(native, noise((*size, channels), dtype, seed), steps, (*upright, channels), dtype)
    np.testing.assert_array_equal(found, expected)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[float, float, float, float], tuple[int, int]]:
    """Draw the size of an image, a box within it, and the size to which it is scaled."""
    height, width = draw(EXTENTS)
    lengths = [draw(st.floats(0.5, extent)) if draw(st.booleans()) else float(extent) for extent in (height, width)]
    starts = [draw(st.floats(0, extent - length)) for extent, length in zip((height, width), lengths, strict=True)]
    return (height, width), (starts[0], starts[1], lengths[0], lengths[1]), draw(EXTENTS)


def resampling(box: tuple[float, ...], target: tuple[int, int], name: str) -> tuple[Any, ...]:
    return ("resample", np.array([box], np.float64), np.array([target], np.int32), name)


@settings(max_examples=150)
@given(form=boxes(), channels=st.sampled_from([1, 3]), dtype=DEPTHS, name=st.sampled_from(FILTERS), seed=SEEDS)
def test_resample_of_opaque_images_is_within_one_level(native: Any, form: Any, channels: int, dtype: str, name: str, seed: int) -> None:
    size, box, target = form
    pixels = smooth((*size, channels), seed).astype(dtype) * (257 if dtype == "uint16" else 1)
    found, expected = both(native, pixels, [resampling(box, target, name)], (*target, channels), dtype)
    assert_near(found, expected, 0 if name == "nearest" else 1)


@settings(max_examples=60)
@given(form=boxes(), channels=st.sampled_from([2, 4]), name=st.sampled_from(FILTERS), seed=SEEDS)
def test_resample_of_alpha_is_within_three_levels_as_it_is_seen(native: Any, form: Any, channels: int, name: str, seed: int) -> None:
    size, box, target = form
    found, expected = both(native, smooth((*size, channels), seed), [resampling(box, target, name)], (*target, channels))
    assert_near(found[:, :, -1], expected[:, :, -1], 0 if name == "nearest" else 1)
    seen = [each[:, :, :-1].astype(np.float64) * each[:, :, -1:] / 255 for each in (found, expected)]
    assert_near(seen[0], seen[1], 0 if name == "nearest" else 3)


@pytest.mark.parametrize("name", FILTERS[1:])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(("size", "target"), [((60, 40), (50, 90)), ((60, 40), (20, 35)), ((40, 60), (90, 50)), ((60, 40), (58, 39))])
def test_resample_overshoots_in_pillows_order(native: Any, size: tuple[int, int], target: tuple[int, int], dtype: str, name: str) -> None:
    # Black and white at random: what the first pass cuts off at 0 and white, the second does not see.
    pixels = noise((*size, 1), "uint8") // 128 * np.array(255 if dtype == "uint8" else 65535, dtype)
    step = resampling((0, 0, *size), target, name)
    found, expected = both(native, pixels, [step], (*target, 1), dtype)
    assert_near(found, expected, 1)


@settings(max_examples=60)
@given(
    size=EXTENTS, channels=st.integers(1, 4), degrees=st.one_of(st.floats(-400, 400), st.sampled_from([0.0, 90.0, 180.0, 270.0, -90.0])),
    name=st.sampled_from(FILTERS[:2]), seed=SEEDS,
)  # fmt: skip
def test_rotate_is_within_one_level(native: Any, size: tuple[int, int], channels: int, degrees: float, name: str, seed: int) -> None:
    pixels = noise((*size, channels), "uint8", seed)
    found, expected = both(native, pixels, [("rotate", np.array([degrees]), name)], pixels.shape)
    assert_near(found, expected, 0 if name == "nearest" else 1)


@settings(max_examples=80)
@given(
    size=EXTENTS, channels=st.sampled_from([1, 3]), order=st.permutations(range(4)), seed=SEEDS,
    factors=st.tuples(*[st.one_of(st.just(1.0), st.floats(0, 3))] * 3, st.one_of(st.just(0.0), st.floats(-0.5, 0.5))),
)  # fmt: skip
def test_jitter_is_within_two_levels_almost_everywhere(
    native: Any, size: tuple[int, int], channels: int, order: list[int], seed: int, factors: tuple[float, ...]
) -> None:
    pixels = smooth((*size, channels), seed)
    step = ("jitter", np.array([factors], np.float32), np.array([order], np.uint8))
    found, expected = both(native, pixels, [step], pixels.shape)
    # Values are cut off, not rounded: the last bit of a float decides between two levels, and later changes multiply that by up to 3.
    assert_near(found, expected, 40)
    assert (abs(found.astype(int) - expected) > 2).mean() <= 0.02


@pytest.mark.parametrize("which", range(4))
def test_each_change_of_jitter_is_within_one_level(native: Any, which: int) -> None:
    factors = np.array([[1, 1, 1, 0]], np.float32)
    every = np.stack(np.meshgrid(*[np.arange(0, 256, 5)] * 3), axis=-1).reshape(208, -1, 3).astype(np.uint8)
    for factor in (0.3, 0.77, 1.4, 2.9) if which < 3 else (-0.5, -0.31, 0.1, 0.45):
        factors[0, which] = factor
        found, expected = both(native, every, [("jitter", factors, np.arange(4, dtype=np.uint8)[None])], every.shape)
        assert_near(found, expected, 1, 0.002)


@settings(max_examples=40)
@given(
    size=EXTENTS,
    channels=st.integers(1, 4),
    wanted=st.sampled_from([1, 3]),
    value=st.integers(0, 512).map(lambda each: each / 2),
    seed=SEEDS,
)
def test_gray_and_threshold_are_exact(native: Any, size: tuple[int, int], channels: int, wanted: int, value: float, seed: int) -> None:
    steps = [("gray", wanted), ("threshold", value)]
    for chosen in (steps, steps[:1], steps[1:]):
        shape = (*size, wanted if chosen[0][0] == "gray" else channels)
        found, expected = both(native, noise((*size, channels), "uint8", seed), chosen, shape)
        np.testing.assert_array_equal(found, expected)


@settings(max_examples=80)
@given(
    size=EXTENTS, channels=st.integers(1, 4), dtype=DEPTHS, layout=st.sampled_from(["hwc", "chw"]), seed=SEEDS, each_channel=st.booleans(),
    wanted=st.sampled_from(["uint8", "uint16", "float16", "float32", "bfloat16"]),
)  # fmt: skip
def test_tensors_are_equal_to_the_last_bit(
    native: Any, size: tuple[int, int], channels: int, dtype: str, layout: str, seed: int, each_channel: bool, wanted: str
) -> None:
    if (dtype, wanted) == ("uint16", "uint8"):
        return
    random = np.random.default_rng(seed)
    scale, offset = (random.uniform(-2, 2, channels if each_channel else 1).astype(np.float32) / 255 for _ in range(2))
    if wanted.startswith("uint"):
        scale, offset = ONE, NOTHING
    shape = (channels, *size) if layout == "chw" else (*size, channels)
    held = {"bfloat16": "uint16"}.get(wanted, wanted)
    found, expected = both(native, noise((*size, channels), dtype, seed), [("tensor", layout, wanted, scale, offset)], shape, held)
    np.testing.assert_array_equal(found, expected)


def test_many_steps_one_after_the_other(native: Any) -> None:
    pixels = smooth((90, 120, 4))
    pixels[:, :, 3] |= 128
    varied = np.array([[1.2, 0.9, 1.1, 0.02]], np.float32), np.array([[2, 0, 3, 1]], np.uint8)
    steps = [
        ("color", "rgb"), ("crop", np.array([[-4, 10]], np.int32), np.array([[90, 100]], np.int32)),
        resampling((1.5, 2.5, 80, 90), (64, 48), "bilinear"), ("orient", np.array([6], np.uint8)),
        ("rotate", np.array([12.0]), "bilinear"), ("jitter", *varied),
        ("gray", 3), ("tensor", "chw", "float32", ONE / 255, NOTHING),
    ]  # fmt: skip
    found, expected = both(native, pixels, steps, (3, 48, 64), np.float32)
    assert_near(found * 255, expected * 255, 8, 0.5)


# ---- many records ----


@pytest.mark.parametrize("threads", [1, 3])
def test_each_record_has_its_rows_of_every_argument(native: Any, threads: int) -> None:
    images = [smooth((20 + number, 30, 3), number) for number in range(7)]
    records = [saved(image, "PNG") if number % 2 else image.tobytes() for number, image in enumerate(images)]
    codecs, depths = np.array([PNG if number % 2 else RAW for number in range(7)], np.uint8), np.ones(1, np.uint8)
    shapes = np.array([image.shape for image in images], np.int32)
    random = np.random.default_rng(0)
    steps = [
        ("crop", random.integers(-5, 10, (7, 2)).astype(np.int32), np.array([[18, 16]], np.int32)),
        (
            "resample",
            np.array([(number, 1.5, 10, 12) for number in range(7)], np.float64),
            random.integers(8, 9, (7, 2)).astype(np.int32),
            "bicubic",
        ),
        ("orient", np.arange(1, 8, dtype=np.uint8)),
        ("rotate", np.arange(7) * 11.0, "nearest"),
        ("jitter", random.uniform(0, 0.5, (7, 4)).astype(np.float32), np.array([random.permutation(4) for _ in range(7)], np.uint8)),
    ]
    outs = [np.empty((7, 8, 8, 3), np.uint8) for _ in range(2)]
    for core, out in zip((native, reference), outs, strict=True):
        assert core.load(records, codecs, shapes, depths, steps, out, exact=True, threads=threads) == []
    assert_near(outs[0], outs[1], 3)


@pytest.mark.parametrize("number", [RAW_PLANAR, RAW_BGR, RAW_PLANAR_BGR])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_arrays_in_the_orders_of_sources_go_through_steps(native: Any, number: int, dtype: str) -> None:
    pixels = smooth((9, 12, 3)).astype(dtype)
    swapped = pixels if number == RAW_PLANAR else pixels[..., ::-1]
    stored = np.ascontiguousarray(swapped if number == RAW_BGR else np.moveaxis(swapped, 2, 0)).tobytes()
    for core in (native, reference):
        out = np.empty((12, 9, 3), dtype)
        assert load_one(core, stored, number, pixels.shape, pixels.itemsize, [("orient", np.array([5], np.uint8))], out) == []
        np.testing.assert_array_equal(out, pixels.swapaxes(0, 1))


def test_without_steps_pixels_come_as_they_are_stored(native: Any) -> None:
    pixels = noise((5, 6, 3), "uint16")
    for core in (native, reference):
        out = np.empty_like(pixels)
        assert load_one(core, pixels.tobytes(), RAW, pixels.shape, 2, [], out) == []
        np.testing.assert_array_equal(out, pixels)


# ---- failures ----


def saved(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, kind, **options)
    return target.getvalue()


PIXELS = smooth((24, 32, 3))
GOOD_PNG, GOOD_JPEG = saved(PIXELS, "PNG"), saved(PIXELS, "JPEG")
HALF = [("resample", np.array([[0, 0, 24, 32.0]]), np.array([[12, 16]], np.int32), "bilinear")]
FAILURES: dict[str, tuple[bytes, int, tuple[int, ...], int, list[Any], str]] = {
    "cut png": (GOOD_PNG[:-20], PNG, (24, 32, 3), 1, HALF, "corrupt"),
    "cut jpeg": (GOOD_JPEG[: len(GOOD_JPEG) // 2], JPEG, (24, 32, 3), 1, HALF, "corrupt"),
    "empty": (b"", JPEG, (24, 32, 3), 1, HALF, "corrupt"),
    "another codec": (GOOD_JPEG, PNG, (24, 32, 3), 1, HALF, "corrupt"),
    "no codec": (GOOD_JPEG, OTHER, (24, 32, 3), 1, HALF, "unsupported"),
    "another shape": (GOOD_PNG, PNG, (32, 24, 3), 1, HALF, "mismatch"),
    "another depth": (GOOD_PNG, PNG, (24, 32, 3), 2, HALF, "mismatch"),
    "short raw": (bytes(100), RAW, (24, 32, 3), 1, HALF, "mismatch"),
    "slot too large": (GOOD_PNG, PNG, (24, 32, 3), 1, [("gray", 3)], "mismatch"),
    "five channels": (bytes(60), RAW, (3, 4, 5), 1, [("orient", np.ones(1, np.uint8))], "unsupported"),
    "box outside": (
        GOOD_PNG,
        PNG,
        (24, 32, 3),
        1,
        [("resample", np.array([[0, 1, 24, 32.0]]), np.array([[12, 16]], np.int32), "lanczos")],
        "mismatch",
    ),
    "jitter of alpha": (
        bytes(16),
        RAW,
        (2, 2, 4),
        1,
        [("jitter", ONE.repeat(4)[None] / 2, np.arange(4, dtype=np.uint8)[None])],
        "unsupported",
    ),
    "rotate of 16 bits": (bytes(8), RAW, (2, 2, 1), 2, [("rotate", np.ones(1), "nearest")], "unsupported"),
    "gray of 16 bits": (bytes(24), RAW, (2, 2, 3), 2, [("gray", 1)], "unsupported"),
    "threshold of 16 bits": (bytes(8), RAW, (2, 2, 1), 2, [("threshold", 3.0)], "unsupported"),
    "16 bits into 8": (bytes(8), RAW, (2, 2, 1), 2, [("tensor", "hwc", "uint8", ONE, NOTHING)], "unsupported"),
    "scales for other channels": (GOOD_PNG, PNG, (24, 32, 3), 1, [("tensor", "hwc", "float32", ONE.repeat(2), NOTHING)], "mismatch"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_are_of_the_same_kind_and_zero_the_slot(native: Any, name: str) -> None:
    data, codec, shape, depth, steps, kind = FAILURES[name]
    for core in (native, reference):
        out = np.full((12, 16, 3), 7, np.uint8)
        failures = load_one(core, data, codec, shape, depth, steps, out)
        assert [each[:2] for each in failures] == [(0, kind)], (core.__name__, failures)
        assert not out.any()


def test_limits_count_stored_and_wanted_pixels(native: Any) -> None:
    for core in (native, reference):
        out = np.full((12, 16, 3), 7, np.uint8)
        assert load_one(core, GOOD_PNG, PNG, (24, 32, 3), 1, HALF, out, max_pixels=767)[0][1] == "limit"
        assert load_one(core, GOOD_PNG, PNG, (24, 32, 3), 1, HALF, out, max_bytes=100)[0][1] == "limit"
        large = [("crop", np.zeros((1, 2), np.int32), np.array([[1, 800]], np.int32))]
        assert load_one(core, GOOD_PNG, PNG, (24, 32, 3), 1, large, np.empty((1, 800, 3), np.uint8), max_pixels=790)[0][1] == "limit"


def test_checksums_are_compared_before_steps(native: Any) -> None:
    sums = np.array([reference.hash_bytes(GOOD_PNG, 5), 0], np.uint64)
    for core in (native, reference):
        out = np.full((2, 12, 16, 3), 7, np.uint8)
        arguments = np.array([PNG], np.uint8), np.array([[24, 32, 3]], np.int32), np.ones(1, np.uint8)
        failures = core.load([GOOD_PNG] * 2, *arguments, HALF, out, checksums=sums, seeds=np.array([5, 5], np.uint64))
        assert [each[:2] for each in failures] == [(1, "checksum")]
        assert out[0].any() and not out[1].any()


WRONG: dict[str, list[Any]] = {
    "unknown step": [("blur", 1)],
    "color not first": [("gray", 1), ("color", "rgb")],
    "tensor not last": [("tensor", "hwc", "uint8", ONE, NOTHING), ("gray", 1)],
    "missing argument": [("gray",)],
    "dtype": [("orient", np.ones(1, np.int64))],
    "rows": [("orient", np.ones(2, np.uint8))],
    "columns": [("crop", np.zeros((1, 3), np.int32), np.ones((1, 2), np.int32))],
    "orientation": [("orient", np.array([9], np.uint8))],
    "size": [("crop", np.zeros((1, 2), np.int32), np.zeros((1, 2), np.int32))],
    "box": [("resample", np.array([[0, 0, np.nan, 1]]), np.ones((1, 2), np.int32), "nearest")],
    "filter": [("rotate", np.zeros(1), "lanczos")],
    "degrees": [("rotate", np.array([np.nan]), "nearest")],
    "order": [("jitter", np.full((1, 4), 0.5, np.float32), np.zeros((1, 4), np.uint8))],
    "hue": [("jitter", np.full((1, 4), 0.6, np.float32), np.arange(4, dtype=np.uint8)[None])],
    "scaled integers": [("tensor", "hwc", "uint8", ONE * 2, NOTHING)],
    "no scale": [("tensor", "hwc", "float32", ONE[:0], NOTHING)],
}


@pytest.mark.parametrize("name", WRONG)
def test_steps_that_cannot_be_are_refused_as_a_whole(native: Any, name: str) -> None:
    for core in (native, reference):
        with pytest.raises((ValueError, TypeError)):
            load_one(core, GOOD_PNG, PNG, (24, 32, 3), 1, WRONG[name], np.empty((24, 32, 3), np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "progressive"])
def test_damaged_files_come_out_alike(native: Any, kind: str) -> None:
    data = saved(PIXELS, "JPEG", progressive=True) if kind == "progressive" else saved(PIXELS, kind)
    random = np.random.default_rng(3)
    failed = 0
    for _ in range(80):
        damaged = bytearray(data)
        damaged[random.integers(len(damaged))] = random.integers(256)
        outs = [np.full((12, 16, 3), 7, np.uint8) for _ in range(2)]
        codec = PNG if kind == "PNG" else JPEG
        found = [
            load_one(core, bytes(damaged), codec, (24, 32, 3), 1, HALF, out) for core, out in zip((native, reference), outs, strict=True)
        ]
        kinds = [[each[:2] for each in failures] for failures in found]
        assert kinds[0] == kinds[1], bytes(damaged).hex()
        assert_near(outs[0], outs[1], 1)
        failed += bool(found[0])
    assert 5 < failed < 80 or kind == "PNG"


# ---- real files ----


def file_load(core: Any, path: Path, steps: list[Any], shape: tuple[int, ...], dtype: str = "uint8") -> tuple[np.ndarray, list[Any]]:
    zero = np.zeros(1, np.int64)
    place = [str(path)], np.zeros(1, np.uint32), zero, zero - 1
    codecs, shapes, sample_bytes, _, failures = reference.probe(place)
    if failures or codecs[0] == OTHER:
        pytest.skip(f"{path.name} is no image")
    out = np.empty(shape, dtype)
    return out, core.load(place, codecs, shapes, sample_bytes, steps, out.reshape(-1).view(np.uint8), exact=True)


CENTRE = {"box": (0.2, 0.1, 0.6, 0.7), "target": (96, 80)}
REAL = (
    ("human-seg/Training_Images/*.jpg", 40, "bilinear", 1), ("human-seg/*/*.png", 40, "nearest", 0), ("kodak24/*/*.png", 4, "lanczos", 1),
    ("exif-orientation/*.jpg", 6, "bicubic", 1), ("libjpeg-turbo/testimages/test*.jpg", 1, "bilinear", 1),
    ("pngsuite-lunapaint/png/[bst]*.png", 6, "bilinear", 2),
)  # fmt: skip


@pytest.mark.parametrize(("pattern", "every", "name", "most"), REAL)
def test_real_files_are_within_the_tolerance(native: Any, shared_data: Path, pattern: str, every: int, name: str, most: int) -> None:
    paths = sorted(shared_data.glob(pattern))[::every]
    assert paths
    for path in paths:
        zero = np.zeros(1, np.int64)
        _, shapes, sample_bytes, orientations, failures = reference.probe(([str(path)], np.zeros(1, np.uint32), zero, zero - 1))
        assert failures == []
        extents = shapes[0, [0, 1, 0, 1]]
        box = np.array([CENTRE["box"]]) * extents
        steps = [("color", "rgb"), ("resample", box, np.array([CENTRE["target"]], np.int32), name), ("orient", orientations)]
        shape = (80, 96, 3) if orientations[0] >= 5 else (96, 80, 3)
        dtype = "uint16" if sample_bytes[0] == 2 else "uint8"
        (found, failed), (expected, _) = (file_load(core, path, steps, shape, dtype) for core in (native, reference))
        assert failed == [], path
        # A palette or a mask has edges as hard as noise: there two roundings may meet.
        assert_near(found, expected, most)


# ---- not exact ----


@pytest.mark.parametrize("codec", [RAW, PNG])
def test_what_is_stored_without_loss_is_the_same_when_not_exact(native: Any, codec: int) -> None:
    data = PIXELS.tobytes() if codec == RAW else GOOD_PNG
    outs = [np.empty((12, 16, 3), np.uint8) for _ in range(2)]
    for exact, out in zip((True, False), outs, strict=True):
        assert load_one(native, data, codec, (24, 32, 3), 1, HALF, out, exact=exact) == []
    np.testing.assert_array_equal(outs[0], outs[1])


@settings(max_examples=40)
@given(origin=st.tuples(st.integers(-20, 90), st.integers(-20, 120)), target=EXTENTS, progressive=st.booleans(), code=st.integers(1, 8))
def test_a_crop_of_a_jpeg_is_near_the_exact_one_when_not_exact(
    native: Any, origin: tuple[int, int], target: tuple[int, int], progressive: bool, code: int
) -> None:
    pixels = smooth((96, 128, 3))
    data = saved(pixels, "JPEG", quality=90, progressive=progressive)
    steps = [("crop", np.array([origin], np.int32), np.array([target], np.int32)), ("orient", np.array([code], np.uint8))]
    outs = [np.empty((*(target[::-1] if code >= 5 else target), 3), np.uint8) for _ in range(2)]
    assert load_one(native, data, JPEG, pixels.shape, 1, steps, outs[0], exact=False) == []
    assert load_one(reference, data, JPEG, pixels.shape, 1, steps, outs[1]) == []
    # A faster transform may round otherwise; a region in the wrong place would be far off.
    assert abs(outs[0].astype(int) - outs[1]).mean() <= 3
