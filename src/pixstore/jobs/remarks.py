"""What is worth a note about samples that are good: how many, and the first of them by key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixstore.engine import FieldRecords

SHOWN = 3
TRAILING = "bytes after the end of the image"
MISNAMED = "named otherwise than they are"

CODECS = {
    **dict.fromkeys(("png", "apng"), "png"),
    **dict.fromkeys(("jpg", "jpeg", "jpe", "jfif"), "jpeg"),
    **dict.fromkeys(("tif", "tiff"), "tiff"),
    **{name: name for name in ("gif", "bmp", "webp", "qoi", "avif")},
}
"""The codec that a suffix says, for suffixes that say one."""


@dataclass(frozen=True)
class Remark:
    """So many samples of which the same is to be said, and a word for each of the first."""

    what: str
    count: int
    first: tuple[str, ...]

    def __str__(self) -> str:
        more = f" and {self.count - len(self.first)} more" if self.count > len(self.first) else ""
        return f"{self.what}: {self.count:,} ({', '.join(self.first)}{more})"


def summed(remarks: Iterable[Remark]) -> list[Remark]:
    """Return one remark for each thing that is said."""
    found: dict[str, Remark] = {}
    for each in remarks:
        known = found.get(each.what, Remark(each.what, 0, ()))
        found[each.what] = Remark(each.what, known.count + each.count, (known.first + each.first)[:SHOWN])
    return list(found.values())


def with_trailing(keys: pa.Array, trailing: NDArray[np.int64]) -> list[Remark]:
    """Remark on images after whose end more bytes follow; they are kept."""
    return _remark(TRAILING, [str(keys[row]) for row in np.flatnonzero(trailing > 0).tolist()])


def misnamed(keys: pa.Array, records: FieldRecords) -> list[Remark]:
    """Remark on images whose key ends in the suffix of another codec than theirs."""
    found: list[str] = []
    for number, form in enumerate(records.formats):
        suffixes = [suffix for suffix, codec in CODECS.items() if codec == form.codec]
        if suffixes:
            here = keys if len(records.formats) == 1 else keys.filter(pa.array(records.format == number))
            found += [f"{key} is {form.codec}" for key in _unlike(here, suffixes)]
    return _remark(MISNAMED, found)


def _unlike(keys: pa.Array, suffixes: Sequence[str]) -> list[str]:
    """Return the keys that end in a known suffix that is none of these."""
    fits = pc.ends_with(keys, f".{suffixes[0]}")
    for suffix in suffixes[1:]:
        fits = pc.or_(fits, pc.ends_with(keys, f".{suffix}"))
    # Few are left here: those with capital letters, and those that are looked for.
    others = keys.filter(pc.invert(fits)).to_pylist()
    endings = [each.rpartition(".")[2].lower() for each in others]
    return [key for key, ending in zip(others, endings, strict=True) if ending in CODECS and ending not in suffixes]


def _remark(what: str, words: list[str]) -> list[Remark]:
    return [Remark(what, len(words), tuple(words[:SHOWN]))] if words else []
