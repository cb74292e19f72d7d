"""Tables that LevelDB wrote give what was put in; damaged and compressed ones are refused with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import plyvel
import pytest

from pixstore.engines.leveldb_tables import Table
from pixstore.errors import CorruptStoreError

ITEMS = {b"key-%05d" % number: b"value %d" % number * (number % 50) for number in range(3000)}


def made(folder: Path, **options: object) -> Path:
    """Return the only table of a database of LevelDB's."""
    database = plyvel.DB(os.fspath(folder / "db"), create_if_missing=True, **options)
    with database.write_batch() as writes:
        for key, value in ITEMS.items():
            writes.put(key, value)
    database.compact_range()
    database.close()
    return next((folder / "db").glob("*.ldb"))


@pytest.mark.parametrize("options", [{}, {"block_size": 100}, {"block_restart_interval": 1}], ids=["usual", "small blocks", "no sharing"])
def test_every_entry_is_found_where_it_is(tmp_path: Path, options: dict[str, int]) -> None:
    table = Table(made(tmp_path, compression=None, **options))
    assert {key: table.bytes_at(start, end) for key, start, end in table.entries()} == ITEMS
    for key in list(ITEMS)[::7]:
        place = table.find(key)
        assert place is not None and table.bytes_at(*place) == ITEMS[key]
    assert table.first_key == b"key-00000"
    assert table.find(b"") is table.find(b"key-00000x") is table.find(b"z") is None
    table.close()


def test_a_compressed_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptStoreError, match="compressed block"):
        list(Table(made(tmp_path, compression="snappy")).entries())


def test_any_damage_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    path = made(tmp_path, compression=None)
    data = path.read_bytes()
    for place in [*range(len(data) - 60, len(data)), *range(0, len(data), len(data) // 60)]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :])
        try:
            found = {key: Table.bytes_at(table, start, end) for table in [Table(path)] for key, start, end in table.entries()}
        except CorruptStoreError as error:
            assert path.name in str(error)
        else:
            assert found == ITEMS, place
    for length in (0, 20, len(data) // 2):
        path.write_bytes(data[:length])
        with pytest.raises(CorruptStoreError, match="not a whole table"):
            Table(path)
