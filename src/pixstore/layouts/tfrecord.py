"""TFRecord shards of tf.train.Example, `data-00000-of-00002.tfrecord`, with the names of features that image models read.

`image/encoded` and `image/format`, `image/class/label` and `image/class/text`, `key`; columns keep their names. What a sample lacks is not
in its record. Floats are float32. Format: tensorflow.org/tutorials/load_data/tfrecord.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixstore import wire
from pixstore.dataset import Dataset
from pixstore.layout import Encoded, Export, Layout, Loss, require_image_field
from pixstore.layouts.images import Kept, encoded_images
from pixstore.layouts.losses import LABEL, attributes_lost, columns_lost, fields_lost, missing_lost, require_pixels
from pixstore.schema import KEY
from pixstore.sources.examples.file import HEAD, TAIL_BYTES, masked_checksum
from pixstore.sources.examples.images import ENCODED

CODECS = ("png", "jpeg", "bmp", "gif")
"""What tf.io.decode_image reads."""
FORMAT, CLASS, TEXT = "image/format", "image/class/label", "image/class/text"
BYTES_LIST, FLOAT_LIST, INT_LIST = 1, 2, 3


class TfRecord(Layout):
    """TFRecord files of tf.train.Example."""

    name = "tfrecord"
    words = "TFRecord shards of tf.train.Example with image/encoded and image/class/label: tf.data, any TFRecord reader"

    def losses(self, dataset: Dataset) -> list[Loss]:
        require_image_field(dataset, self.name)
        require_pixels(dataset, self.name, "PNG")
        kept = [name for name in dataset.schema.columns.names if _holds(dataset.table[name])]
        return [
            *missing_lost(dataset),
            *_classes_lost(dataset),
            *columns_lost(dataset, kept),
            *attributes_lost(dataset),
            *fields_lost(dataset),
        ]

    def write(self, export: Export) -> None:
        export.place.mkdir(parents=True)
        columns = [name for name in export.dataset.schema.columns.names if _holds(export.dataset.table[name])]
        paths: list[Path] = []
        file: BinaryIO | None = None
        try:
            for part in encoded_images(export, Kept(CODECS)):
                for record in _records(export.dataset, part, columns):
                    if file is None or file.tell() >= export.shard_bytes:
                        if file is not None:
                            file.close()
                        paths.append(export.place / f"data-{len(paths):05}")
                        file = paths[-1].open("wb")
                    _write(file, record)
        finally:
            if file is not None:
                file.close()
        for path in paths:
            path.rename(path.with_name(f"{path.name}-of-{len(paths):05}.tfrecord"))


def _classes_lost(dataset: Dataset) -> list[Loss]:
    """Return the loss of class names that no sample has: a name stands in the records of its class alone."""
    labels = set(pc.unique(dataset.table[LABEL]).to_pylist()) if dataset.classes else set()
    lost = [name for number, name in enumerate(dataset.classes) if number not in labels]
    return [Loss("classes", f"the names of {len(lost)} classes without a sample are left out, the first is {lost[0]!r}")] if lost else []


def _holds(column: pa.ChunkedArray) -> bool:
    """Return whether every value of a column is what it was when it is read again."""
    kind = column.type.value_type if pa.types.is_list(column.type) else column.type
    if pa.types.is_list(column.type):
        # A list of nothing is not told from no list.
        counts = pc.list_value_length(column)
        if column.null_count or pc.any(pc.equal(counts, 0)).as_py() or pc.list_flatten(column).null_count:
            return False
        column = pc.list_flatten(column)
    if pa.types.is_floating(kind):
        numbers = pc.drop_null(column).to_numpy()
        return bool(np.array_equal(numbers.astype(np.float32).astype(numbers.dtype), numbers, equal_nan=True))
    if pa.types.is_uint64(kind):
        return bool(len(column) == column.null_count or pc.max(column).as_py() < 1 << 63)
    return bool(pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind))


def _records(dataset: Dataset, part: Encoded, columns: Sequence[str]) -> list[bytes]:
    """Return the Example of each sample that has an image."""
    values = {name: part.table[name].to_pylist() for name in columns}
    features = {name: _feature_of(dataset.table[name].type) for name in columns}
    found = []
    for place, (key, image, form) in enumerate(zip(part.keys, part.records, part.formats, strict=True)):
        if image is None:
            continue
        entries = [
            _entry(ENCODED, _bytes([image])),
            _entry(FORMAT, _bytes([(form.codec or "").encode()])),
            _entry(KEY, _bytes([key.encode()])),
        ]
        for name in columns:
            value = values[name][place]
            if value is not None:
                is_class = name == LABEL and features[name] is _ints
                entries.append(_entry(CLASS if is_class else name, features[name](value if isinstance(value, list) else [value])))
                if is_class and isinstance(value, int) and 0 <= value < len(dataset.classes):
                    entries.append(_entry(TEXT, _bytes([dataset.classes[value].encode()])))
        found.append(wire.bytes_field(1, b"".join(entries)))
    return found


def _feature_of(kind: pa.DataType) -> Callable[[list[Any]], bytes]:
    kind = kind.value_type if pa.types.is_list(kind) else kind
    if pa.types.is_floating(kind):
        return _floats
    return _ints if pa.types.is_integer(kind) else _bytes


def _entry(name: str, feature: bytes) -> bytes:
    """Return one entry of the map of features."""
    return wire.bytes_field(1, wire.bytes_field(1, name.encode()) + wire.bytes_field(2, feature))


def _bytes(values: list[Any]) -> bytes:
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    return wire.bytes_field(BYTES_LIST, b"".join(wire.bytes_field(1, value) for value in encoded))


def _floats(values: list[Any]) -> bytes:
    return wire.bytes_field(FLOAT_LIST, wire.packed_floats_field(1, values))


def _ints(values: list[Any]) -> bytes:
    return wire.bytes_field(INT_LIST, wire.packed_varints_field(1, values))


def _write(file: BinaryIO, record: bytes) -> None:
    length = len(record).to_bytes(8, "little")
    file.write(HEAD.pack(len(record), masked_checksum(length)))
    file.write(record)
    file.write(masked_checksum(record).to_bytes(TAIL_BYTES, "little"))


LAYOUT = TfRecord()
