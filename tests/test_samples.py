"""Sample and Batch hold what they are given, and make deferred values once, when asked."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from pixstore.errors import BadRow, NameNotFoundError
from pixstore.samples import Batch, Deferred, Sample


class Counted:
    """Counts how often it is called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> list[str]:
        self.calls += 1
        return ["a", "b"]


def test_deferred_value_is_made_once_and_only_when_asked_for() -> None:
    make = Counted()
    batch = Batch({"image": np.zeros((2, 3, 4)), "key": Deferred(make)}, 2)
    assert "key" in batch and make.calls == 0 and "key=…" in repr(batch)
    assert batch.key == ["a", "b"] and batch["key"] == ["a", "b"] and make.calls == 1
    assert list(batch) == ["image", "key"] and len(batch) == 2 and batch.image.shape == (2, 3, 4)


def test_batch_pickles_with_its_deferred_values() -> None:
    batch = Batch(
        {"key": Deferred(lambda: ["a", "b"]), "label": np.arange(2)}, 2, ok=np.array([True, False]), bad=(BadRow(1, "b", "", "why"),)
    )
    again = pickle.loads(pickle.dumps(batch))
    assert again["key"] == ["a", "b"] and again["label"].tolist() == [0, 1] and again.ok.tolist() == [True, False]
    assert again.bad == batch.bad and len(again) == 2


def test_unknown_name_lists_those_that_are_there() -> None:
    with pytest.raises(NameNotFoundError, match="no field or column 'maks'; here: image, mask"):
        Sample({"image": 1, "mask": 2})["maks"]


def test_all_rows_of_a_batch_are_good_unless_said() -> None:
    assert Batch({}, 3).ok.tolist() == [True] * 3 and Batch({}, 0).ok.shape == (0,)
