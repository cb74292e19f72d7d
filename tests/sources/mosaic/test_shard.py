"""One MDS shard as arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import foreign_tables as foreign
from pixstore.errors import CorruptStoreError, LimitExceededError
from pixstore.sources.mosaic import shard as mds_shard
from pixstore.sources.mosaic.index import shards_in
from pixstore.sources.mosaic.shard import gathered, shard_bytes, unpacked, values_in


@pytest.mark.parametrize("compressed", [False, True])
def test_values_are_found_in_every_sample(tmp_path: Path, compressed: bool) -> None:
    images = foreign.mds(tmp_path / "d", compressed=compressed)
    shard = shards_in(tmp_path / "d", None)[1]
    with shard_bytes(shard) as data:
        values = values_in(shard, data)
        place = values["image"]
        assert [data[begin : begin + size].tobytes() for begin, size in zip(place.offset, place.length, strict=True)] == images[4:8]
        assert gathered(data, values["label"].offset, 8).view("<i8").ravel().tolist() == [0, 1, 0, 1]


def test_offsets_that_go_back_or_leave_the_file_are_refused(tmp_path: Path) -> None:
    foreign.mds(tmp_path / "d")
    shard = shards_in(tmp_path / "d", None)[0]
    whole = shard.path.read_bytes()
    for place, value in ((1, 0), (1, 1 << 31), (3, 0), (5, len(whole) + 1), (5, len(whole) - 1), (0, 1 << 30)):
        numbers = bytearray(whole)
        numbers[4 * place : 4 * place + 4] = value.to_bytes(4, "little")
        with pytest.raises(CorruptStoreError, match=r"shard\.00000\.mds"):
            values_in(shard, np.frombuffer(numbers, np.uint8))


def test_a_shard_of_a_few_bytes_is_refused(tmp_path: Path) -> None:
    foreign.mds(tmp_path / "d")
    shard = shards_in(tmp_path / "d", None)[0]
    for content in (b"", b"\4", b"\4\0\0\0", b"\4\0\0\0\0"):
        with pytest.raises(CorruptStoreError):
            values_in(shard, np.frombuffer(content, np.uint8))


def test_unpacking_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign.mds(tmp_path / "d", compressed=True)
    monkeypatch.setattr(mds_shard, "MAX_UNPACKED_BYTES", 100)
    with pytest.raises(LimitExceededError, match="zstd -d"):
        unpacked(shards_in(tmp_path / "d", None)[0])
