"""Caffe's LMDB, by py-lmdb and the message that the protobuf library makes of caffe.proto's Datum."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))
databases = importlib.import_module("foreign_databases")


def make(folder: Path) -> None:
    databases.caffe(folder / "train_lmdb", 12)
    databases.caffe_encoded(folder / "encoded_lmdb", 4)
    databases.caffe_floats(folder / "floats_lmdb", 4)
    good = databases.images(1)[0]
    databases.write(folder / "wrong_lmdb", {b"0": databases.datum(good), b"1": databases.datum(good, height=99)})
    np.save(folder / "first.npy", databases.images(12)[0])
