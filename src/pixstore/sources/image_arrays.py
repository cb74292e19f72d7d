"""Arrays of images and labels by name, as .npy and .npz files hold them: what their shapes mean, which labels belong to which images."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import InvalidInputError, LabelMismatchError, LimitExceededError, UnsupportedImageError
from pixstore.schema import KEY, ChannelOrder, Field, Format, Schema
from pixstore.source import SourceReport
from pixstore.sources.foreign_file import MAX_READ_BYTES
from pixstore.sources.labels import Labels, from_names
from pixstore.sources.npy_header import ArrayHeader

IMAGE = "image"
LABEL_NAMES: Mapping[str, tuple[str, ...]] = {
    "images": ("labels", "label"),
    "image": ("label", "labels"),
    "imgs": ("labels", "label"),
    "x": ("y",),
    "X": ("y", "Y"),
    "data": ("labels", "label", "targets", "target"),
}
ALONE = ("labels", "label", "y", "Y", "targets", "target")
"""Names of labels, whatever the images are called, where there is one array of images."""
SPLITS = {"train": "train", "test": "test", "val": "val", "valid": "val", "validation": "val"}
USUAL_CHANNELS = 4
MOST_CHANNELS = 32
"""Of images with a channel per wavelength; rows and columns are more."""


@dataclass(frozen=True)
class Images:
    """One array of images: how many, and what each is."""

    name: str
    count: int
    format: Format
    start: int
    labels: Labels | None = None

    @property
    def split(self) -> str | None:
        return split_of(self.name)

    def with_labels(self, labels: Labels | None) -> Images:
        return replace(self, labels=labels)


def split_of(name: str) -> str | None:
    """Return the split that an array's name has among its words; None where it has none."""
    return next((SPLITS[word] for word in re.split("[^a-z]+", name.lower()) if word in SPLITS), None)


def is_images(header: ArrayHeader) -> bool:
    """Return whether an array has a shape and numbers that images have."""
    return np.dtype(header.dtype).kind in "buif" and _meaning(header.shape) is not None


def images_of(name: str, header: ArrayHeader, order: ChannelOrder | None, origin: str) -> Images:
    """Return the images in an array: N·H·W, N·H·W·C, N·C·H·W, or one H·W·C.

    Raises UnsupportedImageError for any other shape or for values that are no pixels, LimitExceededError for images that none are.
    """
    dtype, meaning = np.dtype(header.dtype), _meaning(header.shape)
    if dtype.kind not in "buif":
        raise UnsupportedImageError(f"{origin}: values of type {dtype.str!r} are no pixels; save them as uint8 or uint16")
    if meaning is None:
        raise UnsupportedImageError(f"{origin}: an array of shape {header.shape}, images are N·H·W, N·H·W·C, N·C·H·W or H·W·C; reshape it")
    count, shape, is_planar = meaning
    is_bgr = order == "bgr"
    if is_bgr and (len(shape) < 3 or shape[2] < 3):
        raise InvalidInputError(f"{origin}: channel_order 'bgr' is for images of three channels; these are of shape {shape}")
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_READ_BYTES:
        raise LimitExceededError(f"{origin}: images of shape {shape}, each of {size} bytes; the limit is {MAX_READ_BYTES}")
    codec = "raw" + ("-planar" if is_planar else "") + ("-bgr" if is_bgr else "")
    return Images(name, count, Format(codec, shape, dtype.name if dtype.isnative else dtype.str), header.start)


def _meaning(shape: tuple[int, ...]) -> tuple[int, tuple[int, ...], bool] | None:
    """Return how many images a shape holds, the shape of each, and whether channels come before rows; None where it holds none."""
    if len(shape) not in (3, 4) or min(shape[1:]) == 0:
        return None
    if len(shape) == 3 and shape[2] in (3, USUAL_CHANNELS):
        return (1, shape, False) if shape[0] else None
    if len(shape) == 3:
        return shape[0], shape[1:], False
    if shape[3] <= USUAL_CHANNELS:
        return shape[0], shape[1:], False
    if shape[1] == 1:
        return shape[0], shape[2:], False
    if shape[1] <= USUAL_CHANNELS:
        return shape[0], (*shape[2:], shape[1]), True
    return (shape[0], shape[1:], False) if shape[3] <= MOST_CHANNELS and shape[3] < min(shape[1:3]) else None


def label_names(name: str, *, is_alone: bool) -> Iterator[str]:
    """Yield what the labels of an array of images may be called: `y_train` for `x_train`, `labels` for `images`, `arr_1` for `arr_0`."""
    if name == "arr_0":
        yield "arr_1"
    words = re.split("([^A-Za-z0-9]+)", name)
    for place, word in enumerate(words):
        for label in LABEL_NAMES.get(word, ()):
            yield "".join([*words[:place], label, *words[place + 1 :]])
    if is_alone:
        yield from ALONE


def labels_of(array: NDArray[Any], images: Images, origin: str, report: SourceReport) -> Labels | None:
    """Return labels: integers, or names; None, with a note, for what are no labels of one class.

    Raises LabelMismatchError where there are not as many as images, or where they are fractions.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape[:1] != (images.count,):
        raise LabelMismatchError(f"{origin}: {array.shape[0] if array.ndim else 1} labels for the {images.count} images; save both again")
    if array.ndim != 1 or array.dtype.kind not in "buifUS":
        report.notes.append(f"{origin}: {array.dtype} of shape {array.shape} are not one label per image and were left out")
        return None
    if array.dtype.kind in "US":
        texts = np.char.decode(array, "utf-8", "backslashreplace") if array.dtype.kind == "S" else array
        return from_names([str(text) for text in texts.tolist()])
    values = array.astype(np.int64) if array.dtype.kind != "f" else np.where(np.isfinite(array), array, 0.5).astype(np.int64)
    wrong = np.flatnonzero(values != array)
    if len(wrong):
        raise LabelMismatchError(f"{origin}: {len(wrong)} labels are no integers, the first is {array[wrong[0]]} of image {wrong[0]}")
    return Labels(pa.array(values), None)


def described(
    parts: Sequence[Images], further: Mapping[str, pa.Array], keys: pa.Array | None, classes: tuple[str, ...] | None
) -> tuple[Schema, pa.Table]:
    """Return schema and table of arrays that follow each other; `further` are columns besides label and split."""
    columns: dict[str, pa.Array] = {}
    names: dict[str, tuple[str, ...]] = {}
    if any(part.labels is not None for part in parts):
        columns["label"], found = _joined(parts)
        chosen = found or classes
        names = {} if chosen is None else {"label": chosen}
    if len(parts) > 1 and all(part.split for part in parts):
        columns["split"] = pa.array([part.split for part in parts for _ in range(part.count)], pa.string())
    columns |= {name: column for name, column in further.items() if name not in columns}
    count = sum(part.count for part in parts)
    table = pa.table({KEY: pa.array([f"{row:08}" for row in range(count)], pa.string()) if keys is None else keys, **columns})
    return Schema((field_of(IMAGE, parts[0].format),), pa.schema([table.schema.field(name) for name in columns]), names), table


def field_of(name: str, form: Format) -> Field:
    """Return the field whose every image has this format."""
    return Field(name, shape=form.shape, dtype=form.dtype, channel_order="bgr" if (form.codec or "").endswith("bgr") else "rgb")


def _joined(parts: Sequence[Images]) -> tuple[pa.Array, tuple[str, ...] | None]:
    """Return the labels of all parts, null for images without one. Raises LabelMismatchError where some are names and some numbers."""
    of_names = [part.labels is not None and part.labels.classes is not None for part in parts]
    of_numbers = [part.labels is not None and part.labels.classes is None for part in parts]
    if any(of_names) and any(of_numbers):
        one, other = parts[of_names.index(True)].name, parts[of_numbers.index(True)].name
        raise LabelMismatchError(f"the labels of {one} are names, those of {other} are numbers; save both as names, or as numbers")
    values = [_numbers(part) for part in parts]
    if not any(of_names):
        return pa.concat_arrays(values), None
    classes = tuple(sorted({name for part in parts if part.labels is not None for name in part.labels.classes or ()}))
    place = {name: number for number, name in enumerate(classes)}
    joined = []
    for part, numbers in zip(parts, values, strict=True):
        names = part.labels.classes if part.labels is not None else None
        places = pa.array([place[name] for name in names or ()], pa.int64())
        joined.append(places.take(numbers) if names else numbers)
    return pa.concat_arrays(joined), classes


def _numbers(part: Images) -> pa.Array:
    return pa.nulls(part.count, pa.int64()) if part.labels is None else part.labels.values
