"""Shard: what was sealed opens, what was changed since is refused before Arrow sees it, what lies outside is never read."""

from __future__ import annotations

import dataclasses
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

import pixstore
from pixstore import errors, manifest, record_table, shard
from pixstore.codec import hash_bytes
from pixstore.keys import write_keys
from pixstore.registry import ENGINES
from pixstore.schema import Format
from pixstore.writer import Writer

IMAGES: NDArray[np.uint8] = np.random.default_rng(3).integers(0, 256, (6, 5, 5, 3)).astype(np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(IMAGES, key=list("abcdef"), label=[1, 2, 3, 4, 5, 6])
    return tmp_path / "s"


def file_of(path: Path, suffix: str) -> Path:
    return next(each for each in (path / "shards").iterdir() if each.suffix == suffix)


def test_every_changed_byte_of_a_table_is_refused_by_name(path: Path) -> None:
    table = file_of(path, ".arrow")
    data = table.read_bytes()
    for place in [*range(0, len(data), 41), len(data) - 1]:
        changed = bytearray(data)
        changed[place] ^= 0x10
        table.write_bytes(changed)
        with pytest.raises(errors.CorruptStoreError, match=rf"{table.name}.*digest"):
            pixstore.open(path)


@pytest.mark.parametrize("suffix", [".arrow", ".keys", ".bin"])
def test_cut_and_grown_files_are_refused_by_name(path: Path, suffix: str) -> None:
    file = file_of(path, suffix)
    data = file.read_bytes()
    for length in (0, 1, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:length])
        with pytest.raises(errors.StoreTruncatedError, match=rf"{file.name}.*needs {len(data):,} bytes, has {length:,}"):
            pixstore.open(path)
    file.write_bytes(data + b"\0")
    with pytest.raises(errors.CorruptStoreError, match=file.name):
        pixstore.open(path)
    file.unlink()
    with pytest.raises(errors.CorruptStoreError, match=rf"{file.name}: missing"):
        pixstore.open(path)


def test_every_changed_byte_of_the_key_index_is_noticed_when_it_is_used(path: Path) -> None:
    file = file_of(path, ".keys")
    data = file.read_bytes()
    for place in range(0, len(data), 7):
        changed = bytearray(data)
        changed[place] ^= 0x10
        file.write_bytes(changed)
        with pytest.raises(errors.CorruptStoreError, match=file.name):
            pixstore.open(path)["a"]


def place_of(path: Path, record: bytes) -> tuple[Path, int]:
    """Return the file and the byte where a record lies: no engine changes its bytes, be there extents or not."""
    found = [(file, file.read_bytes().find(record)) for file in sorted((path / "shards").rglob("*")) if file.is_file()]
    return next((file, place) for file, place in found if place >= 0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("codec", ["raw", "png"])
def test_changed_pixel_is_noticed_and_its_key_named(tmp_path: Path, engine: str, codec: str) -> None:
    with Writer(tmp_path / "s", engine=engine, codec=codec) as writer:
        writer.add_batch(IMAGES, key=list("abcdef"))
    record = pixstore.open(tmp_path / "s").encoded(3)
    name, place = place_of(tmp_path / "s", record)
    with open(name, "r+b") as file:
        file.seek(place + len(record) // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    ds = pixstore.open(tmp_path / "s", io="pread")
    for read in (lambda: ds[3], lambda: ds[:], lambda: ds["d"], lambda: list(ds), lambda: ds.encoded("d")):
        with pytest.raises(errors.CorruptRecordError, match=r"'d' \(row 3\)") as caught:
            read()
        assert [each.key for each in caught.value.bad_rows] == ["d"]
    assert np.array_equal(ds[[0, 1, 2, 4, 5]]["image"], IMAGES[[0, 1, 2, 4, 5]])
    if codec == "raw":
        unchecked = ds.read(slice(None), verify=False)["image"]
        assert (unchecked != IMAGES).sum() == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_records_that_changed_places_are_noticed(tmp_path: Path, engine: str) -> None:
    """The bytes are whole, the key is another: the checksum binds both."""
    with Writer(tmp_path / "s", engine=engine, codec="raw") as writer:
        writer.add_batch(IMAGES, key=list("abcdef"))
    records = [pixstore.open(tmp_path / "s").encoded(row) for row in (1, 4)]
    places = [place_of(tmp_path / "s", each) for each in records]
    for (name, place), record in zip(reversed(places), records, strict=True):
        with open(name, "r+b") as file:
            file.seek(place)
            file.write(record)
    with pytest.raises(errors.CorruptRecordError, match="2 of 6 images"):
        pixstore.open(tmp_path / "s", io="pread")[:]


# ---- hostile tables, whose maker made fitting digests ----


def remade(path: Path, change: Callable[[dict[str, pa.Array]], Any], batches: int = 1) -> None:
    """Change the only table of a store, and the digests with it."""
    file = file_of(path, ".arrow")
    with pa.memory_map(str(file)) as source, pa.ipc.open_file(source) as reader:
        batch = reader.get_batch(0)
        arrays = {name: batch.column(index) for index, name in enumerate(batch.schema.names)}
        arrays = change(arrays) or arrays
        made = pa.record_batch(list(arrays.values()), names=list(arrays))
        with pa.OSFile(str(file) + "x", "wb") as target, pa.ipc.new_file(target, made.schema) as writer:
            for number in range(batches):
                writer.write_batch(made.slice(number * len(made) // batches, len(made) // batches))
    os.replace(str(file) + "x", file)
    resign(path, lambda value: value["shards"][0].update(table=described(file)))


def described(file: Path) -> dict[str, Any]:
    digested = shard.digested(file)
    return {"name": file.name, "bytes": digested.bytes, "digests": [f"{each:016x}" for each in digested.digests or ()]}


def resign(path: Path, change: Callable[[Any], Any]) -> None:
    value = json.loads((path / manifest.NAME).read_bytes())
    del value["digest"]
    change(value)
    text = json.dumps(value, separators=(",", ":"))[:-1].encode()
    (path / manifest.NAME).write_bytes(text + f'{manifest.DIGEST}{hash_bytes(text):016x}"}}\n'.encode())


def struct(arrays: dict[str, pa.Array], **changes: pa.Array) -> dict[str, pa.Array]:
    image = arrays["image"]
    children = {field.name: changes.get(field.name, image.field(field.name)) for field in image.type}
    return {**arrays, "image": pa.StructArray.from_arrays(list(children.values()), names=list(children))}


def paths(*names: str | None, indices: Any = (0, 0, 0, 0, 0, 0)) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(names, pa.string()), safe=False)


def naming(name: str | None) -> Callable[[dict[str, pa.Array]], Any]:
    return lambda arrays: struct(arrays, file=paths(name))


OUTSIDE = ("/etc/hostname", "../secret", "shards/../../secret", "shards/..", "secret", "shards/a\0b", "", None)
HOSTILE: dict[str, Callable[[dict[str, pa.Array]], Any]] = {
    **{f"file {name!r}": naming(name) for name in OUTSIDE},
    "file index out of the list": lambda a: struct(a, file=paths("shards/x", indices=[0, 0, 9, 0, 0, 0])),
    "file index below nothing": lambda a: struct(a, file=paths("shards/x", indices=[0, 0, -7, 0, 0, 0])),
    "one record in no file": lambda a: struct(a, file=paths("shards/x", indices=[0, 0, None, 0, 0, 0])),
    "offsets of another type": lambda a: struct(a, offset=a["image"].field("offset").cast(pa.int32()), file=paths("../../secret")),
    "a child less": lambda a: {**a, "image": pa.StructArray.from_arrays([a["image"].field(n) for n in range(6)], names=list("abcdef"))},
    "offset missing": lambda a: struct(a, offset=pa.array([0, None, 0, 0, 0, 0], pa.int64())),
    "no key": lambda a: {name: array for name, array in a.items() if name != "key"},
    "key missing": lambda a: {**a, "key": pa.array(["a", None, "c", "d", "e", "f"])},
    "keys that are numbers": lambda a: {**a, "key": pa.array(range(6))},
    "label of another type": lambda a: {**a, "label": pa.array(list("abcdef"))},
    "fewer rows": lambda a: {name: array.slice(0, 4) for name, array in a.items()},
    "image that is a number": lambda a: {**a, "image": pa.array(range(6))},
    "shape below nothing": lambda a: struct(a, shape=pa.array([[-5, 5, 3]] * 6, pa.list_(pa.int32()))),
    "dtype of objects": lambda a: struct(a, dtype=paths("O")),
    "dtype that is none": lambda a: struct(a, dtype=paths("nonsense")),
}  # fmt: skip


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_table_is_refused_in_one_clear_error(path: Path, change: Callable[[dict[str, pa.Array]], Any]) -> None:
    (path.parent / "secret").write_bytes(b"secret" * 100)
    remade(path, change)
    resign(path, lambda value: value["shards"][0].update(formats={}))
    with pytest.raises(errors.CorruptStoreError, match=r"\.arrow"):
        pixstore.open(path).read(slice(None), verify=False)


@pytest.mark.parametrize("batches", [0, 2])
def test_table_that_is_not_one_batch_is_refused(path: Path, batches: int) -> None:
    remade(path, lambda arrays: arrays, batches)
    with pytest.raises(errors.CorruptStoreError, match=r"\.arrow"):
        pixstore.open(path)


@pytest.mark.parametrize("content", [b"", b"ARROW1\0\0" + b"\xff" * 100 + b"ARROW1", b"x" * 500])
def test_table_that_is_no_arrow_file_is_refused(path: Path, content: bytes) -> None:
    file = file_of(path, ".arrow")
    file.write_bytes(content)
    resign(path, lambda value: value["shards"][0].update(table=described(file)))
    with pytest.raises(errors.CorruptStoreError, match="does not parse"):
        pixstore.open(path)


def test_offsets_that_lead_out_of_the_text_are_refused(path: Path) -> None:
    """Arrow trusts offsets; whoever wrote these wants the memory beside the text."""
    file = file_of(path, ".arrow")
    data = bytearray(file.read_bytes())
    place = bytes(data).index(np.arange(7, dtype=np.int32).tobytes())
    data[place : place + 28] = np.array([0, 1, 2, 3, 4, 5, 1 << 30], np.int32).tobytes()
    file.write_bytes(data)
    resign(path, lambda value: value["shards"][0].update(table=described(file)))
    with pytest.raises(errors.CorruptStoreError, match="does not parse"):
        pixstore.open(path)


def test_key_index_that_names_rows_that_are_not_there_is_refused(path: Path) -> None:
    file = file_of(path, ".keys")
    file.unlink()
    write_keys(file, pa.array(list("abcdef")))
    data = bytearray(file.read_bytes())
    data[-4:] = b"\xff\xff\xff\xff"
    file.write_bytes(data)
    resign(path, lambda value: value["shards"][0].update(keys=described(file)))
    with pytest.raises(errors.CorruptStoreError, match="key index"):
        pixstore.open(path)["f"]


def test_extents_beyond_a_file_name_the_rows(path: Path) -> None:
    remade(path, lambda arrays: struct(arrays, offset=pa.array([0, 75, 1 << 60, 225, -5, 375], pa.int64())))
    with pytest.raises(errors.RecordError, match="2 of 6"):
        pixstore.open(path)[:]


@pytest.mark.parametrize("codec", ["raw", "png"])
@pytest.mark.parametrize("side", [30_000, 500_000, 1_000_000_000])
def test_shape_of_terabytes_is_refused_in_our_words(tmp_path: Path, codec: str, side: int) -> None:
    with Writer(tmp_path / "s", codec=codec, durability="process") as writer:
        writer.add_batch(IMAGES, key=list("abcdef"))
    remade(tmp_path / "s", lambda arrays: struct(arrays, shape=pa.array([[side, side, 3]] * 6, pa.list_(pa.int32()))))
    resign(tmp_path / "s", lambda value: value["shards"][0].update(formats={}))
    with pytest.raises((errors.RecordError, errors.CorruptStoreError)):
        pixstore.open(tmp_path / "s")[:]


def test_shape_that_is_not_the_records_names_the_rows(path: Path) -> None:
    remade(path, lambda arrays: struct(arrays, shape=pa.array([[5, 5, 3]] * 5 + [[5, 5, 4]], pa.list_(pa.int32()))))
    resign(path, lambda value: value["shards"][0].update(formats={}))
    with pytest.raises(errors.RecordError, match=r"'f' \(row 5\)"):
        pixstore.open(path).read(slice(None))


def test_formats_of_rows_come_back_in_their_order(tmp_path: Path) -> None:
    with Writer(tmp_path / "s", durability="process") as writer:
        for shape, dtype in [((2, 2), "uint8"), ((3, 2, 2), "uint16"), ((), "float32"), ((2, 2), "uint8")]:
            writer.add(np.ones(shape, dtype))
    opened = pixstore.open(tmp_path / "s")
    expected = [
        Format("raw", (2, 2), "uint8"),
        Format("raw", (), "float32"),
        Format("raw", (2, 2), "uint8"),
        Format("raw", (3, 2, 2), "uint16"),
    ]
    assert opened.formats([3, 2, 0, 1]) == expected


def test_shard_of_default_keys_has_no_index_and_refuses_what_is_there_twice(tmp_path: Path) -> None:
    with Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(IMAGES)
    assert not [each for each in (tmp_path / "s" / "shards").iterdir() if each.suffix == ".keys"]
    with pixstore.open(tmp_path / "s") as ds:
        assert ds["00000004"].image.tolist() == IMAGES[4].tolist()
        assert "00000006" not in ds and "4" not in ds
    with pytest.raises(errors.DuplicateKeyError, match="'00000003'"), Writer(tmp_path / "s", mode="a") as writer:
        writer.add(IMAGES[0], key="00000003")
    with pytest.raises(errors.DuplicateKeyError, match="'00000005'"), Writer(tmp_path / "s", mode="a") as writer:
        writer.add_batch(IMAGES[:2], key=["00000005", "00000006"])
    assert len(pixstore.open(tmp_path / "s")) == 6


def test_table_names_files_by_the_smallest_index(tmp_path: Path) -> None:
    with Writer(tmp_path / "s", engine="files", durability="process") as writer:
        writer.add_batch(np.zeros((record_table.MOST_SMALL + 1, 2, 2), np.uint8))
    with pixstore.Writer(tmp_path / "t", engine="packed", durability="process") as writer:
        writer.add_batch(np.zeros((300, 2, 2), np.uint8))
    kinds = [pa.ipc.open_file(file_of(tmp_path / name, ".arrow")).schema.field("image").type.field("file").type.index_type for name in "st"]
    assert kinds == [pa.int32(), pa.int8()]
    assert len(pixstore.open(tmp_path / "s")[:].image) == record_table.MOST_SMALL + 1


@pytest.mark.parametrize("suffix", [".arrow", ".keys"])
def test_a_file_removed_while_it_is_opened_is_a_missing_one(path: Path, suffix: str) -> None:
    """As where versions are removed beside a reader: between the look at the sizes and the reading of what the file holds."""
    file = file_of(path, suffix)
    described = shard.digested(file)
    file.unlink()
    with pytest.raises(errors.CorruptStoreError, match=rf"{file.name}: missing"):
        shard.sealed_content(file, described)


def test_rows_that_a_manifest_claims_take_no_memory(path: Path) -> None:
    made = manifest.load(path)
    claimed = dataclasses.replace(made.shards[0], rows=manifest.MOST_ROWS, deleted=((0, 1),))
    tracemalloc.start()
    with pytest.raises(errors.CorruptStoreError, match="not the table of"):
        shard.Shard(path, claimed, made.schema)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 24
