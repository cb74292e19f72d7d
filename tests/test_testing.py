"""The conformance suite finds what is wrong with an engine: each fault planted here fails the test that is meant for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pixstore.engine import Engine, RecordBatch, ShardReader, ShardWriter
from pixstore.engines.packed import PackedEngine, PackedReader, PackedWriter
from pixstore.rows import Buffer, Extents
from pixstore.schema import Schema
from pixstore.testing import EngineConformance


class ShiftedExtents(PackedWriter):
    def _seal(self) -> Mapping[str, Extents]:
        return {name: replace(each, offset=each.offset + 1) for name, each in super()._seal().items()}


class AbsolutePaths(PackedWriter):
    def _seal(self) -> Mapping[str, Extents]:
        return {name: replace(each, paths=[str(self.path)]) for name, each in super()._seal().items()}


class LeavesFiles(PackedWriter):
    def abort(self) -> None:
        self._close()


class WritesOver(PackedWriter):
    def __init__(self, path: Path, schema: Schema, *, durable: bool) -> None:
        path.unlink(missing_ok=True)
        super().__init__(path, schema, durable=durable)


class KeepsReferences(PackedWriter):
    def append(self, records: RecordBatch) -> None:
        self.late = [*getattr(self, "late", []), records]

    def _seal(self) -> Mapping[str, Extents]:
        for records in self.late:
            super()._append(records)
        return super()._seal()


class SortsRows(PackedReader):
    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        return super().read(field, sorted(rows))


class Creates(PackedReader):
    def __init__(self, path: Path) -> None:
        path.touch()
        super().__init__(path)


class EmptyForMissing(PackedReader):
    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        self._lengths = self._lengths.clip(0)
        return super().read(field, rows)


def engine_with(writer: type[PackedWriter] = PackedWriter, reader: type[PackedReader] = PackedReader) -> Engine:
    class Faulty(PackedEngine):
        def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
            return writer(path, schema, durable=durable)

        def open(self, path: Path, schema: Schema) -> ShardReader:
            return reader(path)

    return Faulty()


@pytest.mark.parametrize(
    ("engine", "test"),
    [
        (engine_with(writer=ShiftedExtents), EngineConformance.test_many_small_appends_come_back),
        (engine_with(writer=AbsolutePaths), EngineConformance.test_a_sealed_shard_may_be_moved),
        (engine_with(writer=LeavesFiles), EngineConformance.test_abort_leaves_nothing),
        (engine_with(writer=WritesOver), EngineConformance.test_create_never_writes_over_anything),
        (engine_with(writer=KeepsReferences), EngineConformance.test_append_keeps_nothing_of_the_callers_memory),
        (engine_with(reader=SortsRows), EngineConformance.test_read_keeps_order_and_repeats),
        (engine_with(reader=Creates), EngineConformance.test_open_never_creates_anything),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_planted_fault_is_found(tmp_path: Path, engine: Engine, test: Callable[[EngineConformance, Path], None]) -> None:
    suite = EngineConformance()
    suite.engine = engine  # type: ignore[misc]
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(suite, tmp_path)


def test_a_missing_record_given_as_an_empty_one_is_found(tmp_path: Path) -> None:
    suite = EngineConformance()
    suite.engine = engine_with(reader=EmptyForMissing)  # type: ignore[misc]
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        suite.test_missing_records_are_told_from_those_that_are_there(tmp_path, False)


def test_an_engine_without_faults_passes_the_same_tests(tmp_path: Path) -> None:
    suite = EngineConformance()
    suite.engine = engine_with()  # type: ignore[misc]
    suite.test_many_small_appends_come_back(tmp_path)
    suite.test_missing_records_are_told_from_those_that_are_there(tmp_path / "..", False)
