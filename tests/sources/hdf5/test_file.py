"""A foreign HDF5 file reads itself and nothing else, and no more than it holds."""

from __future__ import annotations

import importlib
import json
import os
import signal
import struct
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixstore.errors import (
    CorruptStoreError,
    ForeignFileCrashedError,
    LimitExceededError,
    NotAStoreError,
    PixstoreError,
    StoreBusyError,
    StoreTruncatedError,
    UnsafeInputError,
)
from pixstore.sources.hdf5 import file as hdf5_file
from pixstore.sources.hdf5.chunks import chunks_of
from pixstore.sources.hdf5.file import examined, examined_all, has_signature
from pixstore.sources.hdf5.nodes import DATASET, MAX_RATIO

# What runs in children lies in a module that loads little else, which children find by its folder.
sys.path.append(str(Path(__file__).parents[1]))
readers = importlib.import_module("hdf5_readers")

DATA = np.arange(1000, dtype=np.uint8)


def opened(path: Path, name: str = "data") -> Any:
    """Return a dataset's bytes, or the names in a group, read as the sources do."""
    file = examined(path)
    node = file.node(name)
    if node.kind != DATASET:
        return file.names(name)
    if node.offset is not None:
        return np.frombuffer(path.read_bytes()[node.offset : node.offset + node.declared], np.uint8)
    assert node.table is not None
    return chunks_of(path, node, file.buffers[node.table], is_stack=True).read(np.arange(node.count))


def refused(path: Path, error: type[PixstoreError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        opened(path)
    assert str(path) in str(caught.value)


FILTERED = {"compression": "gzip", "shuffle": True, "fletcher32": True}


@pytest.mark.parametrize("storage", [{}, {"chunks": (100,)}, FILTERED, {"compression": "lzf"}])
def test_plain_and_built_in_storage_is_read(tmp_path: Path, storage: dict[str, Any]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=DATA, **storage)
    assert has_signature(tmp_path / "a.h5")
    np.testing.assert_array_equal(opened(tmp_path / "a.h5"), DATA)


def test_a_group_gives_its_names(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("data")["inner"] = DATA
    assert opened(tmp_path / "a.h5") == ["inner"]


def test_links_to_elsewhere_are_named_and_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = DATA
    for link, message in (
        (h5py.ExternalLink("other.h5", "/secret"), "a link to another file, 'other.h5'"),
        (h5py.SoftLink("/nowhere"), "a link to '/nowhere'"),
        (h5py.SoftLink("/data"), "a link to '/data'"),
    ):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["data"] = link
        refused(tmp_path / "a.h5", UnsafeInputError, message)


def test_a_name_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w"):
        pass
    with pytest.raises(PixstoreError, match="data"):
        opened(tmp_path / "a.h5")


def test_data_outside_the_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret" * 10)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", (10,), "u1", external=[(str(tmp_path / "secret"), 0, 10)])
    refused(tmp_path / "a.h5", UnsafeInputError, "lies in other files")


def test_a_virtual_dataset_is_not_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = DATA
    layout = h5py.VirtualLayout((1000,), "u1")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "secret", (1000,))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    refused(tmp_path / "a.h5", UnsafeInputError, "lies in other files")


def test_a_filter_that_is_not_built_in_loads_no_plugin(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((100,))
        properties.set_filter(32020, h5py.h5z.FLAG_OPTIONAL, ())
        h5py.h5d.create(file.id, b"data", h5py.h5t.STD_U8LE, h5py.h5s.create_simple((1000,)), properties)
    refused(tmp_path / "a.h5", UnsafeInputError, "filter 32020, which is not built in")


@pytest.mark.parametrize("value", [np.zeros(2, [("a", "u1")]), np.zeros(2, "c16"), h5py.Empty("u1")])
def test_data_that_is_neither_numbers_nor_text_is_refused(tmp_path: Path, value: Any) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = value
    refused(tmp_path / "a.h5", NotAStoreError, "not plain numbers|holds nothing")


def test_a_named_type_is_no_data(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = np.dtype("u1")
    refused(tmp_path / "a.h5", NotAStoreError, "neither a dataset nor a group")


def test_more_declared_than_stored_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", (1 << 40,), "u1", chunks=(1 << 20,), compression="gzip")
    assert (tmp_path / "a.h5").stat().st_size < 10_000
    refused(tmp_path / "a.h5", LimitExceededError, "declares 1099511627776 bytes with 0 stored")


def test_a_chunk_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", (100 << 20,), "u1", chunks=(100 << 20,), compression="gzip")[:10] = 1
    refused(tmp_path / "a.h5", LimitExceededError, "chunks of 104857600 bytes")


def test_data_that_was_never_written_is_not_read_as_zeros(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", (1000,), "u1")
    refused(tmp_path / "a.h5", CorruptStoreError, "never written")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", (1000,), "u1", chunks=(100,))[:150] = 1
    refused(tmp_path / "a.h5", CorruptStoreError, "has 2 of 10 chunks")


def test_a_cut_file_is_truncated(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = np.zeros(100_000, np.uint8)
    with open(tmp_path / "a.h5", "r+b") as raw:
        raw.truncate(50_000)
    refused(tmp_path / "a.h5", StoreTruncatedError, "truncated file: eof = 50000.*h5clear does not bring data back")


def test_a_file_that_a_writer_left_open_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file["data"] = DATA
        file.flush()
        content = (tmp_path / "a.h5").read_bytes()
    # The superblock keeps the marks of a writer until it closes: byte 11, with a checksum that covers it.
    (tmp_path / "b.h5").write_bytes(content)
    assert content[8] == 3 and content[11] != 0
    refused(tmp_path / "b.h5", StoreBusyError, "h5clear -s")


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n" + b"\xff" * 100, b"text" * 100])
def test_what_is_no_hdf5_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.h5").write_bytes(content)
    refused(tmp_path / "a.h5", CorruptStoreError, "HDF5 cannot read it")


def test_labels_are_read_with_the_facts(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("labels", data=np.arange(9, dtype=">u2"), chunks=(2,), compression="gzip")
        file["data"] = np.zeros((9, 4, 4, 3), np.uint8)
    found = examined(tmp_path / "a.h5")
    values = found.values(found.node("labels"))
    assert isinstance(values, np.ndarray) and values.tolist() == list(range(9))
    assert found.values(found.node("data")) is None


def test_text_of_images_is_read_with_the_facts_and_what_is_no_column_is_not(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["g/names"], file["g/fixed"], file["g/more"] = ["ü", "", "b"], np.array([b"x", b"yz", b""]), np.zeros(7)
        file["g/data"] = np.zeros((3, 4, 4, 3), np.uint8)
    found = examined(tmp_path / "a.h5")
    texts = [found.values(found.node(f"g/{name}")) for name in ("names", "fixed")]
    assert [each.to_pylist() for each in texts if isinstance(each, pa.Array)] == [["ü", "", "b"], ["x", "yz", ""]]
    assert found.values(found.node("g/more")) is None
    assert [node.name for node in found.nodes_in("g")] == ["g/data", "g/fixed", "g/more", "g/names"]


def test_a_changed_file_is_examined_again(tmp_path: Path) -> None:
    for names in (["a"], ["a", "b"]):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            for name in names:
                file[name] = DATA
        assert examined(tmp_path / "a.h5").names() == names


def test_many_files_share_a_child_and_the_one_that_is_damaged_is_named(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.h5" for number in range(5)]
    for path in paths:
        with h5py.File(path, "w") as file:
            file["data"] = DATA
    assert [found.names() for found in examined_all(paths)] == [["data"]] * 5
    paths[3].write_bytes(b"text")
    with pytest.raises(CorruptStoreError, match=r"3\.h5"):
        examined_all(paths)


def test_a_file_that_ends_its_reader_is_found_among_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_file, "examine", readers.kill_reader)
    paths = [tmp_path / f"{number}.h5" for number in range(2)]
    for path in paths:
        with h5py.File(path, "w") as file:
            file["data"] = DATA
    paths[1].write_bytes(b"crash")
    with pytest.raises(ForeignFileCrashedError, match=r"1\.h5: the process that read it died of SIGSEGV") as caught:
        examined_all(paths)
    assert caught.value.signal == signal.SIGSEGV


@pytest.mark.parametrize("answer", [None, [], [[{}]], [[{"name": 1}]], [[{"name": "a", "kind": "dataset", "table": 7}]], [[], []]])
def test_an_answer_that_is_none_is_refused(answer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_file, "examine", readers.answer_as_told)
    path = tmp_path / "a.h5"
    path.write_text(json.dumps(answer))
    with pytest.raises(ForeignFileCrashedError, match=r"a\.h5: its reader answered nonsense"):
        examined(path)


@settings(max_examples=12)
@given(
    st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 255)), min_size=1, max_size=8),
    st.sampled_from([{}, {"chunks": (100,)}, FILTERED]),
)
def test_a_damaged_file_is_other_data_or_one_of_our_errors(
    tmp_path_factory: pytest.TempPathFactory, faults: list[tuple[int, int]], storage: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=DATA, **storage)
    content = bytearray(path.read_bytes())
    for place, byte in faults:
        # Most of such a file is what describes the data.
        content[place % len(content)] = byte
    path.write_bytes(content)
    try:
        found = opened(path)
    except PixstoreError as error:
        assert str(path) in str(error)
    else:
        assert len(found) <= len(content) * MAX_RATIO


def test_opening_leaves_no_trace(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = DATA
    before = (tmp_path / "a.h5").read_bytes()
    opened(tmp_path / "a.h5")
    assert os.listdir(tmp_path) == ["a.h5"] and (tmp_path / "a.h5").read_bytes() == before
    assert struct.unpack_from("<8s", before)[0] == b"\x89HDF\r\n\x1a\n"
