"""MosaicML Streaming (MDS): index.json and shards of samples whose values stand one after the other.

The image is a column of encoding `jpeg` or `png`, `key` and text are `str`, numbers have their type. Values are in the order of the names
of their columns, sizes of those without a fixed one before them. Format: docs.mosaicml.com/projects/streaming, "Dataset format".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.dataset import Dataset
from pixstore.errors import LimitExceededError
from pixstore.layout import Encoded, Export, Layout, Loss, require_image_field
from pixstore.layouts.images import Kept, encoded_images
from pixstore.layouts.losses import attributes_lost, classes_lost, columns_lost, fields_lost, formats_of, missing_lost, require_pixels
from pixstore.samples import IMAGE
from pixstore.schema import KEY
from pixstore.sources.mosaic.index import INDEX, VERSION
from pixstore.sources.mosaic.values import IMAGES, NUMBERS, fixed_size

MOST_SHARD_BYTES = 1 << 31
"""Offsets are uint32; half of what they hold leaves room for one more sample."""
MOST_OFFSET = (1 << 32) - 1
HASH = "sha1"


class Mds(Layout):
    """A data set of MosaicML Streaming."""

    name = "mds"
    words = "MosaicML Streaming shards with index.json: streaming.StreamingDataset"

    def losses(self, dataset: Dataset) -> list[Loss]:
        require_image_field(dataset, self.name)
        require_pixels(dataset, self.name, "PNG")
        lost = [*missing_lost(dataset), *classes_lost(dataset), *columns_lost(dataset, _encodings(dataset))]
        return [*lost, *attributes_lost(dataset), *fields_lost(dataset)]

    def write(self, export: Export) -> None:
        export.place.mkdir(parents=True)
        is_jpeg = all(each.codec == "jpeg" for each in formats_of(export.dataset))
        # Readers open an image of either encoding by its own first bytes: a mixture is held by either.
        columns = {IMAGE: "jpeg" if is_jpeg else "png", KEY: "str", **_encodings(export.dataset)}
        columns = {name: columns[name] for name in sorted(columns)}
        shards: list[dict[str, Any]] = []
        for samples in _shards(export, columns):
            shards.append(_write_shard(export.place, len(shards), samples, columns, export.shard_bytes))
        (export.place / INDEX).write_text(json.dumps({"shards": shards, "version": VERSION}, sort_keys=True))


def _encodings(dataset: Dataset) -> dict[str, str]:
    """Return the columns that are kept and how; there is no way to say that a value is missing."""
    found = {}
    for column in dataset.schema.columns:
        is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        encoding = "str" if is_text else "bytes" if pa.types.is_binary(column.type) else _number(column.type)
        if encoding is not None and dataset.table[column.name].null_count == 0:
            found[column.name] = encoding
    return found


def _number(kind: pa.DataType) -> str | None:
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        name = np.dtype(kind.to_pandas_dtype()).name
        return "int" if name == "int64" else name if name in NUMBERS else None
    return None


def _shards(export: Export, columns: dict[str, str]) -> Iterator[list[bytes]]:
    """Yield the samples of one shard after the other."""
    held: list[bytes] = []
    size = 0
    for part in encoded_images(export, Kept(IMAGES)):
        for sample in _samples(part, columns):
            if held and size + len(sample) > min(export.shard_bytes, MOST_SHARD_BYTES):
                yield held
                held, size = [], 0
            held.append(sample)
            size += len(sample)
    if held:
        yield held


def _samples(part: Encoded, columns: dict[str, str]) -> Iterator[bytes]:
    values = {name: part.records if name == IMAGE else _encoded(part.table[name], encoding) for name, encoding in columns.items()}
    is_fixed = {name: fixed_size(encoding) is not None for name, encoding in columns.items()}
    for place, image in enumerate(part.records):
        if image is not None:
            row = {name: values[name][place] or b"" for name in columns}
            sizes = np.array([len(row[name]) for name in columns if not is_fixed[name]], "<u4")
            yield sizes.tobytes() + b"".join(row.values())


def _encoded(column: pa.ChunkedArray, encoding: str) -> Sequence[bytes]:
    if encoding == "str":
        return [str(value).encode() for value in column.to_pylist()]
    if encoding == "bytes":
        found: list[bytes] = column.to_pylist()
        return found
    numbers: NDArray[Any] = column.to_numpy()
    return [number.tobytes() for number in numbers.astype(numbers.dtype.newbyteorder("<"))]


def _write_shard(folder: Path, number: int, samples: Sequence[bytes], columns: dict[str, str], shard_bytes: int) -> dict[str, Any]:
    """Write one shard and return what the index says of it."""
    described = {
        "column_encodings": list(columns.values()),
        "column_names": list(columns),
        "column_sizes": [fixed_size(encoding) for encoding in columns.values()],
        "compression": None,
        "format": "mds",
        "hashes": [HASH],
        "size_limit": shard_bytes,
        "version": VERSION,
    }
    config = json.dumps(described, sort_keys=True).encode()
    head = 4 + 4 * (len(samples) + 1) + len(config)
    offsets = head + np.cumsum([0, *map(len, samples)], dtype=np.int64)
    if offsets[-1] > MOST_OFFSET:
        raise LimitExceededError(f"{folder}: a sample of {len(samples[-1])} bytes; an MDS shard holds {MOST_OFFSET} bytes")
    content = b"".join([len(samples).to_bytes(4, "little"), offsets.astype("<u4").tobytes(), config, *samples])
    name = f"shard.{number:05}.mds"
    (folder / name).write_bytes(content)
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return {
        **described,
        "raw_data": {"basename": name, "bytes": len(content), "hashes": {HASH: digest}},
        "samples": len(samples),
        "zip_data": None,
    }


LAYOUT = Mds()
