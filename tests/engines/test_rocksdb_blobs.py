"""Blob files that RocksDB wrote give what was put in; damaged ones are refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixstore.engines import rocksdb
from pixstore.engines.rocksdb_blobs import BlobFile
from pixstore.errors import CorruptStoreError
from pixstore.schema import Schema
from pixstore.testing import batch, noise, packed_records

STORED = [noise(row * 3, row) for row in range(200)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    writer = rocksdb.ENGINE.create(tmp_path / "a.rocksdb", Schema(), durable=False, max_bytes=1 << 30)
    writer.append(batch(0, image=packed_records(STORED)))
    writer.seal()
    return next((tmp_path / "a.rocksdb").glob("*.blob"))


def test_every_record_is_found_where_it_is(path: Path) -> None:
    file = BlobFile(path)
    assert [file.bytes_at(start, end) for _, start, end in file.records()] == STORED
    assert next(file.records())[0] == b"00000000/image"
    file.close()


def test_a_damaged_header_is_refused_and_a_damaged_value_is_its_records_own(path: Path) -> None:
    data = path.read_bytes()
    places = {key: start for key, start, _ in BlobFile(path).records()}
    for place in [*range(10), 20 + 30, places[b"00000009/image"] - 30, len(data) - 32]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        if place in range(8, 10):
            continue  # the number of the column family
        with pytest.raises(CorruptStoreError, match=r"\.blob: not a whole blob file"):
            list(BlobFile(path).records())
    for length in (0, 50, len(data) - 1, len(data) // 2):
        path.write_bytes(data[:length])
        with pytest.raises(CorruptStoreError, match="not a whole blob file"):
            list(BlobFile(path).records())
