"""Steps of the core's `load` as it takes them, and what comes out of them for one field of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Reals: TypeAlias = Numbers | Floats
Truths: TypeAlias = NDArray[np.bool_]
Step: TypeAlias = tuple[Any, ...]
Shape: TypeAlias = tuple[int, ...]
Filter: TypeAlias = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Color: TypeAlias = Literal["rgb", "gray", "rgba", "keep"]
FloatName: TypeAlias = Literal["float16", "float32", "bfloat16"]

ARRAYS: dict[str, tuple[type[np.generic], ...]] = {
    "crop": (np.int32, np.int32),
    "resample": (np.float64, np.int32),
    "orient": (np.uint8,),
    "rotate": (np.float64,),
    "jitter": (np.float32, np.uint8),
}
"""The dtypes of a step's arrays, which come first among its arguments."""


@dataclass(frozen=True)
class FieldResult:
    """The steps of one field of a batch, and what comes out of them.

    No steps: the images come out as `codec.decode` gives them. shapes and dtypes have one entry per row, or one for all.
    """

    steps: tuple[Step, ...]
    shapes: tuple[Shape, ...]
    dtypes: tuple[np.dtype[Any], ...]

    @property
    def shape(self) -> Shape | None:
        """The shape of each image; None where they differ, or there is none."""
        return self.shapes[0] if len(self.shapes) == 1 else None

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The dtype of each image; None where they differ, or there is none."""
        return self.dtypes[0] if len(self.dtypes) == 1 else None

    def shape_of(self, row: int) -> Shape:
        return self.shapes[row if len(self.shapes) > 1 else 0]

    def dtype_of(self, row: int) -> np.dtype[Any]:
        return self.dtypes[row if len(self.dtypes) > 1 else 0]


def core_step(name: str, *arguments: Any) -> Step:
    """Return the step with its arrays of the dtypes that the core takes."""
    dtypes = ARRAYS.get(name, ())
    arrays = [np.ascontiguousarray(array, dtype) for array, dtype in zip(arguments, dtypes, strict=False)]
    return (name, *arrays, *arguments[len(dtypes) :])


def boxes_within(origins: Reals, extents: Reals, ends: Reals) -> Floats:
    """Return boxes (top, left, height, width) that lie between 0 and `ends`, whatever rounding did to them."""
    boxes = np.empty((max(len(origins), len(extents)), 4))
    np.maximum(origins, 0, out=boxes[:, :2])
    np.minimum(extents, ends - boxes[:, :2], out=boxes[:, 2:])
    return boxes


def one_row(values: NDArray[Any]) -> NDArray[Any]:
    """Return the first row alone where it stands for all."""
    return values[:1] if len(values) > 1 and bool((values == values[:1]).all()) else values


def first(wrong: Any) -> int | None:
    """Return the first row that is true, None where none is."""
    return int(np.argmax(wrong)) if wrong.any() else None
