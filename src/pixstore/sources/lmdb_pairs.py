"""An LMDB of pairs: `image_NNN` and `label_NNN`, also `image-%09d` and `label-%09d` as data sets of scene text have them.

Numbers may have any width and begin anywhere; rows come in their order. Images are
encoded, or arrays as `numpy.save` writes them. Labels of `label_NNN` are integers, as text or
as 1, 2, 4 or 8 bytes (little-endian), class names, or images: then they are masks. Labels of `label-NNN` are texts of their own, unless
all are integers. An entry such as `num-samples` states how many there are, and has to be right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import DuplicateKeyError, InvalidInputError, LabelMismatchError, NotAStoreError, UnsupportedImageError
from pixstore.source import Skipped, SourceOptions
from pixstore.sources import labels
from pixstore.sources.labels import Labels, shown
from pixstore.sources.lmdb.environment import UNKNOWN, Database, Found, LmdbSource, text_of, uniform
from pixstore.sources.lmdb.numpy_values import NumpyImages, is_array
from pixstore.sources.lmdb_images import COUNT_KEYS, check_count
from pixstore.sources.lookalike import is_image

KEY_PATTERN = re.compile(rb"(?P<kind>image|label)(?P<mark>[-_])(?P<number>\d{1,18})\Z")
LABEL, MASK = "label", "mask"
INTEGER_BYTES = (1, 2, 4, 8)
MOST_LABEL = 1 << 23
"""Bits of a float32 are more, but for 0."""
FIRST_ROWS = 8
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class LmdbPairs(LmdbSource):
    """An LMDB whose images and labels have entries of their own."""

    name: ClassVar[str] = "LMDB of image and label pairs"
    takes: ClassVar[frozenset[str]] = frozenset({"inner", "channel_order"})

    @classmethod
    def fits(cls, sample: Database) -> bool:
        return any(KEY_PATTERN.match(key) for key in sample.entries.keys if key not in COUNT_KEYS)

    @classmethod
    def rows(cls, database: Database, options: SourceOptions) -> Found:
        pairs = _pairs(database)
        _refuse_unmatched(database, pairs)
        numbers = sorted(pairs.images)
        rows = np.array([pairs.images[number] for number in numbers], np.int64)
        found = _images(database, rows, options)
        if pairs.labels:
            _add_labels(database, [pairs.labels[number] for number in numbers], found, has_texts=pairs.has_texts)
        for row in pairs.counts:
            found.report.skipped.append(Skipped(database.origin(row), check_count(database, row, len(rows))))
        found.report.notes += _gaps(numbers)
        if pairs.others:
            others = [text_of(database.entries.keys[row]) for row in pairs.others]
            found.report.skipped += [Skipped(f"{database.file}, key {key!r}", "neither an image nor a label by its key") for key in others]
        return found


@dataclass
class _Pairs:
    """Rows of a database by what their keys say: images and labels by number, entries that state a number of images, and others."""

    images: dict[int, int] = field(default_factory=dict)
    labels: dict[int, int] = field(default_factory=dict)
    counts: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    has_texts: bool = False


def _pairs(database: Database) -> _Pairs:
    found = _Pairs()
    for row, key in enumerate(database.entries.keys):
        parts = KEY_PATTERN.match(key)
        if parts is None:
            (found.counts if key in COUNT_KEYS else found.others).append(row)
            continue
        of_kind = found.images if parts["kind"] == b"image" else found.labels
        number = int(parts["number"])
        if number in of_kind:
            first = text_of(database.entries.keys[of_kind[number]])
            raise DuplicateKeyError(f"{database.file}: {text_of(key)!r} and {first!r} are the same number; remove one")
        of_kind[number] = row
        found.has_texts |= parts["mark"] == b"-"
    return found


def _refuse_unmatched(database: Database, pairs: _Pairs) -> None:
    """Raise LabelMismatchError where images and labels have not the same numbers; labels may be absent altogether."""
    if not pairs.labels:
        return
    without = sorted(pairs.images.keys() - pairs.labels.keys())
    alone = sorted(pairs.labels.keys() - pairs.images.keys())
    if without or alone:
        raise LabelMismatchError(
            f"{database.file}: {len(pairs.images)} images and {len(pairs.labels)} labels do not match; images without a label: "
            f"{shown([str(each) for each in without])}, labels without an image: {shown([str(each) for each in alone])}; get the file again"
        )


def _images(database: Database, rows: NDArray[np.int64], options: SourceOptions) -> Found:
    """Return the rows of encoded images or NumPy arrays. Raises UnsupportedImageError for plain pixels: nothing says their size."""
    found = Found(database.keys(rows), database.entries.offset[rows], database.entries.length[rows])
    if not len(rows):
        raise NotAStoreError(f"{database.file}: an LMDB of labels without images; its keys: {shown(database.keys())}")
    first = int(rows[0])
    if is_array(database.head(first)):
        arrays = NumpyImages(options.channel_order or "rgb")
        for row in rows.tolist():
            arrays.add(database, row)
        found.offset, found.length = arrays.places()
        found.formats, found.image = uniform(arrays.formats)
    elif not any(is_image(database.head(row)) for row in rows[:FIRST_ROWS].tolist()):
        raise UnsupportedImageError(
            f"{database.origin(first)}: {int(database.entries.length[first])} bytes that are no encoded image, and nothing says their "
            "height and width; save arrays with numpy.save, or write meta_info.pkl with keys and resolution beside data.mdb"
        )
    elif options.channel_order:
        raise InvalidInputError(f"{database.file}: channel_order {options.channel_order!r} is for arrays; encoded images know their own")
    return found


def _gaps(numbers: Sequence[int]) -> list[str]:
    """Return a line that names numbers which are left out between the first and the last, none where there are none."""
    if not numbers or numbers[-1] - numbers[0] + 1 == len(numbers):
        return []
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    places = np.array(numbers, np.int64)
    first = [int(places[gap]) + 1 for gap in np.flatnonzero(np.diff(places) > 1)[:5]]
    return [f"{missing} numbers between {numbers[0]} and {numbers[-1]} have no image, the first at {', '.join(map(str, first))}"]


def _add_labels(database: Database, rows: Sequence[int], found: Found, *, has_texts: bool) -> None:
    if is_image(database.head(rows[0])):
        places = np.array(rows, np.int64)
        found.more[MASK] = (database.entries.offset[places], database.entries.length[places], (UNKNOWN,))
        return
    values = [database.small(row) for row in rows]
    origin = str(database.file)
    texts = _texts(values)
    if texts is not None and has_texts and not all(labels.INTEGER.match(text) for text in texts):
        found.columns[LABEL] = pa.array(texts, pa.string())
        return
    names = _names(texts, origin) if texts is not None else None
    found.add_labels(LABEL, _integers(values, found.keys, origin) if names is None else labels.from_texts(names, found.keys, origin))


def _texts(values: Sequence[bytes]) -> list[str] | None:
    """Return values that are all text; None where one is not UTF-8 or has signs that no text has."""
    try:
        texts = [value.decode("utf-8") for value in values]
    except UnicodeDecodeError:
        return None
    return None if any(UNPRINTABLE.search(text) for text in texts) else texts


def _names(texts: Sequence[str], origin: str) -> list[str] | None:
    """Return texts without space around them; None where one is nothing but space, which is a number in a byte.

    Raises LabelMismatchError for single signs that are no letters or digits: they may be names as well as numbers.
    """
    names = [text.strip() for text in texts]
    if any(text and not name for text, name in zip(texts, names, strict=True)):
        return None
    if all(len(text) == 1 for text in texts) and not all(text.isalnum() for text in texts):
        raise LabelMismatchError(f"{origin}: labels of one byte such as {shown(texts)} may be signs or numbers; write numbers as text")
    return names


def _integers(values: Sequence[bytes], keys: Sequence[str], origin: str) -> Labels:
    """Return labels that are little-endian integers of one size. Raises LabelMismatchError for others and for improbable ones."""
    size = len(values[0])
    other = [key for key, value in zip(keys, values, strict=True) if len(value) != size]
    if other or size not in INTEGER_BYTES:
        raise LabelMismatchError(f"{origin}: labels that are neither text nor integers of 1, 2, 4 or 8 bytes: {shown(other or list(keys))}")
    stored = np.frombuffer(b"".join(values), "<u1" if size == 1 else f"<i{size}")
    numbers = stored.astype(np.int64)
    odd = np.flatnonzero((numbers < -1) | (numbers >= MOST_LABEL))
    if len(odd):
        first = int(odd[0])
        raise LabelMismatchError(
            f"{origin}: the label of {keys[first]!r} would be {int(numbers[first])} as an integer; write labels as text"
        )
    _refuse_big_endian(stored, origin)
    return Labels(pa.array(numbers), None)


def _refuse_big_endian(numbers: NDArray[Any], origin: str) -> None:
    """Raise LabelMismatchError where the other order of bytes gives smaller numbers: labels are counted from 0, or nearly so."""
    known = numbers[numbers != -1].view(numbers.dtype.str.replace("i", "u"))
    swapped = known.byteswap()
    if len(known) and swapped.max() < known.max():
        raise LabelMismatchError(
            f"{origin}: labels would be up to {known.max()} as little-endian integers and up to {swapped.max()} as big-endian ones; "
            "write labels as text"
        )


SOURCE = LmdbPairs
