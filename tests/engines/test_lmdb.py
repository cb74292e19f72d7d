from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import lmdb
import numpy as np
import pytest

from pixstore.engines import lmdb as module
from pixstore.engines.lmdb import ENGINE
from pixstore.errors import CorruptStoreError, InvalidInputError, StoreBusyError, StoreTruncatedError
from pixstore.schema import Field, Schema
from pixstore.testing import EngineConformance, Shard, batch, noise, packed_records

SIZES = [1, 500, 2037, 2038, 2039, 2040, 4080, 4081, 100_000, 10**6]


class TestConformance(EngineConformance):
    engine = ENGINE


def write(folder: Path, stored: Sequence[bytes | None] | None = None) -> Shard:
    records = packed_records([noise(size, size) for size in SIZES] if stored is None else stored)
    return TestConformance().write(folder, Schema(), [batch(0, image=records)])


def open_environment(path: Path) -> lmdb.Environment:
    return lmdb.open(str(path), subdir=False, lock=False, readonly=True, create=False, max_dbs=8)


def test_each_field_is_a_database_with_eight_digit_keys(tmp_path: Path) -> None:
    records = batch(0, image=packed_records([b"one", b"two"]), mask=packed_records([None, b"m"]))
    shard = TestConformance().write(tmp_path, Schema((Field("image"), Field("mask"))), [records])
    with open_environment(shard.path) as environment, environment.begin() as transaction:
        found = {name: list(transaction.cursor(environment.open_db(name, transaction))) for name in (b"image", b"mask")}
    assert found == {b"image": [(b"00000000", b"one"), (b"00000001", b"two")], b"mask": [(b"00000001", b"m")]}


def test_values_of_every_size_around_a_page_lie_where_their_extents_say(tmp_path: Path) -> None:
    sizes = [*range(1, 60), *range(1990, 2100), *range(4050, 4150), *range(8150, 8230)]
    TestConformance().check(write(tmp_path, [noise(size, size) for size in sizes]))


def test_an_announced_size_of_nothing_makes_the_map_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPARE_BYTES", 1 << 16)
    path, writer = TestConformance().create(tmp_path, Schema(), max_bytes=0)
    stored = [noise(5000, row) for row in range(1000)]
    for first in range(0, 1000, 100):
        writer.append(batch(first, image=packed_records(stored[first : first + 100])))
    TestConformance().check(Shard(path, Schema(), {"image": stored}, writer.seal()))


def test_a_large_map_takes_no_space_in_the_file(tmp_path: Path) -> None:
    shard = write(tmp_path, [b"small"])
    assert shard.path.stat().st_size < 1 << 16


def test_a_large_batch_is_committed_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRANSACTION_BYTES", 10_000)
    stored = [noise(3000, row) for row in range(30)] + [noise(50_000, 31), b"last"]
    shard = write(tmp_path, stored)
    TestConformance().check(shard)
    with open_environment(shard.path) as environment:
        # One transaction makes the database; three records of 3,000 bytes go into each of the next ones.
        assert environment.info()["last_txnid"] >= 1 + 10


def test_more_rows_than_eight_digits_count_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 9)
    with pytest.raises(InvalidInputError, match="more than 9 rows"):
        write(tmp_path)


def test_a_record_larger_than_lmdb_takes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VALUE_BYTES", 999_999)
    with pytest.raises(InvalidInputError, match="1,000,000 bytes; LMDB takes 999,999 at most"):
        write(tmp_path)


def test_a_cut_file_is_refused_before_it_is_mapped(tmp_path: Path) -> None:
    path = write(tmp_path).path
    os.truncate(path, path.stat().st_size - 4096)
    with pytest.raises(StoreTruncatedError, match="needs"):
        ENGINE.open(path, Schema())


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" * 1000, bytes(10_000)], ids=["empty", "png", "zeros"])
def test_what_is_not_lmdb_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.lmdb"
    path.write_bytes(content)
    with pytest.raises(CorruptStoreError, match=r"a\.lmdb"):
        ENGINE.open(path, Schema())
    assert path.read_bytes() == content


def test_a_file_that_others_in_the_process_have_open_is_busy(tmp_path: Path) -> None:
    shard = write(tmp_path)
    with open_environment(shard.path), pytest.raises(StoreBusyError, match="close that first"):
        ENGINE.open(shard.path, Schema())


def test_a_child_forked_while_another_thread_reads_can_read(tmp_path: Path) -> None:
    shard = write(tmp_path)
    reader = ENGINE.open(shard.path, Schema())
    stop = threading.Event()

    def read_on() -> None:
        while not stop.is_set():
            reader.read("image", range(len(SIZES)))

    thread = threading.Thread(target=read_on)
    thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                os._exit(0 if len(reader.read("image", [4])[0]) == SIZES[4] else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        thread.join()


def test_a_fork_does_not_wait_for_ever_for_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Turn, "FORK_WAIT_SECONDS", 0.05)
    reader = ENGINE.open(write(tmp_path).path, Schema())
    with module.turn:
        child = os.fork()
        if child == 0:
            os._exit(0 if len(reader.read("image", [4])[0]) == SIZES[4] else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert len(reader.read("image", [4])[0]) == SIZES[4]


def test_map_offsets_agree_with_the_page_numbers_in_the_file(tmp_path: Path) -> None:
    shard = write(tmp_path)
    assert shard.extents is not None
    large = np.flatnonzero(shard.extents["image"].length > 4096)
    data = shard.path.read_bytes()
    for offset in shard.extents["image"].offset[large].tolist():
        # A value of more than a page begins behind the 16 bytes of a page header, which holds the page's number.
        assert offset % 4096 == 16
        assert int.from_bytes(data[offset - 16 : offset - 8], "little") == offset // 4096
