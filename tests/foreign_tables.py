"""Parquet, Arrow, TFRecord and MDS as others write them: pyarrow, protobuf with the published schema, and MDS laid out by hand.

Used by tests of sources and layouts and by the pages of docs/layouts. What mosaicml-streaming writes is read in
tests/layouts/test_mds_streaming.py.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from numpy.typing import NDArray
from PIL import Image
from pyarrow import feather

Pixels = NDArray[np.uint8]
IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
CLASSES = ("cat", "dog")
STATIC_SIZES = {"int": 8, "uint8": 1, "int32": 4, "float32": 4, "float64": 8}


def pixels(number: int, height: int = 9, width: int = 7) -> Pixels:
    """Return an image that no other number has."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)


def png(image: Pixels, kind: str = "png") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def encoded(count: int) -> list[bytes]:
    return [png(pixels(number)) for number in range(count)]


# ---- Parquet and Arrow ----


def image_structs(images: Sequence[bytes | None], paths: Sequence[str | None] | None = None) -> pa.Array:
    named = paths or [None] * len(images)
    return pa.array([{"bytes": image, "path": path} for image, path in zip(images, named, strict=True)], IMAGE_TYPE)


def table(images: Sequence[bytes | None], *, paths: Sequence[str | None] | None = None, **columns: Any) -> pa.Table:
    """Return a table as `datasets` makes it: structs of bytes and path, labels with names."""
    labels = pa.array([number % 2 for number in range(len(images))], pa.int64())
    return described(pa.table({"image": image_structs(images, paths), "label": labels, **columns}))


def described(found: pa.Table, names: Sequence[str] = CLASSES) -> pa.Table:
    features = {"image": {"_type": "Image"}, "label": {"names": list(names), "_type": "ClassLabel"}}
    return found.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def parquet_shards(path: Path) -> list[bytes]:
    images = encoded(11)
    path.mkdir()
    pq.write_table(table(images).slice(0, 6), path / "train-00000-of-00002.parquet", row_group_size=4)
    pq.write_table(table(images).slice(6), path / "train-00001-of-00002.parquet", row_group_size=4)
    return images


def arrow_stream(path: Path) -> list[bytes]:
    images = encoded(11)
    with pa.ipc.new_stream(path, table(images).schema) as writer:
        writer.write_table(table(images), max_chunksize=4)
    return images


def feather_file(path: Path) -> list[bytes]:
    images = encoded(11)
    feather.write_feather(table(images), path, chunksize=4)
    return images


# ---- TFRecord ----


@cache
def example_class() -> Any:
    """Return the message class of tf.train.Example, made of its published schema (example.proto, feature.proto)."""
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="tensorflow", syntax="proto3")
    kind = descriptor_pb2.FieldDescriptorProto

    def add(message: Any, name: str, number: int, type_: int, *, of: str = "", repeated: bool = False, oneof: bool = False) -> None:
        label = kind.LABEL_REPEATED if repeated else kind.LABEL_OPTIONAL
        field = message.field.add(name=name, number=number, type=type_, label=label)
        if of:
            field.type_name = f".tensorflow.{of}"
        if oneof:
            field.oneof_index = 0

    for name, type_ in (("BytesList", kind.TYPE_BYTES), ("FloatList", kind.TYPE_FLOAT), ("Int64List", kind.TYPE_INT64)):
        add(file.message_type.add(name=name), "value", 1, type_, repeated=True)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, of in enumerate(("BytesList", "FloatList", "Int64List"), 1):
        add(feature, f"{of.lower().removesuffix('list')}_list", number, kind.TYPE_MESSAGE, of=of, oneof=True)
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    add(entry, "key", 1, kind.TYPE_STRING)
    add(entry, "value", 2, kind.TYPE_MESSAGE, of="Feature")
    add(features, "feature", 1, kind.TYPE_MESSAGE, of="Features.FeatureEntry", repeated=True)
    add(file.message_type.add(name="Example"), "features", 1, kind.TYPE_MESSAGE, of="Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


def example(features: Mapping[str, Any]) -> bytes:
    """Return one serialized tf.train.Example; a value is bytes, text, an int, a float, or a list of one of these."""
    made = example_class()()
    for name, value in features.items():
        values = value if isinstance(value, list) else [value]
        target = made.features.feature[name]
        if values and isinstance(values[0], int):
            target.int64_list.value.extend(values)
        elif values and isinstance(values[0], float):
            target.float_list.value.extend(values)
        else:
            target.bytes_list.value.extend(each.encode() if isinstance(each, str) else each for each in values)
    return bytes(made.SerializeToString(deterministic=True))


def checksum(data: bytes) -> bytes:
    found = google_crc32c.value(data)
    return struct.pack("<I", ((found >> 15 | found << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def frame(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record))
    return length + checksum(length) + record + checksum(record)


def write_tfrecord(path: Path, rows: Sequence[Mapping[str, Any]], *, compressed: bool = False) -> Path:
    content = b"".join(frame(example(row)) for row in rows)
    path.write_bytes(gzip.compress(content) if compressed else content)
    return path


def image_rows(count: int) -> list[dict[str, Any]]:
    return [
        {"image/encoded": image, "image/format": "png", "image/class/label": number % 2, "image/class/text": CLASSES[number % 2]}
        for number, image in enumerate(encoded(count))
    ]


def tfrecord(path: Path, *, compressed: bool = False) -> list[bytes]:
    write_tfrecord(path, image_rows(7), compressed=compressed)
    return encoded(7)


def tfrecord_raw(path: Path) -> list[bytes]:
    images = [pixels(number) for number in range(7)]
    rows = [{"image_raw": image.tobytes(), "height": 9, "width": 7, "depth": 3, "label": 1} for image in images]
    write_tfrecord(path, rows)
    return [image.tobytes() for image in images]


# ---- MDS ----


def mds_array(image: NDArray[Any]) -> bytes:
    """Return an array as the encoding `ndarray` keeps it: dtype, dimensions, sizes of one byte each, values."""
    codes = {"uint8": 8, "uint16": 16}
    return bytes([codes[image.dtype.name], image.ndim << 2, *image.shape]) + image.tobytes()


def mds_pil(image: Pixels) -> bytes:
    return struct.pack("<III", image.shape[1], image.shape[0], 3) + b"RGB" + image.tobytes()


def write_mds(
    path: Path,
    columns: Mapping[str, str],
    rows: Sequence[Mapping[str, bytes]],
    *,
    per_shard: int = 4,
    compressed: bool = False,
    **stated: Any,
) -> Path:
    """Write an MDS folder; rows have the bytes of their values. `stated` replaces what the index says of the last shard."""
    path.mkdir(parents=True)
    names = sorted(columns)
    sizes = [STATIC_SIZES.get(columns[name]) for name in names]
    shards = []
    for start in range(0, len(rows), per_shard):
        number = start // per_shard
        config = {"column_names": names, "column_encodings": [columns[name] for name in names], "column_sizes": sizes}
        samples = [_sample(row, names, sizes) for row in rows[start : start + per_shard]]
        content = _shard(samples, json.dumps(config).encode())
        shards.append({**config, **_files(path, f"shard.{number:05}.mds", content, compressed=compressed), "samples": len(samples)})
    shards[-1].update(stated)
    (path / "index.json").write_text(json.dumps({"shards": shards, "version": 2}))
    return path


def _sample(row: Mapping[str, bytes], names: Sequence[str], sizes: Sequence[int | None]) -> bytes:
    variable = [len(row[name]) for name, size in zip(names, sizes, strict=True) if size is None]
    return np.array(variable, "<u4").tobytes() + b"".join(row[name] for name in names)


def _shard(samples: Sequence[bytes], config: bytes) -> bytes:
    begin = 4 + 4 * (len(samples) + 1) + len(config)
    offsets = begin + np.cumsum([0, *map(len, samples)])
    return struct.pack("<I", len(samples)) + offsets.astype("<u4").tobytes() + config + b"".join(samples)


def _files(path: Path, name: str, content: bytes, *, compressed: bool) -> dict[str, Any]:
    raw = {"basename": name, "bytes": len(content), "hashes": {}}
    common = {"format": "mds", "version": 2, "hashes": [], "size_limit": None, "raw_data": raw}
    if not compressed:
        (path / name).write_bytes(content)
        return {**common, "compression": None, "zip_data": None}
    packed = pa.Codec("zstd").compress(content).to_pybytes()
    (path / f"{name}.zstd").write_bytes(packed)
    return {**common, "compression": "zstd:7", "zip_data": {"basename": f"{name}.zstd", "bytes": len(packed), "hashes": {}}}


def mds_rows(count: int) -> list[dict[str, bytes]]:
    images = encoded(count)
    return [
        {
            "image": image,
            "label": struct.pack("<q", number % 2),
            "name": f"photo {number}".encode(),
            "weight": struct.pack("<f", number / 2),
        }
        for number, image in enumerate(images)
    ]


MDS_COLUMNS = {"image": "png", "label": "int", "name": "str", "weight": "float32"}


def mds(path: Path, *, compressed: bool = False) -> list[bytes]:
    write_mds(path, MDS_COLUMNS, mds_rows(10), compressed=compressed)
    return encoded(10)


def mds_arrays(path: Path) -> list[bytes]:
    images = [pixels(number, 5 + number, 6) for number in range(6)]
    write_mds(path, {"image": "ndarray"}, [{"image": mds_array(image)} for image in images])
    return [image.tobytes() for image in images]
