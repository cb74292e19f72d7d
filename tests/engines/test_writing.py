"""What all writers share, and what holds for every engine here: durability, refusals, closing."""

from __future__ import annotations

import errno
import gc
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore import registry
from pixstore.engine import RecordBatch, ShardWriter
from pixstore.engines import writing
from pixstore.engines.writing import MOST_BUFFERS, prove, runs, sync_each, sync_file_system, views, write_all
from pixstore.errors import CorruptStoreError, ReadOnlyError, SchemaError, StoreFullError, WriterClosedError
from pixstore.rows import Extents, Slices
from pixstore.schema import Schema
from pixstore.testing import batch, files_limited_to, noise, packed_records

EVERY_ENGINE = pytest.mark.parametrize("name", registry.ENGINES)
RECORDS = batch(0, image=packed_records([b"one", b"two"]))


def create(folder: Path, name: str, *, durable: bool = True) -> tuple[Path, ShardWriter]:
    engine = registry.engine(name)
    path = folder / f"a{engine.extension}"
    return path, engine.create(path, Schema(), durable=durable, max_bytes=1 << 20)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(-1, 40)), max_size=12))
def test_runs_hold_the_records_in_order(places: list[tuple[int, int]]) -> None:
    data = bytes(range(100))
    slices = Slices(data, np.array([each[0] for each in places], np.int64), np.array([each[1] for each in places], np.int64))
    expected = b"".join(data[offset : offset + length] for offset, length in places if length > 0)
    assert b"".join(runs(slices)) == expected
    assert b"".join(each or b"" for each in views(slices)) == expected


def test_records_end_to_end_are_one_run() -> None:
    assert len(runs(Slices.end_to_end(b"abcdef", np.array([1, -1, 2, 0, 3], np.int64)))) == 1


def test_write_all_writes_more_buffers_than_the_system_takes_at_once(tmp_path: Path) -> None:
    parts = [bytes([number % 256]) * (number % 5) for number in range(3 * MOST_BUFFERS)]
    descriptor = os.open(tmp_path / "a", os.O_CREAT | os.O_WRONLY)
    write_all(descriptor, [memoryview(each) for each in parts])
    os.close(descriptor)
    assert (tmp_path / "a").read_bytes() == b"".join(parts)


def test_write_all_goes_on_where_the_system_stopped(tmp_path: Path) -> None:
    reading, descriptor = os.pipe()
    with open(reading, "rb") as pipe:
        os.set_blocking(descriptor, False)
        parts = [noise(50_000, 1), noise(1, 2), noise(13_000, 3)]
        # A pipe takes 65,536 bytes; of more than that it takes a part and refuses the rest.
        with pytest.raises(BlockingIOError):
            write_all(descriptor, [memoryview(each) for each in [*parts, noise(5000, 4)]])
        os.close(descriptor)
        assert pipe.read() == b"".join([*parts, noise(5000, 4)])[:65_536]


def test_extents_that_do_not_hold_the_records_are_found_out(tmp_path: Path) -> None:
    path, writer = create(tmp_path, "packed")
    writer.append(RECORDS)
    writer.seal()
    reader = registry.engine("packed").open(path, Schema())
    wrong = Extents([path.name], np.zeros(2, np.uint32), np.array([0, 4]), np.array([3, 3]))
    with pytest.raises(CorruptStoreError, match="record 1 of 'image'"):
        prove(path, {"image": wrong}, reader)
    reader.close()


@EVERY_ENGINE
def test_a_closed_writer_takes_nothing_more(tmp_path: Path, name: str) -> None:
    _, writer = create(tmp_path, name)
    writer.append(RECORDS)
    writer.seal()
    for call in (lambda: writer.append(RECORDS), writer.seal):
        with pytest.raises(WriterClosedError, match="begin a new one"):
            call()


@EVERY_ENGINE
def test_a_batch_with_other_fields_is_refused_and_the_shard_is_gone(tmp_path: Path, name: str) -> None:
    path, writer = create(tmp_path, name)
    with pytest.raises(SchemaError, match="mask"):
        writer.append(batch(0, mask=packed_records([b"one"])))
    assert not path.exists()


@EVERY_ENGINE
def test_a_full_disk_says_what_is_needed_and_what_is_free(tmp_path: Path, name: str) -> None:
    path, writer = create(tmp_path, name)
    records = batch(0, image=packed_records([noise(1 << 20, 1)] * 40))
    with (
        files_limited_to(1 << 19),
        pytest.raises(StoreFullError, match=rf"{path.name}: above the largest file.* bytes needed, .* bytes free"),
    ):
        writer.append(records)
        writer.seal()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(WriterClosedError):
        writer.append(records)


@EVERY_ENGINE
def test_shards_can_be_written_after_many_were_refused(tmp_path: Path, name: str) -> None:
    """HDF5 kept files half closed that it could not finish, and closing a later one ended the process."""
    opened = len(os.listdir("/proc/self/fd"))
    path = tmp_path / f"a{registry.engine(name).extension}"
    for number in range(30):
        with files_limited_to(number * 150), suppress(StoreFullError):
            _, writer = create(tmp_path, name)
            writer.append(batch(0, image=packed_records([noise(700, number)] * 4)))
            writer.seal()
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
    _, writer = create(tmp_path, name)
    writer.append(RECORDS)
    writer.seal()
    assert list(registry.engine(name).open(path, Schema()).read("image", [1, 0])) == [b"two", b"one"]
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= opened + 1


@EVERY_ENGINE
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with as_nobody(), pytest.raises(ReadOnlyError, match="locked"):
        create(folder, name)
    assert list(folder.iterdir()) == []


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up the right of root to write anywhere, for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@EVERY_ENGINE
@pytest.mark.parametrize("durable", [True, False], ids=["durable", "not durable"])
def test_a_durable_shard_is_synced_and_then_the_folder_that_names_it(
    tmp_path: Path, name: str, durable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whole trees are synced by one call that cannot be watched from here; one by one they can.
    monkeypatch.setattr(writing, "sync_file_system", lambda path, descriptor: sync_each(path))
    synced: list[str] = []
    sync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    path, writer = create(tmp_path, name, durable=durable)
    writer.append(RECORDS)
    writer.seal()
    if not durable:
        assert synced == []
        return
    files = {str(each) for each in path.rglob("*")} if path.is_dir() else set()
    assert set(synced) == {str(path), str(tmp_path), *files}
    assert synced[-1] == str(tmp_path)


@EVERY_ENGINE
def test_a_failed_sync_leaves_no_shard(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path, writer = create(tmp_path, name)
    writer.append(RECORDS)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"(?i)input/output error"):
        writer.seal()
    assert not path.exists()
    with pytest.raises(WriterClosedError):
        writer.seal()


def test_a_tree_is_synced_by_one_call_or_the_error_is_told(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    sync_file_system(tmp_path, descriptor)
    os.close(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_file_system(tmp_path, descriptor)


@EVERY_ENGINE
def test_an_interrupt_while_appending_leaves_no_shard(tmp_path: Path, name: str) -> None:
    path, writer = create(tmp_path, name)
    with pytest.raises(KeyboardInterrupt):
        writer.append(RecordBatch(["a"], {"image": Interrupting()}))  # type: ignore[dict-item]
    assert not path.exists()


class Interrupting:
    """Records during whose writing somebody presses Ctrl-C."""

    formats = ()

    def __init__(self) -> None:
        self._asked = 0

    @property
    def slices(self) -> Slices:
        self._asked += 1
        if self._asked > 1:
            raise KeyboardInterrupt
        return Slices.end_to_end(b"one", np.array([3], np.int64))
