"""The fixed patterns by which pickles of plain data name classes and functions, rebuilt by our own code.

Known by name: NumPy arrays, dtypes and scalars (`numpy.core` and `numpy._core`, protocols 0 to 5), bytes as Python 3 writes them
in protocols 0 to 2, sets, and instances of classes whose state is a dict. A name is text here; nothing is imported.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_DIMENSIONS = 32
DTYPE_CODE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[48])\Z")
BUILTINS = ("builtins", "__builtin__")
NUMPY_CORE = ("numpy.core", "numpy._core")


class UnknownPatternError(Exception):
    """A name or a use of it that is not one of the patterns; the message says which, as the end of "the pickle …"."""


@dataclass(frozen=True)
class Global:
    """A name that a pickle mentions; only text."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"[:200]


class Dtype:
    """The type of an array's elements; a pickle states its byte order in a second step."""

    def __init__(self, code: str) -> None:
        if not DTYPE_CODE.match(code):
            raise UnknownPatternError(f"holds an array of type {code[:40]!r}, which is not plain numbers")
        self.value: np.dtype[Any] = np.dtype(code)


class PickledArray:
    """An array that lies in the input; `array` is a read-only view of it, `offset` where its bytes begin.

    `offset` is None where the bytes do not lie in the input in one piece and in C order; `array` is then a copy.
    """

    def __init__(self) -> None:
        self._array: NDArray[Any] | None = None
        self.offset: int | None = None

    @property
    def is_built(self) -> bool:
        return self._array is not None

    @property
    def array(self) -> NDArray[Any]:
        if self._array is None:
            raise UnknownPatternError("uses an array before its data")
        return self._array

    def fill(self, data: memoryview, shape: object, dtype: object, raw: object, *, fortran: bool) -> None:
        if self._array is not None:
            raise UnknownPatternError("fills an array twice")
        if not isinstance(dtype, Dtype):
            raise UnknownPatternError("holds an array without a plain type")
        sizes = _shape(shape)
        if not isinstance(raw, bytes):
            raise UnknownPatternError("holds an array of objects")
        needed = math.prod(sizes) * dtype.value.itemsize
        if needed != len(raw):
            raise UnknownPatternError(f"states an array of {needed} bytes with {len(raw)} bytes of data")
        offset = getattr(raw, "offset", None)
        source: Any = raw if offset is None else data[offset : offset + needed]
        flat: NDArray[Any] = np.frombuffer(source, dtype=dtype.value)
        self._array = flat.reshape(sizes, order="F" if fortran else "C")
        self.offset = offset if not fortran or len(sizes) < 2 else None


@dataclass
class DataObject:
    """An instance of some class, as data: the class's name, never looked up, and the attributes it was saved with."""

    class_name: str
    state: dict[str, object] | None = None


def reduce(function: object, arguments: object, data: memoryview, objects: bool, charge: Callable[[int], None]) -> object:
    """Return what a call in a pickle stands for. Raises UnknownPatternError for any call that is not a known pattern."""
    if not isinstance(function, Global) or not isinstance(arguments, tuple):
        raise UnknownPatternError("calls something that is no name")
    match (function.module, function.name):
        case (module, "_reconstruct") if module in [f"{core}.multiarray" for core in NUMPY_CORE]:
            return _new_array(function, arguments)
        case (module, "scalar") if module in [f"{core}.multiarray" for core in NUMPY_CORE]:
            return _scalar(function, arguments)
        case (module, "_frombuffer") if module in [f"{core}.numeric" for core in NUMPY_CORE]:
            return _array_from_buffer(function, arguments, data)
        case ("numpy", "dtype"):
            return _dtype(function, arguments)
        case ("_codecs", "encode"):
            return _encode(function, arguments, charge)
        case (module, "bytes") if module in BUILTINS and arguments == ():
            return b""
        case (module, ("set" | "frozenset") as kind) if module in BUILTINS:
            return _set(function, arguments, charge, frozen=kind == "frozenset")
        case (("copyreg" | "copy_reg"), "_reconstructor") if objects:
            return _plain_object(function, arguments)
    raise UnknownPatternError(f"calls {function}")


def construct(cls: object, arguments: object, objects: bool) -> object:
    """Return what `cls.__new__(cls, *arguments)` in a pickle stands for: a DataObject still without state."""
    if not isinstance(cls, Global) or not objects or arguments != ():
        raise UnknownPatternError(f"makes an instance of {cls if isinstance(cls, Global) else 'something that is no name'}")
    return DataObject(str(cls))


def build(target: object, state: object, data: memoryview) -> None:
    """Give an array its data, a dtype its byte order, an object its attributes."""
    if isinstance(target, PickledArray) and isinstance(state, tuple) and len(state) == 5:
        _version, shape, dtype, fortran, raw = state
        target.fill(data, shape, dtype, raw, fortran=bool(fortran))
    elif isinstance(target, Dtype) and isinstance(state, tuple) and len(state) >= 8:
        _order_dtype(target, state)
    elif isinstance(target, DataObject) and isinstance(state, dict) and target.state is None:
        target.state = {_text(name): value for name, value in state.items()}
    else:
        raise UnknownPatternError(f"sets the state of a {type(target).__name__}")


def _shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or len(shape) > MAX_DIMENSIONS:
        raise UnknownPatternError("holds an array without a shape")
    sizes = tuple(size for size in shape if type(size) is int and 0 <= size < 1 << 48)
    if len(sizes) != len(shape):
        raise UnknownPatternError("holds an array with an impossible shape")
    return sizes


def _new_array(function: Global, arguments: tuple[object, ...]) -> PickledArray:
    if arguments[:2] != (Global("numpy", "ndarray"), (0,)) or len(arguments) != 3:
        raise UnknownPatternError(f"calls {function} for something that is not an empty array")
    return PickledArray()


def _array_from_buffer(function: Global, arguments: tuple[object, ...], data: memoryview) -> PickledArray:
    if len(arguments) != 4 or arguments[3] not in ("C", "F"):
        raise UnknownPatternError(f"calls {function} in an unknown way")
    found = PickledArray()
    found.fill(data, arguments[2], arguments[1], arguments[0], fortran=arguments[3] == "F")
    return found


def _scalar(function: Global, arguments: tuple[object, ...]) -> object:
    if len(arguments) != 2 or not isinstance(arguments[0], Dtype) or not isinstance(arguments[1], bytes):
        raise UnknownPatternError(f"calls {function} in an unknown way")
    dtype = arguments[0].value
    if len(arguments[1]) != dtype.itemsize:
        raise UnknownPatternError(f"holds a number of type {dtype} in {len(arguments[1])} bytes")
    return np.frombuffer(arguments[1], dtype)[0].item()


def _dtype(function: Global, arguments: tuple[object, ...]) -> Dtype:
    if not 1 <= len(arguments) <= 3:
        raise UnknownPatternError(f"calls {function} in an unknown way")
    return Dtype(_text(arguments[0]))


def _order_dtype(target: Dtype, state: tuple[object, ...]) -> None:
    order = _text(state[1])
    if order not in ("<", ">", "|", "=") or any(each is not None for each in state[2:5]):
        raise UnknownPatternError("holds an array of a compound type")
    if order in ("<", ">"):
        target.value = target.value.newbyteorder("<" if order == "<" else ">")


def _encode(function: Global, arguments: tuple[object, ...], charge: Callable[[int], None]) -> bytes:
    if len(arguments) != 2 or not isinstance(arguments[0], str) or arguments[1] not in ("latin1", "latin-1"):
        raise UnknownPatternError(f"calls {function} in an unknown way")
    charge(len(arguments[0]))
    try:
        return arguments[0].encode("latin-1")
    except UnicodeEncodeError as error:
        raise UnknownPatternError("holds bytes with characters that are no bytes") from error


def _set(function: Global, arguments: tuple[object, ...], charge: Callable[[int], None], *, frozen: bool) -> object:
    if len(arguments) != 1 or type(arguments[0]) is not list:
        raise UnknownPatternError(f"calls {function} in an unknown way")
    if any(not (each is None or isinstance(each, bool | int | float | str | bytes)) for each in arguments[0]):
        raise UnknownPatternError("holds a set of something else than text and numbers")
    charge(64 * len(arguments[0]))
    return frozenset(arguments[0]) if frozen else set(arguments[0])


def _plain_object(function: Global, arguments: tuple[object, ...]) -> DataObject:
    if len(arguments) != 3 or arguments[1:] not in [(Global(module, "object"), None) for module in BUILTINS]:
        raise UnknownPatternError(f"calls {function} in an unknown way")
    if not isinstance(arguments[0], Global):
        raise UnknownPatternError("makes an instance of something that is no name")
    return DataObject(str(arguments[0]))


def _text(value: object) -> str:
    """Return text as it is and the ASCII of Python 2's byte strings."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("ascii", "backslashreplace")
    raise UnknownPatternError(f"uses a {type(value).__name__} as a name")
