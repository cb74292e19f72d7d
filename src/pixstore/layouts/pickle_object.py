"""One plain object as a pickle, written as bytes: a class's name, and its attributes with integers, bytes and tuples of integers.

Nothing is pickled from live objects: these are the instructions of protocol 4 that the standard library's documentation of `pickletools`
lists, as `pickle.dumps` of such an object gives them, without its frames, which readers do not need.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TypeAlias

Value: TypeAlias = int | bytes | tuple[int, ...]

PROTOCOL = b"\x80\x04"
STACK_GLOBAL, EMPTY_TUPLE, NEW_OBJECT, EMPTY_DICT, MARK, SET_ITEMS, BUILD, STOP = b"\x93", b")", b"\x81", b"}", b"(", b"u", b"b", b"."
MOST_SHORT = 255


def pickled_object(module: str, name: str, attributes: Mapping[str, Value]) -> bytes:
    """Return the pickle of an instance of `module.name` whose `__dict__` has these attributes."""
    items = [part for attribute, value in attributes.items() for part in (_text(attribute), _value(value))]
    made = [_text(module), _text(name), STACK_GLOBAL, EMPTY_TUPLE, NEW_OBJECT]
    return b"".join([PROTOCOL, *made, EMPTY_DICT, MARK, *items, SET_ITEMS, BUILD, STOP])


def _value(value: Value) -> bytes:
    if isinstance(value, bytes):
        return _bytes(value)
    if isinstance(value, tuple):
        return b"".join([MARK, *map(_integer, value), b"t"])
    return _integer(value)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return b"\x8c" + bytes([len(encoded)]) + encoded if len(encoded) <= MOST_SHORT else b"X" + struct.pack("<I", len(encoded)) + encoded


def _bytes(data: bytes) -> bytes:
    if len(data) <= MOST_SHORT:
        return b"C" + bytes([len(data)]) + data
    return b"B" + struct.pack("<I", len(data)) + data if len(data) < 1 << 32 else b"\x8e" + struct.pack("<Q", len(data)) + data


def _integer(number: int) -> bytes:
    if 0 <= number < 1 << 8:
        return b"K" + bytes([number])
    if 0 <= number < 1 << 16:
        return b"M" + struct.pack("<H", number)
    if -(1 << 31) <= number < 1 << 31:
        return b"J" + struct.pack("<i", number)
    size = number.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + number.to_bytes(size, "little", signed=True)
