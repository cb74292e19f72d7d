"""Images of a dataset as files of known kinds: stored bytes untouched where they are of such a kind, all others as PNG."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixstore.layout import Encoded, Export, encode_png
from pixstore.samples import IMAGE
from pixstore.schema import Format

RAW = "raw"


@dataclass(frozen=True)
class Kept:
    """Which stored bytes are written as they are: those of these codecs, and of these dtypes where that matters."""

    codecs: Collection[str]

    def takes(self, record: bytes, form: Format) -> bool:
        """Return whether a record is written untouched."""
        return form.codec in self.codecs


def encoded_images(export: Export, kept: Kept, field: str = IMAGE) -> Iterator[Encoded]:
    """Yield all samples in order, some megabytes at a time; each record is what `kept` takes, a PNG file, or None where there is none."""
    for part in export.encoded(field):
        other = [
            place
            for place, (record, form) in enumerate(zip(part.records, part.formats, strict=True))
            if record is not None and not kept.takes(record, form)
        ]
        yield _as_png(export, part, other, field) if other else part


def _as_png(export: Export, part: Encoded, places: list[int], field: str) -> Encoded:
    pixels = list(_pixels(export, part, places, field))
    records, formats = list(part.records), list(part.formats)
    for place, image, record in zip(places, pixels, encode_png(pixels, export.threads), strict=True):
        records[place], formats[place] = record, Format("png", image.shape, image.dtype.name)
    return replace(part, records=records, formats=formats)


def _pixels(export: Export, part: Encoded, places: list[int], field: str) -> Iterator[NDArray[Any]]:
    if not all(part.formats[place].codec == RAW and part.formats[place].is_known for place in places):
        yield from export.dataset.read(part.rows[places], fields=[field], columns=[], threads=export.threads)[field]
        return
    for place in places:
        # Raw records are the array itself, which need not be read a second time.
        form = part.formats[place]
        dtype = np.dtype(form.dtype or "")
        image = np.frombuffer(part.records[place] or b"", dtype.newbyteorder("<") if dtype.isnative else dtype).reshape(form.shape or ())
        yield image.astype(dtype.newbyteorder("="), copy=False)
