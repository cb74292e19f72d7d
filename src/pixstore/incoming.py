"""What users hand to a writer — arrays, PIL images, paths, encoded bytes — turned into records."""

from __future__ import annotations

import os
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixstore import codec
from pixstore.encoding import CODECS, check_options, record_codec
from pixstore.engine import FieldRecords
from pixstore.errors import InvalidInputError, PathNotFoundError
from pixstore.rows import Buffer, Records, Slices
from pixstore.schema import Format

ImageLike: TypeAlias = NDArray[Any] | Image.Image | str | Path | bytes | bytearray | memoryview
Incoming: TypeAlias = NDArray[Any] | bytes | None

ABSENT = Format(None, None, None)
WRITABLE = ("keep", *CODECS)
"""What `codec=` takes."""


@dataclass(frozen=True)
class Encoding:
    """How incoming images become records. "keep": encoded bytes stay as they are, arrays are stored raw."""

    codec: str = "keep"
    level: int | None = None
    quality: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.codec not in WRITABLE:
            raise InvalidInputError(f"codec {self.codec!r} cannot be written; use one of {', '.join(WRITABLE)}")
        check_options("raw" if self.codec == "keep" else self.codec, self.level, self.quality)


def is_image(value: Any) -> bool:
    """Return whether a named value can only be an image: an array of two dimensions or more, or a PIL image."""
    return isinstance(value, Image.Image) or (isinstance(value, np.ndarray) and value.ndim >= 2)


def are_images(values: Any) -> bool:
    """Return whether N named values can only be images."""
    if isinstance(values, np.ndarray):
        return values.ndim >= 3
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
        return False
    return is_image(next((each for each in values if each is not None), None))


def accept(image: ImageLike | None) -> Incoming:
    """Return an image as an array or as encoded bytes. Raises InvalidInputError for anything else."""
    if image is None or isinstance(image, (np.ndarray, bytes)):
        return image
    if isinstance(image, Image.Image):
        return _pil_pixels(image)
    if isinstance(image, (bytearray, memoryview)):
        return bytes(image)
    if isinstance(image, (str, os.PathLike)):
        return _file_bytes(Path(image))
    if hasattr(image, "__array__"):
        return np.asarray(image).copy()
    raise InvalidInputError(f"an image cannot be a {type(image).__name__}; hand in an array, a PIL image, a path or encoded bytes")


def accept_many(images: Any) -> NDArray[Any] | list[Incoming]:
    """Return N images as one array, or as a list of arrays and encoded bytes."""
    return images if isinstance(images, np.ndarray) and images.dtype != object else [accept(each) for each in images]


def length_of(name: str, values: Any) -> int:
    """Return how many values there are. Raises InvalidInputError for what is one value, or none that can be counted."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Sized):
        raise InvalidInputError(f"{name}: a {type(values).__name__} is not one value for each image; hand in a list or an array")
    return len(values)


def size_of(image: Incoming) -> int:
    """Return the bytes of an image as it was handed in."""
    if image is None:
        return 0
    return image.nbytes if isinstance(image, np.ndarray) else len(image)


def own(value: Any) -> Any:
    """Return a value that its giver cannot change any more: arrays and lists are copied."""
    return value.copy() if isinstance(value, (np.ndarray, list)) else value


def _pil_pixels(image: Image.Image) -> NDArray[Any]:
    # A palette or a bit mask is a way of storing, not the pixels.
    expanded = {"P": "RGBA" if "transparency" in image.info else "RGB", "1": "L", "PA": "RGBA"}.get(image.mode)
    try:
        return np.asarray(image.convert(expanded) if expanded else image)
    except (OSError, SyntaxError, ValueError) as error:
        raise InvalidInputError(f"this {image.format or 'PIL'} image cannot be read ({error}); leave it out or mend its file") from error


def _file_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise PathNotFoundError(f"{path}: does not exist") from error
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read ({error.strerror})") from error


def to_records(images: NDArray[Any] | Sequence[Incoming], encoding: Encoding) -> FieldRecords:
    """Return the records of these images, in order; None is a missing record.

    Raises one error naming every image that cannot be read or that the codec cannot hold.
    """
    if isinstance(images, np.ndarray):
        return _encode(images, encoding)
    arrays = [place for place, image in enumerate(images) if isinstance(image, np.ndarray)]
    encoded = [place for place, image in enumerate(images) if isinstance(image, bytes)]
    if len(arrays) == len(images):
        return _encode([image for image in images if isinstance(image, np.ndarray)], encoding)
    if len(encoded) == len(images):
        return keep_or_encode([image for image in images if isinstance(image, bytes)], encoding)
    parts = []
    if arrays:
        parts.append((arrays, _encode([image for image in images if isinstance(image, np.ndarray)], encoding)))
    if encoded:
        parts.append((encoded, keep_or_encode([image for image in images if isinstance(image, bytes)], encoding)))
    return merged(parts, len(images))


def keep_or_encode(buffers: Sequence[bytes], encoding: Encoding) -> FieldRecords:
    """Return encoded images as they are where the codec allows, the others decoded and encoded again."""
    records = codec.probe(as_records(buffers))
    if encoding.codec == "keep":
        return FieldRecords(joined(buffers), records.formats, records.format)
    same = np.array([each.codec == record_codec(encoding.codec) for each in records.formats], bool)[records.format]
    kept, changed = np.flatnonzero(same), np.flatnonzero(~same)
    if not len(changed):
        return FieldRecords(joined(buffers), records.formats, records.format)
    decoded = _encode(codec.decode(taken(records, changed), threads=encoding.threads), encoding)
    if not len(kept):
        return decoded
    unchanged = taken(records, kept)
    assert isinstance(unchanged.place, list)
    return merged(
        [(kept.tolist(), FieldRecords(joined(unchanged.place), unchanged.formats, unchanged.format)), (changed.tolist(), decoded)],
        len(buffers),
    )


def as_records(buffers: Sequence[Buffer]) -> Records:
    """Return encoded images in memory as records whose formats are not known yet."""
    return Records(list(buffers), [ABSENT], np.zeros(len(buffers), np.int32), lambda place: (place, f"image {place} of the batch", ""))


def taken(records: Records, places: NDArray[np.int64]) -> Records:
    """Return some records of a list of buffers."""
    assert isinstance(records.place, list)
    chosen = [records.place[place] for place in places.tolist()]
    return Records(chosen, records.formats, records.format[places], lambda place: records.name(int(places[place])))


def joined(buffers: Sequence[Buffer]) -> Slices:
    """Return the records end to end in one buffer."""
    length = np.fromiter((len(each) for each in buffers), np.int64, len(buffers))
    return Slices.end_to_end(buffers[0] if len(buffers) == 1 else b"".join(buffers), length)


def merged(parts: Sequence[tuple[Sequence[int], FieldRecords]], count: int) -> FieldRecords:
    """Return `count` records from parts, each with the places its records take; places in no part are missing records."""
    formats: list[Format] = []
    format_index = np.zeros(count, np.int32)
    buffers: list[memoryview | None] = [None] * count
    for places, records in parts:
        format_index[list(places)] = records.format + np.int32(len(formats))
        formats.extend(records.formats)
        for place, view in zip(places, records.slices.views(), strict=True):
            buffers[place] = view
    length = np.array([-1 if each is None else each.nbytes for each in buffers], np.int64)
    data = b"".join(each for each in buffers if each is not None)
    return FieldRecords(Slices.end_to_end(data, length), formats or [ABSENT], format_index)


def one_format(records: FieldRecords) -> Format | None:
    """Return the format that every record has, None where they differ or one is missing."""
    used = np.unique(records.format)
    if len(used) != 1 or (records.slices.length < 0).any():
        return None
    return records.formats[int(used[0])]


def absent(count: int) -> FieldRecords:
    """Return the records of rows without this field."""
    return FieldRecords(Slices(b"", np.zeros(count, np.int64), np.full(count, -1)), [ABSENT], np.zeros(count, np.int32))


def _encode(images: NDArray[Any] | Sequence[NDArray[Any]], encoding: Encoding) -> FieldRecords:
    name = "raw" if encoding.codec == "keep" else encoding.codec
    return codec.encode(images, name, level=encoding.level, quality=encoding.quality, threads=encoding.threads)
