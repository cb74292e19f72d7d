"""Caffe's LevelDB by plyvel and the message that the protobuf library makes of caffe.proto's Datum."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
databases = importlib.import_module("foreign_databases")


def make(folder: Path) -> None:
    databases.caffe_level(folder / "train_leveldb", 12)
