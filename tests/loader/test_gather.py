"""Columns of a batch: arrays where they are numbers, lists made when asked for elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixstore
from pixstore.loader.gather import Columns
from pixstore.rows import Rows


@pytest.fixture(params=[1, 3], ids=["one shard", "three shards"])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Rows:
    path = tmp_path / "s.pixstore"
    for part in range(request.param):
        with pixstore.Writer(path, codec="raw", mode="a" if part else "x") as writer:
            for row in range(part * 10, part * 10 + 10):
                columns: dict[str, Any] = {"label": row, "share": row / 2, "good": row % 2 == 0, "name": f"n{row}", "boxes": [row, row]}
                writer.add(np.zeros((2, 2, 3), np.uint8), some=row if row % 3 else None, **columns)
    return pixstore.open(path)._rows


def test_numbers_are_arrays_in_the_order_asked(rows: Rows) -> None:
    asked = np.array([7, 0, 7, len(rows) - 1])
    found = Columns(rows, ["label", "share", "good", "name", "some"]).numbers(asked)
    assert list(found) == ["label", "share", "good"]
    assert found["label"].tolist() == asked.tolist() and found["share"].tolist() == (asked / 2).tolist()
    assert found["good"].tolist() == (asked % 2 == 0).tolist() and found["label"].dtype == np.int64
    found["label"][0] = 99
    assert Columns(rows, ["label"]).numbers(asked)["label"][0] == 7


def test_everything_else_is_made_when_asked_for_and_the_key_always_comes(rows: Rows) -> None:
    found = Columns(rows, ["name", "boxes", "some"]).deferred(np.array([4, 3]))
    assert {name: list(each.make()) for name, each in found.items()} == {
        "name": ["n4", "n3"],
        "boxes": [[4, 4], [3, 3]],
        "some": [4, None],
        "key": ["00000004", "00000003"],
    }
