"""Which feature of tf.train.Example records is the image: an encoded one, or raw bytes with height, width and depth beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from pixstore.errors import CorruptStoreError, InvalidInputError
from pixstore.schema import Format
from pixstore.sources.examples.example import Feature
from pixstore.sources.lookalike import is_image

ENCODED = "image/encoded"
HEAD_BYTES = 64
HEIGHTS, WIDTHS, DEPTHS = ("height", "rows"), ("width", "cols"), ("depth", "channels")
USUAL_DEPTHS = (1, 3, 4)
MOST_PIXELS = 1 << 40
UNKNOWN = Format(None, None, None)


@dataclass(frozen=True)
class ImageFeature:
    """The feature that holds the image, the features of a raw one's sizes, and the further features that hold images."""

    name: str
    sizes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    formats: dict[tuple[int, ...], Format] = field(default_factory=dict)

    def place(self, features: Sequence[Feature], origin: str) -> tuple[int, int, Format]:
        """Return where the image of a record begins, its length and its format. Raises CorruptStoreError where sizes and bytes differ."""
        found = None
        for feature in features:
            if feature.name == self.name:
                found = feature
        if found is None or found.kind != "bytes" or len(found.values) != 1:
            count = 0 if found is None else len(found.values)
            raise CorruptStoreError(
                f"{origin}: has {count} values of feature {self.name!r}, one image is expected; write the records alike"
            )
        ((begin, end),) = found.spans()
        return begin, end - begin, self._raw(features, end - begin, origin) if self.sizes else UNKNOWN

    def _raw(self, features: Sequence[Feature], length: int, origin: str) -> Format:
        stated = _numbers(features)
        if any(name not in stated for name in self.sizes):
            raise CorruptStoreError(f"{origin}: does not state {', '.join(self.sizes)}, as the first record does; write the records alike")
        shape = tuple(stated[name] for name in self.sizes)
        if len(shape) == 2:
            shape = (*shape, length // max(1, shape[0] * shape[1]))
        if min(shape) <= 0 or math.prod(shape) > MOST_PIXELS or math.prod(shape) != length:
            words = " × ".join(map(str, shape))
            raise CorruptStoreError(
                f"{origin}: the image in {self.name!r} has {length} bytes, {words} of {', '.join(self.sizes)} does not give that"
            )
        return self.formats.setdefault(shape, Format("raw", shape, "uint8"))


def image_feature(features: Sequence[Feature], record: bytes, chosen: str | None, origin: str) -> ImageFeature:
    """Return which feature of the first record holds its image. Raises InvalidInputError naming the features where that is not clear."""
    single = {each.name: each.spans()[0] for each in features if each.kind == "bytes" and len(each.values) == 1}
    encoded = [name for name, (begin, end) in single.items() if is_image(record[begin : min(end, begin + HEAD_BYTES)])]
    if chosen is not None and chosen not in single:
        raise InvalidInputError(f"{origin}: has no feature {chosen!r} of one run of bytes; {_listed(features)}")
    candidates = [chosen] if chosen in encoded else [] if chosen else encoded
    if ENCODED in candidates:
        candidates = [ENCODED]
    if len(candidates) > 1:
        shown = ", ".join(sorted(candidates))
        raise InvalidInputError(f"{origin}: has several features with images: {shown}; choose one: path::{sorted(candidates)[0]}")
    if candidates:
        return ImageFeature(candidates[0], others=tuple(name for name in encoded if name != candidates[0]))
    found = _raw_feature(features, {chosen: single[chosen]} if chosen else single)
    if found is None:
        raise InvalidInputError(
            f"{origin}: no feature is an encoded image, nor bytes with height, width and depth beside; {_listed(features)}"
        )
    return found


def _raw_feature(features: Sequence[Feature], single: dict[str, tuple[int, int]]) -> ImageFeature | None:
    stated = _numbers(features)
    sizes = [next((name for name in stated if name.rpartition("/")[2] in words), None) for words in (HEIGHTS, WIDTHS, DEPTHS)]
    height, width, depth = sizes
    if height is None or width is None:
        return None
    pixels = stated[height] * stated[width]
    fitting = {pixels * stated[depth]} if depth is not None else {pixels * each for each in USUAL_DEPTHS}
    named = [name for name, (begin, end) in single.items() if end - begin in fitting and end > begin]
    # Sizes that lie fit no feature: then the one that says it is an image is taken, and refused with its numbers.
    named = named or [name for name in single if name == "image" or ("image" in name and "raw" in name)]
    return ImageFeature(named[0], tuple(each for each in sizes if each is not None)) if len(named) == 1 else None


def _numbers(features: Sequence[Feature]) -> dict[str, int]:
    return {each.name: each.values[0] for each in features if each.kind == "int" and len(each.values) == 1}


def _listed(features: Sequence[Feature]) -> str:
    return "features here: " + (", ".join(f"{each.name} ({each.kind})" for each in features)[:500] or "none")
