"""What a shard's files say of each other; whoever forges a table forges its digests too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.trust.conftest import IMAGES, pixel_file

from pixstore import manifest
from pixstore.errors import CorruptStoreError
from pixstore.keys import write_keys
from pixstore.manifest import ShardEntry
from pixstore.schema import KEY, Format
from pixstore.shard import RecordColumns, digested, write_table
from pixstore.trust.structure import bytes_there, check_keys, check_places, check_sizes, open_table

Flip = Callable[[Path, int], None]


def entry_of(store: Path) -> tuple[ShardEntry, Any]:
    made = manifest.load(store)
    return made.shards[0], made.schema


def forged(store: Path, **changes: Any) -> tuple[ShardEntry, Any]:
    """Write the shard's table again with these columns of its records, digests and all; return its entry."""
    entry, schema = entry_of(store)
    shard = open_table(store, entry, schema)
    table = shard.records("image")
    assert table is not None
    formats, index = table.formats(np.arange(entry.rows))
    file, path = table.file.astype(np.int32), f"shards/{pixel_file(store).name}"
    records = RecordColumns([path], file, table.offset, table.length, table.checksum, formats, index)
    place = store / "shards" / entry.table.name
    columns = {name: shard.whole[name] for name in (KEY, "label")}
    return replace(entry, table=write_table(place, columns, {"image": replace(records, **changes)})), schema


def findings(store: Path, entry: ShardEntry, schema: Any) -> list[tuple[str, str, int]]:
    found = check_places(store, entry, open_table(store, entry, schema))
    return [(each.kind, each.reason, each.rows) for each in found]


def test_a_sound_shard_has_no_findings(pristine: Path) -> None:
    made = manifest.load(pristine)
    for entry in made.shards:
        shard = open_table(pristine, entry, made.schema)
        assert not list(check_sizes(pristine, entry)) and not list(check_places(pristine, entry, shard))
        assert not list(check_keys(pristine, entry, shard.whole[KEY]))


def test_files_that_are_gone_cut_or_longer_are_told_apart(plain: Path) -> None:
    entry, _ = entry_of(plain)
    path = pixel_file(plain)
    data = path.read_bytes()
    for changed, kind, offset in ((data[:100], "size", 100), (data + b"12", "size", len(data))):
        path.write_bytes(changed)
        assert [(each.kind, each.offset) for each in check_sizes(plain, entry)] == [(kind, offset)]
    path.unlink()
    assert [(each.kind, each.rows) for each in check_sizes(plain, entry)] == [("missing", 12)]


def test_a_file_counts_with_what_is_there_of_what_is_stated(plain: Path) -> None:
    file = digested(pixel_file(plain))
    assert bytes_there(plain, file) == file.bytes == bytes_there(plain, replace(file, bytes=1 << 60))
    assert bytes_there(plain, replace(file, bytes=7)) == 7
    assert [bytes_there(plain, each) for each in (None, replace(file, bytes=None), replace(file, name="gone"))] == [0, 0, 0]


def test_a_table_opens_without_the_shards_other_files_and_not_with_a_wrong_byte(plain: Path, flip: Flip) -> None:
    entry, schema = entry_of(plain)
    pixel_file(plain).unlink()
    assert len(open_table(plain, entry, schema)) == 12
    flip(plain / "shards" / entry.table.name, 99)
    with pytest.raises(CorruptStoreError, match="its digest does not match"):
        open_table(plain, entry, schema)


def test_an_index_of_other_keys_is_found_though_its_digest_matches(plain: Path) -> None:
    entry, schema = entry_of(plain)
    assert entry.keys is not None
    path = plain / "shards" / entry.keys.name
    keys = open_table(plain, entry, schema).whole[KEY]
    path.unlink()
    write_keys(path, pa.array([f"other-{number}" for number in range(12)]))
    other = replace(entry, keys=digested(path))
    assert [each.reason for each in check_keys(plain, other, keys)] == [f"not the index of the keys in {entry.table.name}"]
    assert [each.kind for each in check_keys(plain, replace(entry, keys=None), keys)] == ["keys"]


def test_records_beyond_their_file_are_found(plain: Path) -> None:
    size = pixel_file(plain).stat().st_size
    offset = np.arange(12) * IMAGES[0].nbytes
    offset[5] = size - 10
    assert ("place", f"records end beyond its {size:,} bytes", 1) in findings(plain, *forged(plain, offset=offset))


def test_records_over_each_other_are_found(plain: Path) -> None:
    offset = np.arange(12) * IMAGES[0].nbytes
    offset[5] -= 1
    assert findings(plain, *forged(plain, offset=offset)) == [("place", "two records lie over each other", 2)]


def test_records_in_a_file_that_is_not_the_shards_are_found(plain: Path) -> None:
    entry, schema = forged(plain, paths=["shards/other.bin"])
    (plain / "shards/other.bin").write_bytes(pixel_file(plain).read_bytes())
    assert findings(plain, entry, schema)[0] == ("place", "a record lies in a file that the manifest does not name for this shard", 12)
    assert findings(plain, replace(entry, borrows=("other.bin",)), schema) == []


def test_records_of_a_length_that_their_shape_cannot_have_are_found(plain: Path) -> None:
    length = np.full(12, IMAGES[0].nbytes)
    length[3] -= 1
    found = findings(plain, *forged(plain, length=length))
    assert found == [("place", "'image' has records of a length that their shape cannot have", 1)]


def test_a_format_that_the_manifest_does_not_say_is_found(plain: Path) -> None:
    entry, schema = entry_of(plain)
    other = replace(entry, formats={"image": Format("raw", (7, 6, 3), "uint8")})
    assert [each[0] for each in findings(plain, other, schema)] == ["table"]
