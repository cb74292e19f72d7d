"""StoreRows: shard after shard, deleted rows left out, each version as it was, and both ways to the bytes agree."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.engine_kinds import LOCATING

import pixstore
from pixstore import codec, errors, manifest, registry
from pixstore.engines.packed import PackedEngine, PackedWriter
from pixstore.registry import ENGINES
from pixstore.store import StoreRows
from pixstore.writer import Writer


def pixels(count: int, *shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


IMAGES = pixels(9, 4, 5, 3)


@pytest.fixture(params=ENGINES)
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return made(tmp_path, request.param)


@pytest.fixture(params=LOCATING)
def located(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The same, of engines that say where records lie."""
    return made(tmp_path, request.param)


def made(tmp_path: Path, engine: str) -> Path:
    """Make a store of several shards, with deleted, changed and maskless rows."""
    with Writer(tmp_path / "s", engine=engine, codec="png", shard_bytes=300, durability="process") as writer:
        writer.add_batch(IMAGES, key=list("abcdefghi"), label=range(9), mask=[IMAGES[0][..., 0], None, IMAGES[2][..., 0]] * 3)
        writer.commit()
        writer.delete("b")
        writer.delete("h")
        writer.update("d", label=33)
        writer.update("e", pixels(1, 7, 7, 3)[0])
    return tmp_path / "s"


def test_rows_stand_in_order_without_the_deleted(path: Path) -> None:
    rows = StoreRows(path)
    assert len(rows) == 7 and len(rows.shards) >= 4
    assert rows.table["key"].to_pylist() == list("acfgide") and rows.table["label"].to_pylist() == [0, 2, 5, 6, 8, 33, 4]


def test_bytes_by_extent_are_those_of_the_engines_library(located: Path) -> None:
    rows = StoreRows(located)
    chosen = np.array([6, 0, 3, 5, 5, 1])
    found, read = rows.locate("image", chosen), rows.read("image", chosen)
    assert found is not None and codec.fetch(found) == codec.fetch(read)
    assert [found.formats[n] for n in found.format.tolist()] == [read.formats[n] for n in read.format.tolist()]
    rows.close()
    rows.close()
    assert codec.fetch(rows.read("image", chosen)) == codec.fetch(found)


def test_find_names_the_row_of_every_key(path: Path) -> None:
    rows = StoreRows(path)
    assert rows.find(["a", "b", "e", "", "\udcff", "zz", "i"]).tolist() == [0, -1, 6, -1, -1, -1, 4]


def test_rows_without_a_field_are_absent_and_refused(located: Path) -> None:
    rows = StoreRows(located)
    chosen = np.arange(7)
    keys = np.array(rows.table["key"].to_pylist())
    assert sorted(keys[rows.absent("mask", chosen)]) == ["e"] and len(rows.absent("image", chosen)) == 0
    for read in (rows.locate, rows.read):
        with pytest.raises(errors.MissingRecordError, match=r"'e' \(row 6\).*has no 'mask'"):
            read("mask", chosen)
        with pytest.raises(errors.SchemaError, match=r"no field 'depth'.*image, mask"):
            read("depth", chosen)


def test_no_rows_are_no_records(located: Path) -> None:
    rows = StoreRows(located)
    found = rows.locate("image", np.empty(0, np.int64))
    assert found is not None and len(found) == 0 and len(codec.decode(found)) == 0


def test_earlier_version_is_as_it_was(path: Path) -> None:
    ds = pixstore.open(path, version=1)
    assert ds.keys.to_pylist() == list("abcdefghi") and ds[:]["label"].tolist() == list(range(9))
    assert all(np.array_equal(a, b) for a, b in zip(ds[:]["image"], IMAGES, strict=True))


def test_reader_keeps_the_version_it_opened(path: Path) -> None:
    ds = pixstore.open(path)
    before = ds.table
    with Writer(path, mode="a", durability="process") as writer:
        writer.delete("a")
        writer.update("c", label=99)
        writer.add(IMAGES[0], label=1)
    restored = pickle.loads(pickle.dumps(ds))
    for each in (ds, restored):
        assert each.table.equals(before) and np.array_equal(each["a"].image, IMAGES[0]) and each["c"]["label"] == 2
    assert "a" not in pixstore.open(path)


def test_uniform_shards_with_missing_columns_read_null(tmp_path: Path) -> None:
    with Writer(tmp_path / "s", durability="process") as writer:
        writer.add(IMAGES[0], label=1, boxes=[])
        writer.commit()
        writer.add(IMAGES[1])
        writer.commit()
        writer.add(IMAGES[2], boxes=[[1, 2]], label=2.0)
    assert pixstore.open(tmp_path / "s").table.to_pylist() == [
        {"key": "00000000", "label": 1, "boxes": []},
        {"key": "00000001", "label": None, "boxes": None},
        {"key": "00000002", "label": 2, "boxes": [[1, 2]]},
    ]


class HandingEngine(PackedEngine):
    """An engine without extents: its records are found through it alone."""

    name = "handing"

    def create(self, path: Path, schema: Any, *, durable: bool, max_bytes: int) -> Any:
        return HandingWriter(path, schema, durable=durable)


class HandingWriter(PackedWriter):
    def seal(self) -> None:  # type: ignore[override]
        super().seal()


HANDING = HandingEngine()


@pytest.fixture
def handing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed plugin, as its entry point tells of it."""
    point = importlib.metadata.EntryPoint("handing", f"{__name__}:HANDING", "pixstore.engines")
    real = registry.entry_points
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "pixstore.engines" else real(group=group))
    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", lambda self: HANDING)
    registry.engine.cache_clear()
    yield
    registry.engine.cache_clear()


@pytest.mark.usefixtures("handing")
def test_engine_without_extents_serves_every_read_and_update(tmp_path: Path) -> None:
    with Writer(tmp_path / "s", engine="handing", codec="png", durability="process") as writer:
        writer.add_batch(IMAGES, key=list("abcdefghi"), label=range(9), mask=[None, *IMAGES[1:, ..., 0]])
        writer.commit()
        writer.update("c", label=22)
        writer.update("d", mask=IMAGES[0][..., 1])
        writer.delete("e")
    ds = pixstore.open(tmp_path / "s")
    assert ds.keys.to_pylist() == list("abfghicd") and ds["c"]["label"] == 22 and ds["a"]["mask"] is None
    assert np.array_equal(ds[:]["image"], IMAGES[[0, 1, 5, 6, 7, 8, 2, 3]]) and np.array_equal(ds["d"]["mask"], IMAGES[0][..., 1])
    assert ds._rows.locate("image", np.arange(8)) is None


@pytest.mark.usefixtures("handing")
def test_engines_with_and_without_extents_mix(tmp_path: Path) -> None:
    for number, engine in enumerate(["packed", "handing", "files"]):
        with Writer(tmp_path / "s", engine=engine, codec="png", mode="a", durability="process") as writer:
            writer.add_batch(IMAGES[3 * number : 3 * number + 3], label=[0, 1, 2])
    with Writer(tmp_path / "s", mode="a", durability="process") as writer:
        writer.update("00000001", label=7)
    ds = pixstore.open(tmp_path / "s")
    assert np.array_equal(ds[:]["image"], IMAGES[[0, 2, 3, 4, 5, 6, 7, 8, 1]])


def test_two_hundred_thousand_tiny_rows_take_seconds(tmp_path: Path) -> None:
    if codec.core_name() != "native":
        pytest.skip("the reference core reads rows one by one: only the native core is held to this")
    images = np.broadcast_to(np.arange(200_000, dtype=np.uint32).view(np.uint8).reshape(-1, 2, 2), (200_000, 2, 2))
    began = time.process_time()
    with Writer(tmp_path / "s", durability="process", shard_bytes=1 << 20) as writer:
        writer.add_batch(images, label=np.arange(200_000))
    ds = pixstore.open(tmp_path / "s")
    assert np.array_equal(ds[:]["image"], images)
    shuffled = np.random.default_rng(0).permutation(200_000)
    for start in range(0, 200_000, 4096):
        rows = shuffled[start : start + 4096]
        batch = ds[rows]
        assert np.array_equal(batch["label"], rows) and np.array_equal(batch["image"], images[rows])
    assert ds.read(ds.keys.to_pylist()[::7], fields=[])["label"][-1] == 199_997
    assert time.process_time() - began < 10


def calls_of(work: Callable[[], object]) -> int:
    """Return how many functions the work calls, of Python and of C."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("shard_bytes", [1 << 30, 40_000])
def test_rows_are_located_without_an_object_or_a_call_for_each(tmp_path: Path, shard_bytes: int) -> None:
    with Writer(tmp_path / "s", durability="process", shard_bytes=shard_bytes) as writer:
        writer.add_batch(np.zeros((20_000, 2, 2), np.uint8), label=np.arange(20_000))
    StoreRows(tmp_path / "s").locate("image", np.arange(20_000))
    before = sys.getallocatedblocks()
    rows = StoreRows(tmp_path / "s")
    shuffled = np.random.default_rng(0).permutation(20_000)
    located = rows.locate("image", shuffled)
    assert located is not None and len(located) == 20_000
    assert sys.getallocatedblocks() - before < 100 + 200 * len(rows.shards)
    few, many = (calls_of(partial(rows.locate, "image", shuffled[:count])) for count in (100, 20_000))
    assert few == many < 60


def first_record(path: Path, key: str) -> tuple[Path, int, int]:
    """Return file, offset and length of a sample's image."""
    rows = StoreRows(path)
    place: Any = codec.take(rows.locate("image", rows.find([key])), np.array([0])).place  # type: ignore[arg-type]
    return Path(place.paths[int(place.file[0])]), int(place.offset[0]), int(place.length[0])


def test_a_damaged_record_is_named_by_key_file_and_byte(located: Path) -> None:
    file, offset, length = first_record(located, "c")
    data = bytearray(file.read_bytes())
    data[offset + length // 2] ^= 0xFF
    file.write_bytes(data)
    dataset = pixstore.open(located)
    with pytest.raises(errors.CorruptRecordError) as caught:
        dataset["c"]
    bad = caught.value.bad_rows[0]
    assert (bad.key, bad.place) == ("c", f"{file} at byte {offset}") and str(bad) in str(caught.value)
    assert np.array_equal(dataset["d"].image, IMAGES[3]), "its neighbours are read as before"


def test_a_record_whose_file_is_gone_or_cut_is_named_by_key_file_and_byte(located: Path) -> None:
    file, offset, length = first_record(located, "c")
    dataset = pixstore.open(located, io="pread")
    with open(file, "r+b") as cut:
        cut.truncate(offset + length - 1)
    with pytest.raises(errors.CorruptRecordError, match=r"'c' \(row 1\) in ") as caught:
        dataset["c"]
    assert caught.value.bad_rows[0].place == f"{file} at byte {offset}"
    file.unlink()
    with pytest.raises(errors.MissingRecordError) as gone:
        pixstore.codec.release(str(located))
        dataset["c"]
    assert (gone.value.bad_rows[0].key, gone.value.bad_rows[0].place) == ("c", f"{file} at byte {offset}")


def test_a_record_that_its_own_library_does_not_give_is_named_by_key_file_and_byte(located: Path) -> None:
    file, offset, _ = first_record(located, "c")
    rows = StoreRows(located)
    chosen = rows.find(["c"])
    file.unlink()
    with pytest.raises(errors.MissingRecordError) as gone:
        rows.read("image", chosen)
    assert (gone.value.bad_rows[0].key, gone.value.bad_rows[0].place) == ("c", f"{file} at byte {offset}")


def test_a_file_that_its_own_library_refuses_is_named_with_every_key_asked_for(located: Path) -> None:
    rows = StoreRows(located)
    pixels = located / "shards" / rows.shards[0].entry.pixels.name  # type: ignore[union-attr]
    if not pixels.is_file():
        pytest.skip("records that are files of their own have no library")
    pixels.write_bytes(bytes(pixels.stat().st_size))
    with pytest.raises(errors.CorruptRecordError) as caught:
        rows.read("image", np.array([0]))
    bad = caught.value.bad_rows[0]
    assert bad.key == "a" and bad.place.startswith(f"{pixels} at byte ") and "restore it from a copy" in bad.reason


def test_rows_of_a_manifest_that_is_not_committed_can_be_read(path: Path) -> None:
    made = manifest.load(path)
    shards = made.shards[:1]
    assert len(StoreRows(path, dataclasses.replace(made, shards=shards))) == shards[0].rows - shards[0].deleted_rows
