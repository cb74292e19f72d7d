"""What is known of results before any image is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pixstore.loader.expected import expected_images, upright_size
from pixstore.loader.transforms import (
    CenterCrop,
    ChannelsFirst,
    HorizontalFlip,
    Normalize,
    RandomCrop,
    Resize,
    Threshold,
    ToFloat,
    ToGray,
)
from pixstore.schema import Field

FOLDER = Field("image")
UINT8, FLOAT32 = np.dtype("uint8"), np.dtype("float32")


@pytest.mark.parametrize(
    ("field", "transforms", "color", "shape", "dtype"),
    [
        (FOLDER, [], "rgb", (None, None, 3), None),
        (FOLDER, [], "gray", (None, None, 1), None),
        (FOLDER, [], "keep", None, None),
        (FOLDER, [RandomCrop((5, 6)), HorizontalFlip()], "rgba", (5, 6, 4), None),
        (FOLDER, [Resize(256)], "rgb", (None, None, 3), None),
        (FOLDER, [Resize(256), CenterCrop(224), Normalize(0.5, 0.5), ChannelsFirst()], "rgb", (3, 224, 224), FLOAT32),
        (FOLDER, [CenterCrop((10, 20)), Resize(5)], "rgb", (5, 10, 3), None),
        (FOLDER, [ToGray()], "keep", (None, None, 1), None),
        (FOLDER, [ToFloat("float16"), Normalize(0.5, 0.5)], "rgb", (None, None, 3), np.dtype("float16")),
        (FOLDER, [Threshold(9, fields=("image",)), ChannelsFirst()], "keep", (None, None, None), UINT8),
        (Field("image", "png", (8, 8), "uint8"), [], "keep", (8, 8), UINT8),
        (Field("image", "png", (8, 9), "uint8"), [], "keep", (None, None), UINT8),
        (Field("image", "raw", (8, 9), "uint16"), [ChannelsFirst()], "keep", (1, 8, 9), np.dtype("uint16")),
        (Field("image", "raw", (8, 9, 7), "uint8"), [], "keep", (8, 9, 7), UINT8),
    ],
)
def test_what_is_known_of_images(field: Field, transforms: list[Any], color: Any, shape: Any, dtype: Any) -> None:
    each = [(transform, [field.name]) for transform in transforms]
    assert expected_images([field], each, [], color, orients=True) == {field.name: (shape, dtype)}


def test_masks_follow_the_image_and_keep_their_channels() -> None:
    fields = [Field("image"), Field("mask", "png", (100, 50), "uint8")]
    both, image = ["image", "mask"], ["image"]
    listed = [(RandomCrop(32), both), (ToGray(), image), (ToFloat(), image)]
    found = expected_images(fields, listed, ["mask"], "rgb", orients=True)
    assert found == {"image": ((32, 32, 1), FLOAT32), "mask": ((32, 32), UINT8)}


def test_encoded_images_may_lie_on_their_side() -> None:
    for codec, orients, size in (("jpeg", True, None), ("jpeg", False, (8, 9)), ("raw", True, (8, 9)), ("keep", True, None)):
        assert upright_size(Field("image", codec, (8, 9, 3), "uint8"), orients=orients) == size
    assert upright_size(Field("image", "jpeg", (8, 8, 3), "uint8"), orients=True) == (8, 8)
    assert upright_size(Field("image", "raw", (8,), "uint8"), orients=True) is None
