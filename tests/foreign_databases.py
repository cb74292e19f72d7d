"""LMDB files as others make them, with py-lmdb, Pillow, pickle and the protobuf library; each maker returns the bytes of the records."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import plyvel
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from numpy.typing import NDArray
from PIL import Image

KINDS = descriptor_pb2.FieldDescriptorProto
DATUM_FIELDS = (
    ("channels", 1, KINDS.TYPE_INT32, KINDS.LABEL_OPTIONAL),
    ("height", 2, KINDS.TYPE_INT32, KINDS.LABEL_OPTIONAL),
    ("width", 3, KINDS.TYPE_INT32, KINDS.LABEL_OPTIONAL),
    ("data", 4, KINDS.TYPE_BYTES, KINDS.LABEL_OPTIONAL),
    ("label", 5, KINDS.TYPE_INT32, KINDS.LABEL_OPTIONAL),
    ("float_data", 6, KINDS.TYPE_FLOAT, KINDS.LABEL_REPEATED),
    ("encoded", 7, KINDS.TYPE_BOOL, KINDS.LABEL_OPTIONAL),
)
"""Caffe's message, as caffe.proto has it."""


def _datum_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    message = file.message_type.add(name="Datum")
    for name, number, kind, label in DATUM_FIELDS:
        message.field.add(name=name, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.Datum"))


Datum = _datum_class()


def images(count: int, *, height: int = 12, width: int = 10, channels: int = 3) -> NDArray[np.uint8]:
    """Return RGB images, no two alike."""
    return np.random.default_rng(count).integers(0, 256, (count, height, width, channels), dtype=np.uint8)


def encoded(image: NDArray[np.uint8], form: str = "png") -> bytes:
    made = io.BytesIO()
    Image.fromarray(image).save(made, form)
    return made.getvalue()


def write(path: Path, items: Mapping[bytes, bytes], *, name: bytes | None = None, subdir: bool = True) -> Path:
    """Write these entries into an environment, or into a named database of it."""
    with lmdb.open(str(path), map_size=1 << 26, subdir=subdir, lock=False, max_dbs=9) as environment:
        database = environment.open_db(name)
        with environment.begin(db=database, write=True) as transaction:
            for key, value in items.items():
                transaction.put(key, value)
    return path


def datum(image: NDArray[Any], label: int | None = 0, **changed: Any) -> bytes:
    """Return a message as Caffe's tools make it: planes of blue, green and red; fields may be changed."""
    planes = image[..., ::-1].transpose(2, 0, 1)
    size = dict(zip(("channels", "height", "width"), planes.shape, strict=True))
    held: dict[str, Any] = {"data": planes.tobytes()} if image.dtype == np.uint8 else {"float_data": planes.ravel().tolist()}
    values = {**size, **held, "label": label, **changed}
    return bytes(Datum(**{key: value for key, value in values.items() if value is not None}).SerializeToString())


def planar_bgr(image: NDArray[Any]) -> bytes:
    return image[..., ::-1].transpose(2, 0, 1).tobytes()


def caffe(path: Path, count: int = 10) -> list[bytes]:
    made = images(count)
    write(path, {b"%08d_cat%d.jpg" % (number, number): datum(image, number % 3) for number, image in enumerate(made)})
    return [planar_bgr(image) for image in made]


def caffe_encoded(path: Path, count: int = 10) -> list[bytes]:
    files = [encoded(image, "png" if number % 2 else "jpeg") for number, image in enumerate(images(count))]
    write(path, {b"%08d" % number: Datum(data=file, label=7, encoded=True).SerializeToString() for number, file in enumerate(files)})
    return files


def caffe_floats(path: Path, count: int = 6) -> list[bytes]:
    made = images(count).astype(np.float32) / 255
    write(path, {b"%08d" % number: datum(image, number) for number, image in enumerate(made)})
    return [planar_bgr(image) for image in made]


def basicsr(path: Path, count: int = 10) -> list[bytes]:
    files = {f"{number:04}": encoded(image) for number, image in enumerate(images(count))}
    write(path, {key.encode(): file for key, file in files.items()})
    (path / "meta_info.txt").write_text("".join(f"{key}.png (12,10,3) 1\n" for key in files))
    return list(files.values())


def arrays(path: Path, count: int = 10, *, resolution: str | Sequence[str] = "3_12_10", protocol: int = 4) -> list[bytes]:
    values = {f"{number:04}": image[..., ::-1].tobytes() for number, image in enumerate(images(count))}
    write(path, {key.encode(): value for key, value in values.items()})
    meta = {"name": "cats", "resolution": [resolution] if isinstance(resolution, str) else list(resolution), "keys": list(values)}
    (path / "meta_info.pkl").write_bytes(pickle.dumps(meta, protocol))
    return list(values.values())


def pairs(path: Path, count: int = 12) -> list[bytes]:
    files = [encoded(image) for image in images(count)]
    entries = {b"image_%d" % number: file for number, file in enumerate(files)}
    write(path, entries | {b"label_%d" % number: b"%d" % (number % 5) for number in range(count)})
    return files


def of_images(path: Path, count: int = 10) -> list[bytes]:
    files = {f"photos/{number:02}.jpg".encode(): encoded(image, "jpeg") for number, image in enumerate(images(count))}
    write(path, files)
    return list(files.values())


def databases(path: Path, count: int = 10) -> list[bytes]:
    files = {f"{number:02}.png".encode(): encoded(image) for number, image in enumerate(images(count))}
    write(path, {b"license": b"CC0"}, name=b"about", subdir=False)
    write(path, files, name=b"images", subdir=False)
    return list(files.values())


def write_level(
    path: Path, items: Mapping[bytes, bytes], *, compression: str | None = "snappy", tables: bool = False, **options: Any
) -> Path:
    """Write these entries into a LevelDB database; `tables`: leave none of them in its log."""
    with plyvel.DB(str(path), create_if_missing=True, compression=compression, **options) as database:
        for key, value in items.items():
            database.put(key, value)
        if tables:
            database.compact_range()
    return path


def caffe_level(path: Path, count: int = 10, *, compression: str | None = "snappy", tables: bool = True) -> list[bytes]:
    made = images(count)
    # Every other image is of one colour, which shrinks.
    made[::2] = made[::2, :1, :1]
    items = {b"%08d_cat%d.jpg" % (number, number): datum(image, number % 3) for number, image in enumerate(made)}
    write_level(path, items, compression=compression, tables=tables)
    return [planar_bgr(image) for image in made]
