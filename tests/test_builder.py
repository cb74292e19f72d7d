"""ShardBuilder: a shard is there whole when sealed, nowhere before, and gone without a trace when aborted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from pixstore import registry
from pixstore.builder import ShardBuilder, bytes_held, new_id, remove_shard, without_rows
from pixstore.errors import DuplicateKeyError
from pixstore.incoming import Encoding, absent, to_records
from pixstore.manifest import ShardEntry, ShardFile
from pixstore.registry import ENGINES
from pixstore.schema import Field, Format, Schema
from pixstore.shard import Shard

SCHEMA = Schema((Field("image"), Field("mask")), pa.schema([("label", pa.int64())]))
UNIFORM = Format("raw", (3, 3), "uint8")


def pixels(count: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, *shape)).astype(np.uint8)


@pytest.fixture(params=ENGINES)
def builder(tmp_path: Path, request: pytest.FixtureRequest) -> ShardBuilder:
    (tmp_path / "shards").mkdir()
    return ShardBuilder(tmp_path, registry.engine(request.param), SCHEMA, {"image": UNIFORM}, durable=False, max_bytes=1 << 20)


def append(builder: ShardBuilder, keys: list[str]) -> None:
    records = to_records(pixels(len(keys), 3, 3), Encoding())
    builder.append(pa.array(keys), {"label": pa.nulls(len(keys))}, {"image": records, "mask": absent(len(keys))})


def names(tmp_path: Path) -> list[str]:
    return sorted(each.name for each in (tmp_path / "shards").iterdir())


def test_nothing_but_a_partial_folder_is_there_before_the_seal(tmp_path: Path, builder: ShardBuilder) -> None:
    append(builder, ["a", "b"])
    assert names(tmp_path) == [f"{builder.id}.partial"] and builder.rows == 2 and builder.bytes >= 18


def test_sealed_shard_is_what_its_entry_says(tmp_path: Path, builder: ShardBuilder) -> None:
    append(builder, ["a", "b"])
    append(builder, ["c"])
    entry = builder.seal()
    assert entry.pixels is not None and names(tmp_path) == sorted([entry.table.name, entry.keys.name, entry.pixels.name])
    assert entry.rows == 3 and entry.formats == {"image": UNIFORM}
    shard = Shard(tmp_path, entry, SCHEMA)
    assert shard.table.to_pydict() == {"key": ["a", "b", "c"], "label": [None] * 3}
    remove_shard(tmp_path, entry)
    assert names(tmp_path) == []


def test_abort_leaves_no_trace(tmp_path: Path, builder: ShardBuilder) -> None:
    append(builder, ["a", "b"])
    builder.abort()
    builder.abort()
    assert names(tmp_path) == []


def test_seal_that_fails_leaves_no_trace_after_abort(tmp_path: Path, builder: ShardBuilder) -> None:
    append(builder, ["a", "b", "a"])
    with pytest.raises(DuplicateKeyError, match=r"'a' stands twice \(samples 0 and 2"):
        builder.seal()
    builder.abort()
    assert names(tmp_path) == []


def test_ids_are_never_given_twice() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000


def test_bytes_held_are_records_columns_and_keys() -> None:
    records = to_records([np.zeros(7, np.uint8), None], Encoding())
    assert bytes_held(pa.array(["ab", "c"]), {"n": pa.array([1, 2])}, {"image": records}) == 7 + (3 + 8) + 16


@pytest.mark.parametrize(
    ("before", "rows", "after"),
    [
        ((), set(), ()),
        ((), {0}, ((0, 1),)),
        ((), {9}, ((9, 10),)),
        ((), {3, 4, 6}, ((3, 5), (6, 7))),
        (((3, 5),), {5, 2}, ((2, 6),)),
        (((0, 2), (8, 10)), {2, 3, 4, 5, 6, 7}, ((0, 10),)),
    ],
)
def test_deleted_rows_are_ranges(before: tuple[tuple[int, int], ...], rows: set[int], after: tuple[tuple[int, int], ...]) -> None:
    file = ShardFile("a", 1, ())
    entry = ShardEntry("a", "packed", 10, file, file, None, {}, deleted=before)
    changed = without_rows(entry, rows)
    assert changed.deleted == after and changed.deleted_rows == sum(stop - start for start, stop in after)
