"""The steps from stored to wanted pixels: what arguments each takes, and what it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore.headers import RecordFailedError, check_size
from pixstore.reference.buffers import Samples
from pixstore.reference.colours import color, from_cmyk, gray, threshold
from pixstore.reference.geometry import crop, orient, resample, rotate
from pixstore.reference.jitter import jitter
from pixstore.reference.tensors import DTYPES, tensor

Step: TypeAlias = tuple[Any, ...]

WORK: dict[str, Callable[..., Samples]] = {
    "color": color,
    "crop": crop,
    "resample": resample,
    "orient": orient,
    "rotate": rotate,
    "jitter": jitter,
    "gray": gray,
    "threshold": threshold,
    "tensor": tensor,
}
FILTERS = ("nearest", "bilinear", "bicubic", "lanczos")
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "color": (("gray", "rgb", "rgba"),),
    "crop": (("int32", 2), ("int32", 2)),
    "resample": (("float64", 4), ("int32", 2), FILTERS),
    "orient": (("uint8", 0),),
    "rotate": (("float64", 0), FILTERS[:2]),
    "jitter": (("float32", 4), ("uint8", 4)),
    "gray": ((1, 3),),
    "threshold": (float,),
    "tensor": (("hwc", "chw"), DTYPES, np.float32, np.float32),
}
"""Of each argument: dtype and columns (0: one axis) of an array with a row per record, the allowed values, or the type."""


def through_steps(pixels: Samples, steps: Sequence[Step], index: int, max_pixels: int, *, is_cmyk: bool) -> Samples:
    """Return what the steps make of record `index`. Raises RecordFailedError where one does not take such pixels."""
    if steps and not 1 <= pixels.shape[2] <= 4:
        raise RecordFailedError("unsupported", f"{pixels.shape[2]} channels are no image: steps take 1 to 4")
    if is_cmyk and steps and steps[0][0] == "color":
        pixels, is_cmyk = from_cmyk(pixels), False
    for name, *arguments in steps:
        of_record = [_of_record(form, each, index) for form, each in zip(ARGUMENTS[name], arguments, strict=True)]
        if name in ("crop", "resample"):
            height, width = of_record[1].tolist()
            check_size(height, width, max_pixels)
        more = {"has_alpha": pixels.shape[2] in (2, 4) and not is_cmyk} if name == "resample" else {}
        pixels = WORK[name](pixels, *of_record, **more)
    return pixels


def _of_record(form: Any, argument: Any, index: int) -> Any:
    return argument[index if len(argument) > 1 else 0] if _is_rows(form) else argument


def _is_rows(form: Any) -> bool:
    return isinstance(form, tuple) and isinstance(form[1], int) and isinstance(form[0], str)


def check_steps(steps: Sequence[Step], count: int) -> None:
    """Raise ValueError where a step is unknown, has arguments that it does not take, or stands where it must not."""
    for place, (name, *arguments) in enumerate(steps):
        if name not in ARGUMENTS:
            raise ValueError(f"no step is named {name!r}; there are {', '.join(ARGUMENTS)}")
        if (name == "color" and place > 0) or (name == "tensor" and place < len(steps) - 1):
            raise ValueError(f"the step {name!r} is number {place + 1} of {len(steps)}: 'color' comes first, 'tensor' last")
        if len(arguments) != len(ARGUMENTS[name]):
            raise ValueError(f"the step {name!r} takes {len(ARGUMENTS[name])} arguments, not {len(arguments)}")
        for form, argument in zip(ARGUMENTS[name], arguments, strict=True):
            _check_argument(name, form, argument, count)
        _check_values(name, arguments)


def _check_argument(name: str, form: Any, argument: Any, count: int) -> None:
    if _is_rows(form):
        dtype, columns = form
        shapes = [(rows, columns)[: 2 if columns else 1] for rows in (1, count)]
        if not isinstance(argument, np.ndarray) or argument.dtype != dtype or argument.shape not in shapes:
            raise ValueError(f"the step {name!r} needs {dtype} of shape {shapes[1]} or {shapes[0]}, not {_brief(argument)}")
    elif form is np.float32:
        if not isinstance(argument, np.ndarray) or argument.dtype != form or argument.ndim != 1 or not len(argument):
            raise ValueError(f"the step {name!r} needs float32 of one axis, not {_brief(argument)}")
    elif form is float:
        if not isinstance(argument, int | float):
            raise ValueError(f"the step {name!r} needs a number, not {argument!r}")
    elif argument not in form:
        raise ValueError(f"the step {name!r} takes one of {form}, not {argument!r}")


def _check_values(name: str, arguments: list[Any]) -> None:
    first = arguments[0]
    if name in ("crop", "resample") and (arguments[1] < 1).any():
        raise ValueError(f"the step {name!r} makes images of at least 1 x 1 pixels")
    if name == "resample" and not (np.isfinite(first).all() and (first[:, 2:] > 0).all()):
        raise ValueError("a box has a height and a width, and all its numbers are finite")
    if name == "orient" and not ((first >= 1) & (first <= 8)).all():
        raise ValueError("orientations are 1 to 8")
    if name == "rotate" and not np.isfinite(first).all():
        raise ValueError("degrees are finite")
    if name == "jitter":
        _check_jitter(first, arguments[1])
    if name == "tensor" and arguments[1].startswith("uint") and ((arguments[2] != 1).any() or arguments[3].any()):
        raise ValueError(f"samples of {arguments[1]} are not scaled: scale 1 and offset 0 are needed")


def _check_jitter(factors: NDArray[np.float32], order: NDArray[np.uint8]) -> None:
    if not (np.isfinite(factors).all() and (factors[:, :3] >= 0).all() and (abs(factors[:, 3]) <= 0.5).all()):
        raise ValueError("factors of jitter are at least 0, and the hue turns by -0.5 to 0.5")
    if (np.sort(order, axis=1) != np.arange(4)).any():
        raise ValueError("the order of jitter is a permutation of 0, 1, 2, 3")


def _brief(value: Any) -> str:
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)
