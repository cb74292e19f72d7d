"""Attributes of HDF5 files, groups and datasets as values of JSON, bounded; runs in a child (`hdf5/examination`)."""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np

MOST_NAMES = 1_000
MOST_VALUES = 4_096
MOST_CHARACTERS = 16 << 20
"""Of all attributes of a file, as text; those of a million small datasets fit."""
MOST_UNREAD = 20


class Attributes:
    """Reads attributes; what is no number and no text (references, compounds), or too large, is named as unread."""

    def __init__(self) -> None:
        self._left = MOST_CHARACTERS

    def of(self, owner: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return the values by name, and the names that were not read, of a low-level object."""
        count = h5py.h5a.get_num_attrs(owner)
        if not count:
            return {}, ()
        found: dict[str, Any] = {}
        unread: list[str] = []
        for number in range(min(count, MOST_NAMES)):
            attribute = h5py.h5a.open(owner, index=number)
            name = attribute.name.decode("utf-8", "replace")
            value = self._value(attribute)
            if value is not None:
                found[name] = value
            elif len(unread) < MOST_UNREAD:
                unread.append(name[:200])
        if count > MOST_NAMES:
            unread.append(f"{count - MOST_NAMES} more")
        return found, tuple(unread)

    def _value(self, attribute: h5py.h5a.AttrID) -> Any:
        """Return the value as JSON has it; None where it has none."""
        space = attribute.get_space()
        if space.get_simple_extent_type() == h5py.h5s.NULL or math.prod(attribute.shape) > MOST_VALUES:
            return None
        try:
            dtype = attribute.dtype
        except (TypeError, ValueError):
            # A type that NumPy does not have, as Fortran's wide numbers.
            return None
        if dtype.kind not in "uifbS" and h5py.check_string_dtype(dtype) is None:
            return None
        values = np.empty(attribute.shape, dtype)
        attribute.read(values)
        found = _as_json(values.tolist())
        self._left -= len(str(found))
        return found if self._left >= 0 else None


def _as_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_json(each) for each in value]
    if isinstance(value, bytes):
        return value.rstrip(b"\0").decode("utf-8", "replace")
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    # JSON has no infinities; their names are kept.
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
