"""Values go through the pipe as they are, and no more of them than the limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pixstore.sources.hdf5.nodes import Node
from pixstore.sources.hdf5.values import Budget, column_lengths, is_column, packed


def node(name: str, shape: tuple[int, ...], number: str = "u", itemsize: int = 1) -> Node:
    return Node(name, "dataset", shape=shape, dtype="uint8", number=number, itemsize=itemsize)


def test_there_may_be_as_many_values_as_images() -> None:
    stacks = [node("x", (9, 4, 5, 3)), node("g/x", (7, 4, 5)), node("rows", (5,), "B")]
    group = [node(f"set/{number}", (4, 5, 3)) for number in range(12)]
    files = [node(str(number), (100 + number,)) for number in range(31)]
    assert column_lengths([*stacks, *group, *files, node("y", (8,), "i", 8)]) == {9, 7, 5, 4, 12, 31, 30}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (node("y", (9,)), True),
        (node("y", (9, 1)), True),
        (node("box", (9, 1024)), True),
        (node("wide", (9, 1025)), False),
        (node("other", (8,)), False),
        (node("one", ()), True),
        (node("x", (9, 4, 5)), False),
        (node("names", (9,), "T", 16), True),
        (node("classes", (3,), "S", 7), True),
        (node("rows", (9,), "B", 16), False),
        (node("rest", (9,), ""), False),
    ],
)
def test_columns_are_told_by_their_axes(found: Node, expected: bool) -> None:
    assert is_column(found, frozenset({9})) == expected


@pytest.mark.parametrize("values", [np.arange(9, dtype=">u4"), np.float16(2), np.array([True, False])])
def test_numbers_are_little_endian_in_their_own_type(tmp_path: Path, values: Any) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset("y", data=values)
        content = packed(made, node("y", made.shape, itemsize=made.dtype.itemsize), Budget())
    assert content == np.asarray(values).astype(np.asarray(values).dtype.newbyteorder("<")).tobytes()


def test_text_is_lengths_and_then_bytes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values, number in (("any", ["ab", "", "ü"], "T"), ("fixed", np.array([b"ab", b"", b"\xc3\xbc"]), "S")):
            made = file.create_dataset(name, data=values)
            content = packed(made, node(name, (3,), number, 2), Budget())
            assert content == bytes([2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]) + b"ab\xc3\xbc"


def test_what_is_left_of_the_limit_is_not_exceeded(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        numbers = file.create_dataset("y", data=np.zeros(100, np.uint8))
        texts = file.create_dataset("t", data=["x" * 100] * 9)
        budget = Budget(150)
        assert packed(numbers, node("y", (100,)), budget) is not None and budget.left == 50
        assert packed(numbers, node("y", (100,)), budget) is None and budget.left == 50
        assert packed(texts, node("t", (9,), "T", 16), budget) is None
