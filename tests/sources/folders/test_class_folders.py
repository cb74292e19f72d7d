"""Folders within archives: classes and splits, the folder that holds everything set aside."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pixstore.errors import LabelMismatchError
from pixstore.source import SourceReport
from pixstore.sources.folders.class_folders import columns_of


def found(*keys: str, label_from: str | None = None) -> tuple[dict[str, list[object]], dict[str, tuple[str, ...]]]:
    columns, classes = columns_of(pa.array(keys), label_from, SourceReport())
    return {name: column.to_pylist() for name, column in columns.items()}, classes


def test_folders_are_classes_and_splits() -> None:
    assert found("cat/1", "dog/2") == ({"label": [0, 1]}, {"label": ("cat", "dog")})
    assert found("all/cat/1", "all/dog/2") == ({"label": [0, 1]}, {"label": ("cat", "dog")})
    assert found("all/train/dog/1", "all/test/cat/2") == ({"label": [1, 0], "split": ["train", "test"]}, {"label": ("cat", "dog")})
    assert found("train/1", "test/2") == ({"split": ["train", "test"]}, {})


def test_without_folders_there_are_no_labels() -> None:
    assert found("1", "2") == ({}, {}) and found("all/1", "all/2") == ({}, {})
    assert found("cat/1", "2") == ({}, {})


def test_labels_from_elsewhere_come_first() -> None:
    assert found("cat/1_7", "dog/2_8", label_from=r"_(\d)") == ({"label": [7, 8]}, {})
    with pytest.raises(LabelMismatchError, match="lie in no class folder"):
        found("1", "2", label_from="folder")
