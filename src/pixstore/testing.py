"""The conformance suite for engines, for those who write one. It needs pytest and NumPy.

    from pixstore.testing import EngineConformance

    class TestMyEngine(EngineConformance):
        engine = MyEngine()

Every test writes a shard, then compares three things with what was put in: what the engine's reader returns, the bytes that a plain
open() finds at the extents, and what pixstore's own core fetches from there.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from pixstore import codec
from pixstore.engine import Engine, FieldRecords, RecordBatch, ShardWriter
from pixstore.errors import MissingRecordError, PixstoreError
from pixstore.rows import Extents, Indices, Records, Slices
from pixstore.schema import Field, Format, Schema

Stored = Sequence[bytes | None]
"""The records of one field, None where one is missing."""

MAX_BYTES = 1 << 30
PNG = Format("png", None, None)
SHAPES = [
    ((32, 32, 3), "uint8"),
    ((5, 7), "uint16"),
    ((4, 4, 7), "uint8"),
    ((512,), "float32"),
    ((2, 3, 4, 5, 2), "float64"),
    ((3,), "bool"),
    ((2, 2), "float16"),
    ((2,), "complex64"),
    ((), "int64"),
    ((0, 3), "uint8"),
]

ODD_KEYS = [
    *("a", "A", "a ", "a.", "a b", "a~1", "%41", "é", "e\u0301", ".", "..", "~", "-rf", "con", "CON.png", "lpt1"),
    *("photos/cat.jpg", "photos%2Fcat.jpg", "tab\there", "new\nline", "nul\0", "q?*<>|:\"'\\"),
    *("x" * 255, "x" * 256, "x" * 600, "X" * 600, "鹿" * 300),
]


def packed_records(stored: Stored, form: Format = PNG) -> FieldRecords:
    """Return these records end to end in one buffer, all of one format."""
    length = np.array([-1 if each is None else len(each) for each in stored], np.int64)
    slices = Slices.end_to_end(b"".join(each or b"" for each in stored), length)
    return FieldRecords(slices, [form], np.zeros(len(stored), np.int32))


def batch(first: int, **fields: FieldRecords) -> RecordBatch:
    """Return a batch whose keys count up from `first`."""
    count = len(next(iter(fields.values())).format)
    return RecordBatch([f"{row:08}" for row in range(first, first + count)], fields)


def noise(length: int, seed: int) -> bytes:
    """Return bytes that no other seed gives."""
    return np.random.default_rng(seed).bytes(length)


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Let the system refuse to make any file of this process larger than `size` bytes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@dataclass(frozen=True)
class Shard:
    """A sealed shard and what was put into it."""

    path: Path
    schema: Schema
    stored: Mapping[str, Stored]
    extents: Mapping[str, Extents] | None

    def plain_bytes(self, field: str, row: int) -> bytes:
        """Return what lies at a record's extent, read without the engine."""
        assert self.extents is not None
        extents = self.extents[field]
        with open(self.path.parent / extents.paths[extents.file[row]], "rb") as file:
            file.seek(int(extents.offset[row]))
            return file.read(int(extents.length[row]))

    def fetched(self, field: str, rows: Indices, io: Any) -> list[bytes]:
        """Return what pixstore's core reads at these records' extents."""
        assert self.extents is not None
        extents = self.extents[field]
        paths = [str(self.path.parent / path) for path in extents.paths]
        place = Extents(paths, extents.file[rows], extents.offset[rows], extents.length[rows])
        records = Records(place, [PNG], np.zeros(len(rows), np.int32), lambda index: (int(rows[index]), "", field))
        return codec.fetch(records, io=io)


class EngineConformance:
    """Subclass it, set `engine`, and run pytest."""

    engine: ClassVar[Engine]

    # ---- writing and checking ----

    def create(self, folder: Path, schema: Schema, *, durable: bool = False, max_bytes: int = MAX_BYTES) -> tuple[Path, ShardWriter]:
        """Begin a shard in a folder of its own, so that everything in there is the engine's."""
        folder = folder / "shards"
        folder.mkdir(exist_ok=True)
        path = folder / f"0123abcd{self.engine.extension}"
        return path, self.engine.create(path, schema, durable=durable, max_bytes=max_bytes)

    def write(self, folder: Path, schema: Schema, batches: Sequence[RecordBatch], *, durable: bool = False) -> Shard:
        """Write and seal a shard of these batches."""
        path, writer = self.create(folder, schema, durable=durable)
        stored: dict[str, list[bytes | None]] = {name: [] for name in schema.field_names}
        for each in batches:
            for name, records in each.fields.items():
                stored[name] += [None if view is None else bytes(view) for view in records.slices.views()]
            writer.append(each)
        return Shard(path, schema, stored, writer.seal())

    def check(self, shard: Shard, rows: Mapping[str, Sequence[int]] | None = None) -> None:
        """Compare what was put in with what the reader, a plain open() and the core find; all rows, or those given."""
        reader = self.engine.open(shard.path, shard.schema)
        for name, stored in shard.stored.items():
            chosen = rows[name] if rows is not None else range(len(stored))
            present = [row for row in chosen if stored[row] is not None]
            expected = [stored[row] for row in present]
            assert [bytes(each) for each in reader.read(name, present)] == expected
            for row in set(chosen) - set(present):
                with pytest.raises(MissingRecordError):
                    reader.read(name, [row])
            if shard.extents is None:
                continue
            self.check_extents(shard, name)
            assert [shard.plain_bytes(name, row) for row in present] == expected
            for io in ("map", "pread"):
                assert shard.fetched(name, np.array(present, np.int64), io) == expected
        reader.close()
        reader.close()

    def check_extents(self, shard: Shard, name: str) -> None:
        """Check the arrays: one entry per row, types as promised, missing rows as promised, paths inside the shard."""
        assert shard.extents is not None
        extents, stored = shard.extents[name], shard.stored[name]
        assert [each.dtype.name for each in (extents.file, extents.offset, extents.length)] == ["uint32", "int64", "int64"]
        assert len(extents.file) == len(extents.offset) == len(extents.length) == len(stored)
        assert extents.length.tolist() == [len(each or b"") for each in stored]
        assert (extents.offset < 0).tolist() == [each is None for each in stored]
        assert set(extents.offset[extents.offset < 0].tolist()) <= {-1}
        assert all(path.split("/")[0] == shard.path.name and ".." not in path.split("/") for path in extents.paths)
        assert not len(stored) or int(extents.file.max()) < len(extents.paths)

    def left_over(self, path: Path) -> list[str]:
        return sorted(each.name for each in path.parent.iterdir())

    # ---- what comes back ----

    @pytest.mark.parametrize("sizes", [[1], [*range(2037, 4098)], [10**6, 1, 5 * 10**6, 10**6]], ids=["1 B", "2,037–4,097 B", "1 and 5 MB"])
    def test_records_of_any_size_come_back(self, tmp_path: Path, sizes: list[int]) -> None:
        stored = [noise(size, seed) for seed, size in enumerate(sizes)]
        self.check(self.write(tmp_path, Schema(), [batch(0, image=packed_records(stored))]))

    def test_a_hundred_thousand_records_come_back(self, tmp_path: Path) -> None:
        count = 100_000
        numbers = np.arange(count, dtype="<u8")
        records = [packed_records([each.tobytes() for each in part]) for part in np.split(numbers, 10)]
        shard = self.write(tmp_path, Schema(), [batch(part * 10_000, image=each) for part, each in enumerate(records)])
        self.check(shard, {"image": [*range(0, count, 997), 9_999, 10_000, count - 1]})

    def test_many_small_appends_come_back(self, tmp_path: Path) -> None:
        batches, first = [], 0
        for number in range(600):
            stored = [noise(1 + (number * 37 + row * 11) % 900, first + row) for row in range(number % 4)]
            batches.append(batch(first, image=packed_records(stored)))
            first += len(stored)
        self.check(self.write(tmp_path, Schema(), batches))

    def test_read_keeps_order_and_repeats(self, tmp_path: Path) -> None:
        stored = [noise(20 + row, row) for row in range(50)]
        shard = self.write(tmp_path, Schema(), [batch(0, image=packed_records(stored))])
        rows = [49, 0, 7, 7, 3, 49, 48]
        reader = self.engine.open(shard.path, shard.schema)
        assert [bytes(each) for each in reader.read("image", rows)] == [stored[row] for row in rows]
        assert reader.read("image", []) == []
        reader.close()

    def test_fields_keep_their_own_records(self, tmp_path: Path) -> None:
        schema = Schema((Field("image", "raw", (4, 4, 3), "uint8"), Field("mask", "png"), Field("Image", "jpeg"), Field("depth.left")))
        raw = Format("raw", (4, 4, 3), "uint8")
        batches = [
            batch(
                first,
                image=packed_records([noise(48, first + row) for row in range(40)], raw),
                mask=packed_records([None if row % 3 == 1 else noise(row * 90, row) for row in range(40)]),
                Image=packed_records([noise(row + 1, 7 * first + row) for row in range(40)], Format("jpeg", None, None)),
                **{"depth.left": packed_records([None] * 40, Format(None, None, None))},
            )
            for first in (0, 40, 80)
        ]
        self.check(self.write(tmp_path, schema, batches))

    @pytest.mark.parametrize("uniform", [True, False], ids=["uniform", "not uniform"])
    @pytest.mark.parametrize(("shape", "dtype"), SHAPES, ids=[f"{dtype} {shape}" for shape, dtype in SHAPES])
    def test_raw_arrays_of_any_shape_and_dtype_come_back(self, tmp_path: Path, shape: tuple[int, ...], dtype: str, uniform: bool) -> None:
        raw = Format("raw", shape, dtype)
        field = Field("image", "raw", shape, dtype) if uniform else Field("image", "raw")
        # Zeros and ones, as bytes, are values of every type.
        arrays = np.random.default_rng(0).integers(0, 2, (200, raw.decoded_bytes), np.uint8)
        records = packed_records([row.tobytes() for row in arrays], raw)
        shard = self.write(tmp_path, Schema((field,)), [batch(0, image=records), batch(200, image=records)])
        self.check(shard)

    def test_large_uniform_rows_come_back(self, tmp_path: Path) -> None:
        raw = Format("raw", (700, 700, 3), "uint8")
        batches = [batch(row, image=packed_records([noise(700 * 700 * 3, row)], raw)) for row in range(3)]
        self.check(self.write(tmp_path, Schema((Field("image", "raw", raw.shape, raw.dtype),)), batches))

    @pytest.mark.parametrize("uniform", [True, False], ids=["uniform", "not uniform"])
    def test_missing_records_are_told_from_those_that_are_there(self, tmp_path: Path, uniform: bool) -> None:
        raw = Format("raw", (10,), "uint8")
        field = Field("image", "raw", (10,), "uint8") if uniform else Field("image", "png")
        stored = [None if row % 5 in (0, 3) else bytes(10) if uniform else bytes(row % 5) for row in range(500)]
        parts = [packed_records(stored[first : first + 100], raw if uniform else PNG) for first in range(0, 500, 100)]
        batches = [batch(100 * number, image=part) for number, part in enumerate(parts)]
        self.check(self.write(tmp_path, Schema((field,)), batches))

    @pytest.mark.parametrize("stored", [[], [None, None], [b"", b""], [b"", None, b""]], ids=["no rows", "missing", "empty", "both"])
    def test_a_shard_may_hold_no_bytes(self, tmp_path: Path, stored: list[bytes | None]) -> None:
        self.check(self.write(tmp_path, Schema(), [batch(0, image=packed_records(stored))]))

    def test_keys_may_be_any_text(self, tmp_path: Path) -> None:
        stored = [key.encode() + b"!" for key in ODD_KEYS]
        self.check(self.write(tmp_path, Schema(), [RecordBatch(ODD_KEYS, {"image": packed_records(stored)})]))

    # ---- how it is handed over ----

    def test_records_may_lie_anywhere_in_their_buffer(self, tmp_path: Path) -> None:
        data = np.frombuffer(noise(1000, 1), np.uint8)
        slices = Slices(data, np.array([900, 0, 0, 300, 50, 950], np.int64), np.array([50, 300, 300, 1, 0, 50], np.int64))
        records = FieldRecords(slices, [PNG], np.zeros(6, np.int32))
        self.check(self.write(tmp_path, Schema(), [batch(0, image=records)]))

    def test_append_keeps_nothing_of_the_callers_memory(self, tmp_path: Path) -> None:
        data = bytearray(noise(3000, 2))
        length: NDArray[np.int64] = np.full(3, 1000, np.int64)
        expected = [bytes(data[start : start + 1000]) for start in (0, 1000, 2000)]
        path, writer = self.create(tmp_path, Schema())
        writer.append(batch(0, image=FieldRecords(Slices.end_to_end(data, length), [PNG], np.zeros(3, np.int32))))
        data[:] = bytes(3000)
        length[:] = 1
        self.check(Shard(path, Schema(), {"image": expected}, writer.seal()))

    @pytest.mark.parametrize("durable", [True, False], ids=["durable", "not durable"])
    def test_seal_leaves_the_shard_and_nothing_else(self, tmp_path: Path, durable: bool) -> None:
        shard = self.write(tmp_path, Schema(), [batch(0, image=packed_records([b"one", b"two"]))], durable=durable)
        assert self.left_over(shard.path) == [shard.path.name]
        self.check(shard)
        assert self.left_over(shard.path) == [shard.path.name]

    def test_a_sealed_shard_may_be_moved(self, tmp_path: Path) -> None:
        shard = self.write(tmp_path, Schema(), [batch(0, image=packed_records([b"one", b"two", None]))])
        moved = tmp_path / "elsewhere"
        moved.mkdir()
        self.check(replace(shard, path=shard.path.rename(moved / shard.path.name)))

    def test_more_than_was_announced_is_stored_all_the_same(self, tmp_path: Path) -> None:
        path, writer = self.create(tmp_path, Schema(), max_bytes=1000)
        stored = [noise(300_000, row) for row in range(100)]
        for first in range(0, 100, 20):
            writer.append(batch(first, image=packed_records(stored[first : first + 20])))
        self.check(Shard(path, Schema(), {"image": stored}, writer.seal()))

    # ---- what must not happen ----

    def test_abort_leaves_nothing(self, tmp_path: Path) -> None:
        for appends, seals in ((0, False), (2, False), (2, True)):
            path, writer = self.create(tmp_path, Schema())
            for first in range(appends):
                writer.append(batch(first, image=packed_records([noise(5000, first)])))
            if seals:
                writer.seal()
            writer.abort()
            writer.abort()
            assert self.left_over(path) == []

    def test_create_never_writes_over_anything(self, tmp_path: Path) -> None:
        shard = self.write(tmp_path, Schema(), [batch(0, image=packed_records([b"precious"]))])
        with pytest.raises(FileExistsError):
            self.engine.create(shard.path, Schema(), durable=False, max_bytes=MAX_BYTES)
        self.check(shard)

    def test_open_never_creates_anything(self, tmp_path: Path) -> None:
        path = tmp_path / f"mistyped{self.engine.extension}"
        with pytest.raises((PixstoreError, FileNotFoundError)):
            self.engine.open(path, Schema())
        assert list(tmp_path.iterdir()) == []

    def test_two_readers_of_one_shard_do_not_disturb_each_other(self, tmp_path: Path) -> None:
        shard = self.write(tmp_path, Schema(), [batch(0, image=packed_records([b"one", b"two"]))])
        first, second = (self.engine.open(shard.path, shard.schema) for _ in range(2))
        assert bytes(first.read("image", [0])[0]) == b"one"
        first.close()
        assert bytes(second.read("image", [1])[0]) == b"two"
        second.close()

    def test_a_full_disk_is_an_error_and_leaves_nothing(self, tmp_path: Path) -> None:
        path, writer = self.create(tmp_path, Schema())
        writer.append(batch(0, image=packed_records([noise(1000, 0)])))
        with files_limited_to(1 << 20), pytest.raises(OSError) as raised:
            writer.append(batch(1, image=packed_records([noise(40 << 20, 1)])))
            writer.seal()
        assert str(path.name) in str(raised.value)
        writer.abort()
        assert self.left_over(path) == []
