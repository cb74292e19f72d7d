"""Lengths are counted for every record, and kept whatever the caller does with his arrays."""

from __future__ import annotations

from pixstore.engine import FieldRecords
from pixstore.engines.field_writing import FieldWriter
from pixstore.testing import packed_records


class Counter(FieldWriter):
    def __init__(self) -> None:
        super().__init__()
        self.batches = 0

    def _append(self, records: FieldRecords) -> None:
        self.batches += 1

    def finish(self) -> None:
        pass


def test_lengths_are_those_of_all_batches_and_no_longer_the_callers() -> None:
    writer = Counter()
    assert writer.lengths.tolist() == []
    records = packed_records([b"abc", None])
    writer.append(records)
    records.slices.length[:] = 9
    writer.append(packed_records([b""]))
    assert writer.lengths.tolist() == [3, -1, 0] and writer.batches == 2
