"""Sample and Batch: one row, and many, as mappings from names to values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixstore import preview
from pixstore.errors import BadRow, NameNotFoundError
from pixstore.schema import KEY

IMAGE = "image"


class Deferred:
    """A value of a batch that is made when somebody asks for it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


class _Named(Mapping[str, Any]):
    """A read-only mapping from field and column names to values, with `.image` and `.key` as shorthands."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise NameNotFoundError(f"no field or column {name!r}; here: {', '.join(self._values)}")
        value = self._values[name]
        if isinstance(value, Deferred):
            value = self._values[name] = value.make()
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __getstate__(self) -> dict[str, Any]:
        for name in self:
            self[name]
        return self.__dict__

    @property
    def image(self) -> Any:
        return self[IMAGE]

    @property
    def key(self) -> Any:
        return self[KEY]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={_brief(value)}' for name, value in self._values.items())})"


class Sample(_Named):
    """One row: its fields as arrays (H·W or H·W·C), its columns, its key."""

    def __len__(self) -> int:
        return len(self._values)

    def _repr_html_(self) -> str:
        return preview.of_sample(self)


class Batch(_Named):
    """N rows: each field an N·H·W·C array, or a list of arrays where shapes differ
    (None where a sample has no such field); each column an array or a list; `len` is N.

    `ok[i]` is False, and `bad` says why, where row i could not be read and a loader was told to go on (on_error="mask").
    """

    def __init__(self, values: Mapping[str, Any], count: int, *, ok: NDArray[np.bool_] | None = None, bad: tuple[BadRow, ...] = ()) -> None:
        super().__init__(values)
        self._count = count
        self._ok = ok
        self.bad = bad

    def __len__(self) -> int:
        return self._count

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which rows are good."""
        if self._ok is None:
            self._ok = np.ones(self._count, np.bool_)
        return self._ok

    def __repr__(self) -> str:
        return f"Batch of {self._count} ({super().__repr__().partition('(')[2]}"

    def _repr_html_(self) -> str:
        return preview.of_batch(self, len(self), self.bad)


def _brief(value: Any) -> str:
    if isinstance(value, Deferred):
        return "…"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{'·'.join(map(str, value.shape))} {value.dtype}"
    if isinstance(value, list):
        return f"[{len(value)} values]"
    return repr(value)
