"""One number per value: equal values, equal numbers, however typed and cut; other values, other numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.errors import SchemaError
from pixstore.trust.cells import cell_hashes

VALUES = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(1 << 63), (1 << 63) - 1)), max_size=8).map(lambda values: pa.array(values, pa.int64())),
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), max_size=8).map(lambda values: pa.array(values, pa.float64())),
    st.lists(st.one_of(st.none(), st.text(max_size=4)), max_size=8).map(lambda values: pa.array(values, pa.string())),
    st.lists(st.one_of(st.none(), st.binary(max_size=4)), max_size=8).map(lambda values: pa.array(values, pa.binary())),
    st.lists(st.one_of(st.none(), st.booleans()), max_size=8).map(lambda values: pa.array(values, pa.bool_())),
    st.lists(st.one_of(st.none(), st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=3)), max_size=8).map(
        lambda values: pa.array(values, pa.list_(pa.int64()))
    ),
)


@given(VALUES, st.data())
def test_hashes_are_equal_where_values_are_and_nowhere_else(array: pa.Array, data: st.DataObject) -> None:
    hashes = cell_hashes("label", array).tolist()
    values = [(repr(value), number) for value, number in zip(array.to_pylist(), hashes, strict=True)]
    for value, number in values:
        assert all((other == value) == (another == number) for other, another in values)
        assert (number == 0) == (value == "None")


@given(VALUES, st.data())
def test_a_column_may_be_cut_anywhere(array: pa.Array, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(array)))
    whole = cell_hashes("label", array)
    assert np.array_equal(cell_hashes("label", pa.chunked_array([array[:cut], array[cut:]])), whole)
    assert np.array_equal(cell_hashes("label", array[cut:]), whole[cut:])
    assert np.array_equal(cell_hashes("label", array[:cut]), whole[:cut])


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (pa.array([1, None, 3], pa.int8()), pa.array([1, None, 3], pa.int64())),
        (pa.array([1, 3], pa.uint16()), pa.array([1, 3], pa.uint64())),
        (pa.array([0.5, None], pa.float32()), pa.array([0.5, None], pa.float64())),
        (pa.array(["a", None]), pa.array(["a", None], pa.large_string())),
        (pa.array(["a", None]), pa.array(["a", None]).dictionary_encode()),
        (pa.array([[1], None]), pa.array([[1], None], pa.large_list(pa.int32()))),
        (pa.array([[1, 2]]), pa.array([[1, 2]], pa.list_(pa.int64(), 2))),
    ],
    ids=str,
)
def test_the_width_of_a_type_does_not_matter(narrow: pa.Array, wide: pa.Array) -> None:
    assert np.array_equal(cell_hashes("label", narrow), cell_hashes("label", wide))


def test_the_kind_of_a_value_and_the_name_of_its_column_matter() -> None:
    arrays = [pa.array([1]), pa.array([1.0]), pa.array(["1"]), pa.array([b"1"]), pa.array([True]), pa.array([[1]]), pa.array([[[1]]])]
    numbers = [int(cell_hashes("label", array)[0]) for array in arrays] + [int(cell_hashes("class", arrays[0])[0])]
    assert len(set(numbers)) == len(numbers)


def test_a_column_of_nulls_counts_for_nothing() -> None:
    assert cell_hashes("label", pa.nulls(3)).tolist() == cell_hashes("label", pa.nulls(3, pa.string())).tolist() == [0, 0, 0]
    assert cell_hashes("label", pa.chunked_array([], pa.string())).tolist() == []


def test_a_type_that_no_column_has_is_refused() -> None:
    with pytest.raises(SchemaError, match="'when' is timestamp"):
        cell_hashes("when", pa.array([0], pa.timestamp("s")))


def test_numbers_that_share_their_bytes_are_told_apart() -> None:
    signed = cell_hashes("label", pa.array([-1, -(1 << 63), 5], pa.int64())).tolist()
    unsigned = cell_hashes("label", pa.array([(1 << 64) - 1, 1 << 63, 5], pa.uint64())).tolist()
    assert signed[2] == unsigned[2] and signed[0] != unsigned[0] and signed[1] != unsigned[1]
    lists = [
        cell_hashes("label", pa.array([[value]], pa.list_(kind)))[0] for value, kind in ((-1, pa.int64()), ((1 << 64) - 1, pa.uint64()))
    ]
    assert lists[0] != lists[1]
