"""Arguments of `load` that do not fit each other; what it gives is held against the native core in test_parity_load.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pixstore.reference import load

ONE = {"codecs": np.zeros(1, np.uint8), "shapes": np.array([[1, 2, 3]], np.int32), "sample_bytes": np.ones(1, np.uint8)}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"codecs": np.zeros(2, np.uint8)}, "2 codecs for 3 records"),
        ({"shapes": np.ones((2, 3), np.int32)}, "2 shapes for 3 records"),
        ({"sample_bytes": np.array([4], np.uint8)}, "1 or 2 bytes"),
        ({"steps": [("unknown",)]}, "no step"),
        ({"out": np.empty(19, np.uint8)}, "does not divide"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(changed: dict[str, Any], reason: str) -> None:
    arguments = {**ONE, "steps": [], "out": np.empty(18, np.uint8), **changed}
    with pytest.raises(ValueError, match=reason):
        load([bytes(6)] * 3, **arguments)
