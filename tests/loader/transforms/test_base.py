"""Arguments of every transform: what is refused, in whose words, and what is kept."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from pixstore.errors import InvalidInputError
from pixstore.loader import transforms
from pixstore.loader.transforms import (
    CenterCrop,
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
    Transform,
)
from pixstore.loader.transforms.base import as_tuple, is_number, is_whole

SOUND = (
    Resize(4),
    RandomCrop((4, 5), padding=2),
    RandomResizedCrop(4),
    HorizontalFlip(),
    ColorJitter(0.1, hue=(-0.1, 0.2)),
    Normalize([0.5], 1),
)

WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (Resize, {"size": 0}, r"Resize\(size=0\): size is one whole number or a pair"),
    (Resize, {"size": (4, 5, 6)}, "a pair"),
    (Resize, {"size": 4.5}, "whole"),
    (Resize, {"size": True}, "whole"),
    (Resize, {"size": "44"}, "whole"),
    (Resize, {"size": 1 << 30}, "16,777,216"),
    (Resize, {"size": 4, "filter": "cubic"}, "filter='cubic'.*'nearest', 'bilinear', 'bicubic', 'lanczos'"),
    (CenterCrop, {"size": -1}, r"CenterCrop\(size=-1\)"),
    (RandomCrop, {"size": 4, "padding": -1}, r"RandomCrop\(padding=-1\)"),
    (RandomCrop, {"size": 4, "padding": (1, 2, 3, 4)}, "a pair"),
    (RandomResizedCrop, {"size": 4, "scale": (0.5, 0.1)}, "the smaller one first"),
    (RandomResizedCrop, {"size": 4, "scale": (0, 1)}, "scale is above 0"),
    (RandomResizedCrop, {"size": 4, "scale": (0.5, 1.5)}, "from 0 to 1"),
    (RandomResizedCrop, {"size": 4, "ratio": (0, 1)}, "ratio is above 0"),
    (RandomResizedCrop, {"size": 4, "ratio": 1.5}, "a pair of numbers"),
    (RandomResizedCrop, {"size": 4, "ratio": (1, float("inf"))}, "a pair of numbers"),
    (HorizontalFlip, {"p": 1.5}, r"HorizontalFlip\(p=1.5\): p is a number from 0 to 1"),
    (HorizontalFlip, {"p": None}, "p is a number"),
    (HorizontalFlip, {"p": float("nan")}, "p is a number"),
    (RandomRotation, {"degrees": -5}, "degrees=-5"),
    (RandomRotation, {"degrees": (10, -10)}, "the smaller one first"),
    (RandomRotation, {"degrees": 5, "filter": "bicubic"}, "'nearest', 'bilinear'"),
    (ColorJitter, {"brightness": -0.1}, "brightness=-0.1"),
    (ColorJitter, {"contrast": (1.5, 0.5)}, "contrast"),
    (ColorJitter, {"hue": 0.6}, "hue is a number from 0 to 0.5"),
    (ColorJitter, {"hue": (-0.6, 0)}, "from -0.5 to 0.5"),
    (Normalize, {"mean": 0.5, "std": 0}, "std is above 0"),
    (Normalize, {"mean": (0.5, 0.5), "std": (1, 1, 1)}, "as many numbers"),
    (Normalize, {"mean": (), "std": 1}, "mean is one number"),
    (Normalize, {"mean": "half", "std": 1}, "mean is one number"),
    (ToFloat, {"dtype": "float64"}, "'float16', 'float32', 'bfloat16'"),
    (ToGray, {"channels": 2}, "1, 3"),
    (ToGray, {"channels": True}, "1, 3"),
    (Threshold, {"value": 256}, "from 0 to 255"),
    (HorizontalFlip, {"fields": "image"}, "fields='image'.*names of fields"),
    (HorizontalFlip, {"fields": ()}, "names of fields"),
    (HorizontalFlip, {"fields": (1,)}, "names of fields"),
]


@pytest.mark.parametrize(("kind", "arguments", "reason"), WRONG, ids=[f"{kind.__name__}-{arguments}" for kind, arguments, _ in WRONG])
def test_a_wrong_argument_is_refused_with_its_value(kind: Any, arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason) as caught:
        kind(**arguments)
    assert str(caught.value).startswith(kind.__name__)


def test_a_transform_is_a_value() -> None:
    assert RandomCrop([4, 5], fields=["image"]) == RandomCrop((np.int64(4), 5), fields=("image",))
    assert hash(Normalize([0.5, 0.5], np.float32(0.25))) == hash(Normalize((0.5, 0.5), (0.25,)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        HorizontalFlip().p = 1  # type: ignore[misc]


@pytest.mark.parametrize("transform", SOUND, ids=repr)
def test_a_transform_survives_pickling_and_its_own_words(transform: Transform) -> None:
    assert pickle.loads(pickle.dumps(transform)) == transform
    assert eval(repr(transform), vars(transforms)) == transform


@pytest.mark.parametrize("name", [name for name in transforms.__all__ if name != "Transform"])
def test_every_transform_names_its_source(name: str) -> None:
    kind = getattr(transforms, name)
    assert issubclass(kind, Transform)
    assert any(word in kind.__doc__ for word in ("torchvision", "Pillow", "OpenCV"))


def test_numbers_and_sequences() -> None:
    assert is_whole(np.int32(3))
    assert is_number(np.float32(3))
    assert not any(is_number(each) for each in (True, np.True_, "3", None, float("inf")))
    assert as_tuple(np.array([1, 2])) == (1, 2)
    assert as_tuple("ab") == as_tuple(3) == as_tuple({"a": 1}) == ()
