"""The patterns by which data is pickled: each known use is rebuilt, each other use of the same names is refused."""

from __future__ import annotations

import numpy as np
import pytest

from pixstore.sources.pickles.patterns import DataObject, Dtype, Global, PickledArray, UnknownPatternError, build, construct, reduce

RECONSTRUCT = Global("numpy._core.multiarray", "_reconstruct")
FROM_BUFFER = Global("numpy._core.numeric", "_frombuffer")
NDARRAY = Global("numpy", "ndarray")


def call(function: object, *arguments: object, objects: bool = False) -> object:
    return reduce(function, arguments, memoryview(b""), objects, lambda cost: None)


@pytest.mark.parametrize("code", ["u1", "<i8", ">f4", "b1", "|u1", "=i2"])
def test_plain_types_are_known(code: str) -> None:
    found = call(Global("numpy", "dtype"), code, False, True)
    assert isinstance(found, Dtype) and found.value == np.dtype(code)


@pytest.mark.parametrize("code", ["O", "U4", "S4", "V8", "M8", "c16", "f2", "u1,u1", "(1000000,)u1", "(1073741824,)u1", "g", "u16"])
def test_other_types_are_refused_before_they_are_made(code: str) -> None:
    with pytest.raises(UnknownPatternError, match="not plain numbers"):
        call(Global("numpy", "dtype"), code, False, True)


def test_a_dtype_takes_its_byte_order_and_nothing_else() -> None:
    dtype = Dtype("i4")
    build(dtype, (3, ">", None, None, None, -1, -1, 0), memoryview(b""))
    assert dtype.value == np.dtype(">i4")
    with pytest.raises(UnknownPatternError, match="compound"):
        build(dtype, (3, "|", None, ("a",), {}, 8, 1, 16), memoryview(b""))


@pytest.mark.parametrize("shape", [(1 << 29,), (-1,), (1.0,), (True,), "abc", [2], (1,) * 33, (1 << 60, 1 << 60)])
def test_a_shape_that_does_not_fit_the_bytes_is_refused(shape: object) -> None:
    with pytest.raises(UnknownPatternError):
        call(FROM_BUFFER, b"ab", Dtype("u1"), shape, "C")


def test_an_array_is_filled_once() -> None:
    found = call(RECONSTRUCT, NDARRAY, (0,), b"b")
    assert isinstance(found, PickledArray) and not found.is_built
    state = (1, (2,), Dtype("u1"), False, b"ab")
    build(found, state, memoryview(b""))
    assert found.array.tolist() == [97, 98]
    with pytest.raises(UnknownPatternError, match="twice"):
        build(found, state, memoryview(b""))


def test_an_array_in_fortran_order_has_no_place_in_the_file() -> None:
    found = call(FROM_BUFFER, b"abcd", Dtype("u1"), (2, 2), "F")
    assert isinstance(found, PickledArray)
    assert found.array.tolist() == [[97, 99], [98, 100]] and found.offset is None


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (RECONSTRUCT, (Global("numpy", "matrix"), (0,), b"b")),
        (RECONSTRUCT, (NDARRAY, (5,), b"b")),
        (FROM_BUFFER, (b"ab", Dtype("u1"), (2,), "K")),
        (FROM_BUFFER, ([1, 2], Dtype("u1"), (2,), "C")),
        (Global("numpy._core.multiarray", "scalar"), (Dtype("i8"), b"abc")),
        (Global("numpy._core.multiarray", "scalar"), (Dtype("i8"),)),
        (Global("numpy", "dtype"), ()),
        (Global("numpy", "dtype"), (3,)),
        (Global("_codecs", "encode"), ("a", "rot13")),
        (Global("_codecs", "encode"), ("☃", "latin1")),
        (Global("builtins", "bytes"), (1 << 40,)),
        (Global("builtins", "set"), ("abc",)),
        (Global("builtins", "set"), ([(1, 2)],)),
        (Global("numpy", "ndarray"), ((1 << 29,), "u1")),
        ("os.system", ("true",)),
    ],
)
def test_another_use_of_a_known_name_is_refused(function: object, arguments: tuple[object, ...]) -> None:
    with pytest.raises(UnknownPatternError):
        call(function, *arguments, objects=True)


def test_objects_are_made_only_without_arguments() -> None:
    cls, base = Global("a", "B"), Global("builtins", "object")
    assert construct(cls, (), True) == DataObject("a.B")
    assert call(Global("copyreg", "_reconstructor"), cls, base, None, objects=True) == DataObject("a.B")
    with pytest.raises(UnknownPatternError):
        construct(cls, (1,), True)
    with pytest.raises(UnknownPatternError):
        call(Global("copyreg", "_reconstructor"), cls, Global("builtins", "int"), 5, objects=True)
    with pytest.raises(UnknownPatternError):
        call(Global("copyreg", "_reconstructor"), "B", base, None, objects=True)


@pytest.mark.parametrize("state", [None, (None, {"slot": 1}), [1], {1: 2}])
def test_an_object_takes_a_dict_of_attributes_only(state: object) -> None:
    with pytest.raises(UnknownPatternError):
        build(DataObject("a.B"), state, memoryview(b""))
