"""Dispatch: where tasks run is one word, and a wrong one is refused before anything runs."""

from __future__ import annotations

import importlib.util
import operator
import threading

import pytest

from pixstore.errors import DependencyError, InvalidInputError
from pixstore.executors import run


@pytest.mark.parametrize("on", ["threads", "processes"])
def test_the_word_is_the_only_difference(on: str) -> None:
    assert sorted(run(operator.neg, [3, 4, 5], on=on, workers=2)) == [(0, -3), (1, -4), (2, -5)]


def test_one_worker_is_the_default() -> None:
    names = {name for _, name in run(lambda _: threading.current_thread().name, range(20))}
    assert len(names) == 1 and threading.current_thread().name not in names


@pytest.mark.parametrize("on", ["", "thread", "rays", "RAY", "processes=2"])
def test_wrong_words_are_refused_at_once(on: str) -> None:
    with pytest.raises(InvalidInputError, match="none of 'threads', 'processes', 'ray'"):
        run(operator.neg, [1], on=on)


def test_no_workers_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="0 workers"):
        run(operator.neg, [1], workers=0)


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed here")
def test_missing_ray_is_named_with_its_remedy() -> None:
    with pytest.raises(DependencyError, match=r"pip install 'pixstore\[ray\]'"):
        list(run(operator.neg, [1], on="ray"))
