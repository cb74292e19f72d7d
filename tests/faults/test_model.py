"""The model in the short tier: a few stories per engine."""

from __future__ import annotations

import pytest

from faults.forked import run_forked
from faults.model import play
from faults.samples import ENGINES

SHORT_STEPS = 30


@pytest.mark.parametrize("engine", ENGINES)
def test_store_agrees_with_a_dict(engine: str) -> None:
    # In a child: a library that ends its process must not end the tests.
    reply = run_forked(play, engine, 0, SHORT_STEPS, seconds=150)
    assert reply.is_whole, str(reply)
