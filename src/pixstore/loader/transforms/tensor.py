"""Transforms that make numbers for a trainer from pixels: of images, not of masks. Each once at most, in any order, after all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from pixstore.loader.bfloat16 import bfloat16
from pixstore.loader.joint import Joint
from pixstore.loader.steps import FloatName, Floats
from pixstore.loader.transforms.base import Transform, as_tuple, is_number

FLOATS: tuple[FloatName, ...] = get_args(FloatName)


@dataclass(frozen=True)
class Normalize(Transform):
    """Subtract `mean` and divide by `std`, in units of 0 to 1: one number, or one for each channel.

    float32 unless ToFloat names another dtype. As `torchvision.transforms.Normalize` after `ToTensor`.
    """

    mean: float | Sequence[float]
    std: float | Sequence[float]

    TOUCHES: ClassVar[Literal["all", "images", "masks"]] = "images"
    MAKES_NUMBERS: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("mean", "std"):
            values = self._values(name)
            if not values or not all(is_number(each) for each in values):
                self.refuse(name, "is one number, or one for each channel")
            object.__setattr__(self, name, tuple(float(each) for each in values))
        if min(self._values("std")) <= 0:
            self.refuse("std", "is above 0")
        if len(self._values("mean")) > 1 < len(self._values("std")) != len(self._values("mean")):
            self.refuse("std", f"has as many numbers as mean={self.mean!r}")

    def apply(self, joint: Joint, uniforms: Floats) -> None:
        joint.normalize(np.array(self._values("mean")), np.array(self._values("std")))

    def _values(self, name: str) -> tuple[Any, ...]:
        given = getattr(self, name)
        return (given,) if is_number(given) else as_tuple(given)


@dataclass(frozen=True)
class ToFloat(Transform):
    """Have samples from 0 to 1: those of 8 bits are divided by 255, of 16 bits by 65,535; 0 and 1 stay (Threshold, bool arrays).

    dtype: "float32", "float16" or "bfloat16", which needs ml_dtypes. As `torchvision.transforms.ConvertImageDtype`.
    """

    dtype: FloatName = "float32"

    TOUCHES: ClassVar[Literal["all", "images", "masks"]] = "images"
    MAKES_NUMBERS: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.checked_choice("dtype", FLOATS)
        if self.dtype == "bfloat16":
            bfloat16()

    def apply(self, joint: Joint, uniforms: Floats) -> None:
        joint.to_float(self.dtype)


@dataclass(frozen=True)
class ChannelsFirst(Transform):
    """Have C·H·W for each image, N·C·H·W for a batch; grey images have one channel. The layout that PyTorch's convolutions take.

    As `torchvision.transforms.PILToTensor`.
    """

    TOUCHES: ClassVar[Literal["all", "images", "masks"]] = "images"
    MAKES_NUMBERS: ClassVar[bool] = True

    def apply(self, joint: Joint, uniforms: Floats) -> None:
        joint.channels_first()
