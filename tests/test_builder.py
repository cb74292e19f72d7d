"""ShardBuilder: a shard is there whole when sealed, nowhere before, and gone without a trace when aborted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from pixstore import codec, registry
from pixstore.builder import ShardBuilder, ShardRoller, bytes_held, new_id, publish, remove_shard, without_rows
from pixstore.errors import DuplicateKeyError, StoreFullError
from pixstore.incoming import Encoding, absent, to_records
from pixstore.manifest import TILE_BYTES, ShardEntry, ShardFile
from pixstore.registry import ENGINES
from pixstore.schema import Field, Format, Schema
from pixstore.shard import Shard, digested, folder_files

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


@pytest.mark.parametrize("size", [0, 1, TILE_BYTES, TILE_BYTES + 1])
def test_pixel_file_has_size_and_digests_of_its_tiles(tmp_path: Path, size: int) -> None:
    data = np.random.default_rng(2).bytes(size)
    (tmp_path / "a.bin").write_bytes(data)
    tiles = [codec.hash_bytes(data[start : start + TILE_BYTES]) for start in range(0, size, TILE_BYTES)]
    assert digested(tmp_path / "a.bin") == ShardFile("a.bin", size, tuple(tiles))


def test_sealed_pixels_have_their_digests(tmp_path: Path, builder: ShardBuilder) -> None:
    append(builder, ["a", "b"])
    pixels = builder.seal().pixels
    assert pixels is not None
    place = tmp_path / "shards" / pixels.name
    if place.is_file():
        assert pixels == digested(place) and pixels.digests
    elif registry.engine("files").extension == place.suffix:
        assert pixels == ShardFile(pixels.name, None), "each record has a checksum"
    else:
        assert pixels == ShardFile(pixels.name, None, files=folder_files(place)) and pixels.files


def rolled(tmp_path: Path, batches: list[NDArray[np.uint8]], shard_bytes: int) -> ShardRoller:
    (tmp_path / "shards").mkdir()
    schema = Schema((Field("image"),), pa.schema([]))
    roller = ShardRoller(tmp_path, registry.engine("packed"), durable=False, shard_bytes=shard_bytes)
    for number, batch in enumerate(batches):
        keys = pa.array([f"{number}-{row}" for row in range(len(batch))])
        roller.append(schema, keys, {}, {"image": to_records(batch, Encoding())})
    return roller


def test_next_shard_begins_where_one_is_full(tmp_path: Path) -> None:
    roller = rolled(tmp_path, [pixels(4, 5, 5)] * 5, 300)
    assert roller.is_open
    roller.seal()
    roller.seal()
    assert [each.rows for each in roller.sealed] == [8, 8, 4] and not roller.is_open
    roller.abort()
    assert names(tmp_path) == [] and roller.sealed == []


def test_next_shard_begins_where_a_uniform_one_ends_and_stays_mixed(tmp_path: Path) -> None:
    roller = rolled(tmp_path, [pixels(2, 3, 3), pixels(2, 4, 4), pixels(2, 3, 3)], 1 << 20)
    roller.seal()
    assert [(each.rows, sorted(each.formats)) for each in roller.sealed] == [(2, ["image"]), (4, [])]


def test_abort_of_a_roller_removes_the_open_shard_too(tmp_path: Path) -> None:
    roller = rolled(tmp_path, [pixels(4, 5, 5)] * 5, 300)
    assert len(names(tmp_path)) > 2
    roller.abort()
    assert names(tmp_path) == [] and not roller.is_open


@pytest.mark.parametrize("call", ["os.rename", "pixstore.builder.sync_folder", "pathlib.Path.rmdir"])
def test_publish_that_fails_takes_back_what_it_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    (tmp_path / "shards" / "x.partial").mkdir(parents=True)
    for name in ("x.arrow", "x.bin", "x.keys"):
        (tmp_path / "shards" / "x.partial" / name).write_bytes(b"x")
    real, count = os.rename, 0

    def fail(*arguments: Any) -> None:
        nonlocal count
        count += 1
        if call != "os.rename" or count == 3:
            raise OSError(5, "input/output error")
        real(*arguments)

    monkeypatch.setattr(call, fail)
    with pytest.raises(OSError, match="input/output"):
        publish(tmp_path, tmp_path / "shards" / "x.partial", durable=True)
    monkeypatch.undo()
    assert [name for name in names(tmp_path) if not name.endswith(".partial")] == []


def test_engine_that_cannot_begin_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shards").mkdir()

    def refused(*_: Any, **__: Any) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(type(registry.engine("packed")), "create", refused)
    with pytest.raises(StoreFullError):
        ShardBuilder(tmp_path, registry.engine("packed"), SCHEMA, {}, durable=False, max_bytes=1)
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
