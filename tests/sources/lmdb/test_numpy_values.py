"""Arrays in values are understood by their headers, and one that is not what its header says is refused with its key."""

from __future__ import annotations

import importlib
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixstore.errors import CorruptRecordError, PixstoreError, UnsafeInputError, UnsupportedImageError
from pixstore.schema import Format
from pixstore.source import SourceOptions
from pixstore.sources.lmdb.environment import opened
from pixstore.sources.lmdb.numpy_values import NumpyImages

sys.path.append(str(Path(__file__).parents[2]))
make = importlib.import_module("foreign_databases")


def saved(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def found_in(path: Path, value: bytes, order: Any = "rgb") -> NumpyImages:
    make.write(path, {b"k": value})
    found = NumpyImages(order)
    with opened(path, SourceOptions()) as database:
        found.add(database, 0)
    return found


@pytest.mark.parametrize(
    ("array", "order", "form"),
    [
        (np.zeros((5, 6), np.uint8), "bgr", Format("raw", (5, 6), "uint8")),
        (np.zeros((5, 6, 3), np.uint16), "rgb", Format("raw", (5, 6, 3), "uint16")),
        (np.zeros((5, 6, 3), np.uint8), "bgr", Format("raw-bgr", (5, 6, 3), "uint8")),
        (np.zeros((3, 5, 6), np.float32), "rgb", Format("raw-planar", (5, 6, 3), "float32")),
        (np.zeros((3, 5, 6), np.uint8), "bgr", Format("raw-planar-bgr", (5, 6, 3), "uint8")),
    ],
)
def test_shapes_mean_what_images_have(tmp_path: Path, array: Any, order: Any, form: Format) -> None:
    found = found_in(tmp_path / "a", saved(array), order)
    assert found.formats == [form]
    content = (tmp_path / "a" / "data.mdb").read_bytes()
    assert content[found.offset[0] :][: found.length[0]] == array.tobytes()


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (saved(np.zeros((5, 6, 3), np.uint8))[:-1], CorruptRecordError, "needs 90 bytes, it has 89"),
        (saved(np.zeros((2, 5, 6, 3), np.uint8)), UnsupportedImageError, r"shape \(2, 5, 6, 3\)"),
        (saved(np.zeros((0, 6, 3), np.uint8)), UnsupportedImageError, r"shape \(0, 6, 3\)"),
        (saved(np.array([[None]])), UnsafeInputError, "Python objects"),
        (b"\x93NUMPY\x01\x00\xff\xff{}", PixstoreError, "header"),
    ],
)
def test_wrongly_described_arrays_are_refused_with_their_key(tmp_path: Path, value: bytes, error: type[PixstoreError], words: str) -> None:
    with pytest.raises(error, match=f"key 'k': .*{words}"):
        found_in(tmp_path / "a", value)
