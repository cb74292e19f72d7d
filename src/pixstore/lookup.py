"""From keys to rows of a dataset: by a store's own index, else by a dictionary made when it is first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from pixstore.rows import Indices, Rows
from pixstore.schema import KEY
from pixstore.store import StoreRows


class KeyLookup:
    """Finds keys among all rows, or among those of a selection: the answer is the place in the selection then."""

    def __init__(self, rows: Rows, selection: Indices | None) -> None:
        self._rows = rows
        self._selection = selection

    def find(self, keys: Sequence[str]) -> Indices:
        """Return the row of each key, -1 where there is none."""
        if isinstance(self._rows, StoreRows):
            rows = self._rows.find(keys)
        else:
            rows = np.array([self._places.get(key, -1) for key in keys], np.int64)
        if self._selection is None:
            return rows
        order = self._selection_order
        if not len(order):
            return np.full(len(keys), -1, np.int64)
        places = np.minimum(np.searchsorted(self._selection, rows, sorter=order), len(order) - 1)
        found = order[places]
        return np.where(self._selection[found] == rows, found, -1)

    @cached_property
    def _selection_order(self) -> Indices:
        return np.argsort(np.empty(0) if self._selection is None else self._selection, kind="stable")

    @cached_property
    def _places(self) -> dict[str, int]:
        return {key: row for row, key in enumerate(self._rows.table[KEY].to_pylist())}
