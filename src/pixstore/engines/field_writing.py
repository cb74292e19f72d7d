"""What the field writers of array formats share: the length of every record appended."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from pixstore.engine import FieldRecords
from pixstore.rows import Indices


class FieldWriter(ABC):
    """Writes one field of a shard; a format fills in `_append` and `finish`."""

    def __init__(self) -> None:
        self._lengths = [np.zeros(0, np.int64)]

    @property
    def lengths(self) -> Indices:
        """Bytes of each record so far, -1 where it is missing."""
        return np.concatenate(self._lengths)

    def append(self, records: FieldRecords) -> None:
        self._lengths.append(np.array(records.slices.length, np.int64))
        self._append(records)

    @abstractmethod
    def _append(self, records: FieldRecords) -> None: ...

    @abstractmethod
    def finish(self) -> None:
        """Write what is left."""
