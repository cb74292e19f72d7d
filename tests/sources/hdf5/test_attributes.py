"""Attributes become values of JSON; what is none, or too much, is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pixstore.sources.hdf5 import attributes as hdf5_attributes
from pixstore.sources.hdf5.attributes import Attributes


def attributes_of(path: Path, **values: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    with h5py.File(path, "w") as file:
        for name, value in values.items():
            file.attrs[name] = value
        return Attributes().of(file.id)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("täxt", "täxt"),
        (np.bytes_("fixed"), "fixed"),
        (7, 7),
        (0.5, 0.5),
        (True, True),
        (float("nan"), "nan"),
        (["a", "b"], ["a", "b"]),
        (np.array([b"a", b"bc"]), ["a", "bc"]),
        (np.array([[1, 2], [3, 4]], ">i2"), [[1, 2], [3, 4]]),
        (np.bytes_(b"\xff"), "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_numbers_and_text_are_values_of_json(tmp_path: Path, value: Any, expected: Any) -> None:
    found, unread = attributes_of(tmp_path / "a.h5", it=value)
    assert (found, unread) == ({"it": expected}, ())
    assert type(found["it"]) is type(expected)
    json.dumps(found, allow_nan=False)


def test_references_compounds_and_nothing_are_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "b.h5", "w") as other:
        reference = other.ref
    values = {"compound": np.zeros(2, [("a", "u1")]), "nothing": h5py.Empty("f4"), "reference": reference, "good": 1}
    found, unread = attributes_of(tmp_path / "a.h5", **values)
    assert found == {"good": 1} and sorted(unread) == ["compound", "nothing", "reference"]


def test_large_values_and_many_names_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_attributes, "MOST_NAMES", 3)
    found, unread = attributes_of(tmp_path / "a.h5", a=np.zeros(5000), b=1, c=2, d=3)
    assert found == {"b": 1, "c": 2} and unread == ("a", "1 more")
    monkeypatch.setattr(hdf5_attributes, "MOST_CHARACTERS", 150)
    assert attributes_of(tmp_path / "b.h5", a="x" * 100, b="y" * 100, c=1) == ({"a": "x" * 100}, ("b", "c"))
