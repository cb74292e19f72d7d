"""The columns of MDS shards that are no images, as Arrow arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError
from pixstore.source import SourceReport
from pixstore.sources.mosaic.index import MdsShard
from pixstore.sources.mosaic.shard import Values, gathered
from pixstore.sources.mosaic.values import NUMBERS_AS_TEXT, TEXTS, is_image_encoding, number_type

KEPT_AS_BYTES = ("bytes",)
MAX_COLUMN_BYTES = 1 << 30


def kept_columns(shard: MdsShard, image: str, report: SourceReport) -> list[str]:
    """Return the columns beside the image that are kept; the others are named in the report."""
    kept = []
    for name, encoding in zip(shard.names, shard.encodings, strict=True):
        if name == image or is_image_encoding(encoding):
            continue
        if number_type(encoding) is None and encoding not in (*TEXTS, *NUMBERS_AS_TEXT, *KEPT_AS_BYTES):
            why = "; nothing is unpickled" if encoding == "pkl" else ""
            report.notes.append(f"column {name!r} of encoding {encoding!r} is left out: numbers, text and bytes are kept{why}")
        else:
            kept.append(name)
    return kept


def column_of(shard: MdsShard, name: str, data: NDArray[np.uint8], place: Values) -> pa.Array:
    """Return one column of a shard. Raises CorruptStoreError for text that is none or takes over 1 GiB."""
    encoding = shard.encodings[shard.names.index(name)]
    kind = number_type(encoding)
    if kind is not None:
        return pa.array(gathered(data, place.offset, kind.itemsize).view(kind.newbyteorder("<")).reshape(-1).astype(kind))
    if int(place.length.sum()) > MAX_COLUMN_BYTES:
        raise CorruptStoreError(f"{shard.path}: column {name!r} takes over {MAX_COLUMN_BYTES} bytes; leave it out")
    values = [data[begin : begin + length].tobytes() for begin, length in zip(place.offset.tolist(), place.length.tolist(), strict=True)]
    if encoding in KEPT_AS_BYTES:
        return pa.array(values, pa.binary())
    try:
        return _from_text(encoding, [value.decode() for value in values])
    except (ValueError, OverflowError, pa.ArrowException) as error:
        raise CorruptStoreError(f"{shard.path}: column {name!r} is not readable as {encoding}: {error}; get the file again") from error


def _from_text(encoding: str, texts: list[str]) -> pa.Array:
    if encoding not in NUMBERS_AS_TEXT:
        return pa.array(texts, pa.string())
    read: Any = NUMBERS_AS_TEXT[encoding]
    return pa.array([read(text) for text in texts], pa.int64() if encoding == "str_int" else pa.float64())
