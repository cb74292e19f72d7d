"""Recipes: what is checked once, what comes back for each batch, and on what the draws depend."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixstore.errors import InvalidInputError
from pixstore.loader.draws import Draws
from pixstore.loader.recipe import FieldResult, Recipe
from pixstore.loader.stored import FormatTable, Stored
from pixstore.loader.transforms import (
    CenterCrop,
    ChannelsFirst,
    ColorJitter,
    HorizontalFlip,
    Normalize,
    RandomCrop,
    RandomResizedCrop,
    RandomRotation,
    Resize,
    Threshold,
    ToFloat,
    ToGray,
    VerticalFlip,
)
from pixstore.reference.geometry import orient
from pixstore.schema import Field, Format

Run = Callable[..., dict[str, list[NDArray[Any]]]]
CIFAR = Field("image", "raw", (32, 32, 3), "uint8")
CIFAR_FORMAT = FormatTable([Format("raw", (32, 32, 3), "uint8")])
RANDOM = [RandomResizedCrop(9), HorizontalFlip(), VerticalFlip(), RandomRotation(30), ColorJitter(0.4, 0.4, 0.4, 0.1), RandomCrop(8)]


def alike(count: int) -> dict[str, Stored]:
    return {"image": CIFAR_FORMAT.stored(np.zeros(count, np.int32))}


def flat(result: FieldResult, row: int) -> list[Any]:
    """Return the steps of one row with lists for arrays."""
    values = [
        [each[row if len(each) > 1 else 0].tolist() if isinstance(each, np.ndarray) else each for each in step] for step in result.steps
    ]
    return [*values, result.shape_of(row), result.dtype_of(row)]


# ---- draws ----


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=12), st.integers(0, 2**32), st.integers(0, 100))
def test_draws_depend_on_seed_epoch_and_row_alone(rows: list[int], seed: int, epoch: int) -> None:
    recipe = Recipe(RANDOM, [CIFAR])
    whole = recipe.programs(alike(len(rows)), Draws(seed, epoch, np.array(rows)), str)["image"]
    for place, row in enumerate(rows):
        (alone,) = recipe.programs(alike(1), Draws(seed, epoch, np.array([row])), str).values()
        if len(alone.steps) == len(whole.steps):
            assert flat(whole, place) == flat(alone, 0)


def test_other_seeds_and_epochs_draw_otherwise() -> None:
    recipe = Recipe(RANDOM, [CIFAR])
    rows = np.arange(8)
    boxes = [recipe.programs(alike(8), Draws(*draws, rows), str)["image"].steps[0][1].tolist() for draws in ((0, 0), (1, 0), (0, 1))]
    assert boxes[0] != boxes[1] != boxes[2] != boxes[0]


def test_what_is_not_random_moves_no_draws() -> None:
    draws = Draws(0, 0, np.arange(64))
    plain, more = ([RandomCrop(8), HorizontalFlip()], [Resize(32), RandomCrop(8), ToGray(), HorizontalFlip(), ToFloat()])
    first, second = (Recipe(each, [CIFAR]).programs(alike(64), draws, str)["image"].steps for each in (plain, more))
    assert [step[1].tolist() for step in first if step[0] in ("crop", "orient")] == [
        step[1].tolist() for step in second if step[0] in ("crop", "orient")
    ]


def test_two_of_a_kind_draw_apart() -> None:
    draws = Draws(0, 0, np.arange(500))
    listed = [HorizontalFlip(), HorizontalFlip()]
    (step,) = Recipe(listed, [CIFAR]).programs(alike(500), draws, str)["image"].steps
    assert 200 < (step[1] == 2).sum() < 300


# ---- what is touched ----


def test_image_and_mask_are_cut_from_the_same_place(run: Run) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    listed = [RandomCrop(24, padding=3), HorizontalFlip(), VerticalFlip(), CenterCrop(20)]
    recipe = Recipe(listed, [Field("image"), Field("mask")])
    for seed in range(10):
        done = run(recipe, {"image": [image] * 4, "mask": [image[:, :, 0]] * 4}, seed=seed)
        for one, mask in zip(done["image"], done["mask"], strict=True):
            assert mask.shape == (20, 20)
            np.testing.assert_array_equal(one[:, :, 0], mask)


def test_a_mask_of_half_the_size_shows_the_same_place(run: Run) -> None:
    rows, columns = np.mgrid[0:80, 0:120]
    image = np.stack([rows, columns, rows], 2).astype(np.uint8)
    mask = np.stack([rows, columns], 2)[::2, ::2].astype(np.uint8)
    for first in (RandomCrop(32), RandomResizedCrop(32, scale=(0.2, 0.9)), CenterCrop(50), Resize(50)):
        done = run(
            Recipe([first, HorizontalFlip(), VerticalFlip()], [Field("image"), Field("mask")]), {"image": [image] * 6, "mask": [mask] * 6}
        )
        for one, other in zip(done["image"], done["mask"], strict=True):
            assert one.shape[:2] == other.shape[:2]
            # Half the resolution: a pixel of the mask covers two of the image, and a box is rounded to one.
            assert abs(one[:, :, :2].astype(int) - other).max() <= 4


def test_orientation_is_applied_to_each_field(run: Run) -> None:
    upright = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
    images = [np.ascontiguousarray(orient(upright, np.uint8(code))) for code in (1, 6, 3, 8)]
    back = np.array([1, 8, 3, 6], np.uint8)
    recipe = Recipe([CenterCrop(4)], [Field("image"), Field("mask")])
    done = run(recipe, {"image": images, "mask": [upright[:, :, 0]] * 4}, orientation={"image": back})
    for one, mask in zip(done["image"], done["mask"], strict=True):
        np.testing.assert_array_equal(one[:, :, 0], mask)


@pytest.mark.parametrize(
    "name", ["mask", "masks", "Mask_left", "imagemask", "seg", "SEG", "seg.left", "left-segmentation", "msk", "trimap"]
)
def test_fields_with_the_names_that_people_give_masks_are_masks(name: str) -> None:
    assert Recipe([], [Field("image"), Field(name)]).masks == (name,)


@pytest.mark.parametrize("name", ["image", "segovia", "depth", "target", "gt", "photo_2"])
def test_other_fields_are_images(name: str) -> None:
    assert Recipe([], [Field(name)]).masks == ()


def test_masks_are_found_by_name_or_told() -> None:
    fields = [Field("image"), Field("Mask_left"), Field("depth")]
    assert Recipe([], fields).masks == ("Mask_left",)
    assert Recipe([], fields, masks=["depth"]).masks == ("depth",)
    assert Recipe([], fields, masks=()).masks == ()
    for wrong in (["label"], "depth"):
        with pytest.raises(InvalidInputError, match=r"masks=.*fields here: image, Mask_left, depth"):
            Recipe([], fields, masks=wrong)


def test_a_wrong_color_or_orientation_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"color='bgr'.*gray, rgb, rgba, keep"):
        Recipe([], [CIFAR], color="bgr")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="orientation='exif'"):
        Recipe([], [CIFAR], orientation="exif")  # type: ignore[arg-type]


# ---- what is known beforehand ----


def test_properties_of_a_recipe() -> None:
    fields = [Field("image"), Field("mask"), Field("other")]
    listed = [RandomCrop(4), ChannelsFirst(fields=("image",)), len]
    recipe = Recipe(listed, fields, orientation="ignore")
    assert (recipe.is_random, recipe.needs_sizes, recipe.orients, recipe.callables) == (True, True, False, (len,))
    assert recipe.channels_first == {"image"}
    assert [recipe.flattens(name) for name in ("image", "mask")] == [True, False]
    plain = Recipe([Threshold(3), ToFloat()], fields, color="rgba")
    assert (plain.is_random, plain.needs_sizes, plain.orients, plain.flattens("image")) == (False, False, True, False)


def test_static_shapes_are_the_shapes_that_come_out() -> None:
    recipe = Recipe([RandomCrop(28), Normalize(0.5, 0.5), ChannelsFirst()], [CIFAR])
    result = recipe.programs(alike(3), Draws(0, 0, np.arange(3)), str)["image"]
    assert recipe.static_shapes() == {"image": (result.shape, result.dtype)} == {"image": ((3, 28, 28), np.float32)}
    assert Recipe([Resize(8)], [Field("image")]).static_shapes() == {"image": ((None, None, 3), None)}
    flags = Field("flags", "raw", (4, 5), "bool")
    assert Recipe([], [flags]).static_shapes() == {"flags": ((4, 5), np.bool_)}
    assert Recipe([VerticalFlip(p=1)], [flags]).static_shapes() == {"flags": ((4, 5), np.uint8)}


def test_what_cannot_work_for_any_image_is_refused_at_once() -> None:
    with pytest.raises(InvalidInputError, match="'every image' is 32 x 32 pixels: too small for a crop of 64 x 64"):
        Recipe([RandomCrop(64)], [CIFAR])
    with pytest.raises(InvalidInputError, match="Normalize has mean for 2 channels"):
        Recipe([Normalize((0.5, 0.5), 1)], [CIFAR])
    with pytest.raises(InvalidInputError, match="HorizontalFlip cannot take field 'depth'"):
        Recipe([HorizontalFlip()], [CIFAR, Field("depth", "raw", (32, 32), "float32")])
    with pytest.raises(InvalidInputError, match="comes twice"):
        Recipe([ToFloat(), ToFloat()], [CIFAR])


def test_reading_as_stored_makes_no_steps_and_takes_any_array() -> None:
    fields = [CIFAR, Field("depth", "raw", (3, 4, 5, 6), "float64")]
    stored = {**alike(7), "depth": FormatTable([Format("raw", (3, 4, 5, 6), "float64")]).stored(np.zeros(7, np.int32))}
    found = Recipe([], fields).programs(stored, None, str)
    assert found["image"] == FieldResult((), ((32, 32, 3),), (np.dtype("uint8"),))
    assert found["depth"] == FieldResult((), ((3, 4, 5, 6),), (np.dtype("float64"),))


def test_steps_that_do_not_depend_on_the_row_are_made_once() -> None:
    recipe = Recipe([Resize(16), ToFloat()], [CIFAR])
    first = recipe.programs(alike(5), None, str)
    assert recipe.programs(alike(9), None, str)["image"] is first["image"]
    other = FormatTable([Format("raw", (48, 40, 3), "uint8")]).stored(np.zeros(2, np.int32))
    assert recipe.programs({"image": other}, None, str)["image"].shape == (19, 16, 3)
    assert recipe.programs(alike(5), None, str)["image"].shape == (16, 16, 3)


def test_a_batch_without_rows() -> None:
    table = FormatTable([Format("jpeg", (40, 50, 3), "uint8"), Format("jpeg", (60, 50, 3), "uint8")])
    empty = {"image": table.stored(np.empty(0, np.int32))}
    listed: Sequence[Any] = [Resize(39), CenterCrop(30), *RANDOM, Normalize(0.5, 0.5)]
    result = Recipe(listed, [Field("image")]).programs(empty, Draws(0, 0, np.empty(0, np.int64)), str)["image"]
    assert (result.shape, result.dtype) == ((8, 8, 3), np.float32)


def test_a_recipe_pickles() -> None:
    recipe = Recipe([RandomCrop(28), ToFloat()], [CIFAR])
    again = pickle.loads(pickle.dumps(recipe))
    draws = Draws(0, 0, np.arange(4))
    assert flat(again.programs(alike(4), draws, str)["image"], 2) == flat(recipe.programs(alike(4), draws, str)["image"], 2)
