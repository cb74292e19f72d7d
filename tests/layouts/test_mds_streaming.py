"""What mosaicml-streaming and TensorFlow write themselves opens in place; needs the environment of `make test-frameworks`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streaming
import tensorflow
from PIL import Image

import pixstore

sys.path.append(str(Path(__file__).parents[1]))
foreign = importlib.import_module("foreign_tables")

ENCODINGS = {
    "png": Image.fromarray,
    "pil": Image.fromarray,
    "ndarray": np.asarray,
    "ndarray:uint8": np.asarray,
    "ndarray:uint8:9,7,3": np.asarray,
}


@pytest.mark.parametrize("compression", [None, "zstd:3"])
@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_what_streaming_writes_is_read(tmp_path: Path, encoding: str, compression: str | None) -> None:
    columns = {"image": encoding, "label": "int", "name": "str", "share": "float32", "box": "ndarray:float32", "count": "str_int"}
    options: dict[str, Any] = {"compression": compression, "hashes": ["sha1", "xxh64"], "size_limit": 1500}
    with streaming.MDSWriter(out=str(tmp_path / "d"), columns=columns, **options) as writer:
        for number in range(10):
            row = {"label": number % 3, "name": f"n{number}", "share": number / 2, "box": np.zeros(4, np.float32), "count": number**3}
            writer.write({"image": ENCODINGS[encoding](foreign.pixels(number)), **row})
    dataset = pixstore.open(tmp_path / "d")
    assert all(np.array_equal(dataset[number].image, foreign.pixels(number)) for number in (9, 0, 4))
    assert dataset.table.drop_columns(["key"]).to_pydict() == {
        "count": [number**3 for number in range(10)],
        "label": [number % 3 for number in range(10)],
        "name": [f"n{number}" for number in range(10)],
        "share": [number / 2 for number in range(10)],
    }
    assert any("'box'" in note for note in dataset.report.notes) or "box" not in dataset.table.column_names


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_what_tensorflow_writes_is_read(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x.tfrecord"
    with tensorflow.io.TFRecordWriter(str(path), tensorflow.io.TFRecordOptions(compression_type=compression)) as writer:
        for number in range(5):
            features = {
                "image/encoded": tensorflow.train.Feature(
                    bytes_list=tensorflow.train.BytesList(value=[tensorflow.io.encode_png(foreign.pixels(number)).numpy()])
                ),
                "image/class/label": tensorflow.train.Feature(int64_list=tensorflow.train.Int64List(value=[number - 2])),
                "share": tensorflow.train.Feature(float_list=tensorflow.train.FloatList(value=[number / 4])),
            }
            writer.write(tensorflow.train.Example(features=tensorflow.train.Features(feature=features)).SerializeToString())
    dataset = pixstore.open(path)
    assert dataset.table["label"].to_pylist() == [-2, -1, 0, 1, 2] and dataset.table["share"].to_pylist() == [0, 0.25, 0.5, 0.75, 1]
    assert all(np.array_equal(dataset[number].image, foreign.pixels(number)) for number in range(5))
