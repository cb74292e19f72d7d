"""Options check themselves and pickle as what was said."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from pixstore.errors import InvalidInputError
from pixstore.loader.options import LoaderOptions


def test_pickle_holds_only_what_was_said() -> None:
    options = LoaderOptions(batch_size=4, shuffle="window", window=100, seed=3)
    assert pickle.loads(pickle.dumps(options)) == options
    assert len(pickle.dumps(options)) < 200


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"batch_size": 2.5}, "batch_size is 2.5"),
        ({"batch_size": True}, "batch_size is True"),
        ({"window": 1}, "window is 1"),
        ({"ahead": -1}, "ahead is -1"),
        ({"seed": 2**64}, "below 2"),
        ({"orientation": "turn"}, "orientation is 'turn': one of 'apply', 'ignore'"),
        ({"bucket": "area"}, "bucket is 'area'"),
        ({"world_size": 0}, "world_size is 0"),
        ({"rank": -1}, "rank -1 of world_size 1"),
        ({"weights": [1.0], "balance": "label", "shuffle": True}, "give one of them"),
        ({"weights": [1.0], "shuffle": "window"}, "not 'window'"),
        ({"shuffle": 1}, "shuffle is 1"),
    ],
)
def test_bad_value_is_refused_and_printed(said: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        LoaderOptions(**{"batch_size": 4, **said})


def test_numpy_numbers_are_numbers() -> None:
    assert LoaderOptions(batch_size=int(np.int64(4)), seed=0).batch_size == 4
    assert LoaderOptions(batch_size=np.int64(4)).batch_size == 4  # type: ignore[arg-type]
