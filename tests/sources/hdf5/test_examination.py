"""The facts that a child reads of HDF5 files, compared with what h5py says of them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pixstore.errors import LimitExceededError
from pixstore.sources.hdf5 import examination as hdf5_examination
from pixstore.sources.hdf5.examination import examine
from pixstore.sources.hdf5.nodes import NO_VALUES, ROOT, Node


def nodes_of(path: Path) -> tuple[dict[str, Node], list[bytes]]:
    answer = examine(str(path), [str(path)])
    return {node.name: node for node in map(Node.from_json, answer.value[0]) if node.name != ROOT}, [bytes(each) for each in answer.buffers]


def test_facts_are_those_of_the_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        plain = file.create_dataset("plain", data=np.zeros((3, 4, 5, 1), np.uint8))
        offset = plain.id.get_offset()
        file.create_dataset("group/packed", data=np.zeros((3, 4), np.uint8), chunks=(2, 4), compression="gzip", shuffle=True)
        file["labels"] = np.arange(3, dtype=np.int16)
        file["text"] = "text"
        file["away"] = h5py.ExternalLink("b.h5", "/x")
        file["aside"] = h5py.SoftLink("/nowhere")
        file["type"] = np.dtype("u1")
        file["group/inner/deep"] = np.zeros(1)
    nodes, buffers = nodes_of(tmp_path / "a.h5")
    assert {name: node.kind for name, node in nodes.items()} == {
        "aside": "soft link", "away": "external link", "group": "group", "labels": "dataset", "plain": "dataset", "text": "dataset",
        "type": "Datatype", "group/inner": "group", "group/packed": "dataset", "group/inner/deep": "dataset",
    }  # fmt: skip
    assert (nodes["plain"].shape, nodes["plain"].dtype, nodes["plain"].offset) == ((3, 4, 5, 1), "uint8", offset)
    packed = nodes["group/packed"]
    assert packed.chunks == (2, 4) and [number for number, _ in packed.filters] == [2, 1] and packed.chunk_count == 2
    assert packed.table is not None and len(buffers[packed.table]) == 2 * 5 * 8
    assert nodes["labels"].values is not None and np.frombuffer(buffers[nodes["labels"].values], "<i2").tolist() == [0, 1, 2]
    assert (nodes["away"].target, nodes["aside"].target) == ("b.h5", "/nowhere")


def written_type(path: Path, kind: h5py.h5t.TypeID) -> Node:
    with h5py.File(path, "w") as file:
        h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((2,)))
    return nodes_of(path)[0]["x"]


def test_numbers_are_those_whose_bytes_numpy_takes_as_they_lie(tmp_path: Path) -> None:
    for dtype, expected in (("u1", "uint8"), (">i4", ">i4"), ("f2", "float16"), ("?", "bool")):
        node = written_type(tmp_path / "a.h5", h5py.h5t.py_create(np.dtype(dtype), logical=True))
        assert (node.dtype, node.number, node.numbers) == (expected, np.dtype(dtype).kind, np.dtype(dtype))
    twelve = h5py.h5t.NATIVE_UINT16.copy()
    twelve.set_precision(12)
    for kind in (twelve, h5py.h5t.py_create(np.dtype("c8")), h5py.h5t.py_create(np.dtype("g"))):
        assert written_type(tmp_path / "a.h5", kind).number == NO_VALUES


def test_text_and_rows_of_bytes_are_kinds_of_their_own(tmp_path: Path) -> None:
    kinds = {"T": h5py.string_dtype(), "S": np.dtype("S7"), "B": h5py.vlen_dtype("u1"), NO_VALUES: h5py.vlen_dtype("f4")}
    for number, dtype in kinds.items():
        assert written_type(tmp_path / "a.h5", h5py.h5t.py_create(dtype, logical=True)).number == number


def test_names_at_any_depth_and_attributes_are_told_and_too_deep_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("/".join("abcde"), data=np.zeros((2, 4, 5), np.uint8)).attrs["unit"] = "m"
        file["a/b"].attrs["part"] = 3
    nodes, _ = nodes_of(tmp_path / "a.h5")
    assert nodes["a/b/c/d/e"].attributes == {"unit": "m"} and nodes["a/b"].attributes == {"part": 3}
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_group("/".join("x" * (hdf5_examination.MAX_DEPTH + 2)))
    with pytest.raises(LimitExceededError, match="lies deeper than 32 groups"):
        nodes_of(tmp_path / "b.h5")


def test_data_within_headers_come_with_the_facts(tmp_path: Path) -> None:
    data = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_layout(h5py.h5d.COMPACT)
        made = h5py.h5d.create(file.id, b"images", h5py.h5t.STD_U8LE, h5py.h5s.create_simple(data.shape), properties)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, data)
    nodes, buffers = nodes_of(tmp_path / "a.h5")
    inline = nodes["images"].inline
    assert inline is not None and buffers[inline] == data.tobytes()


def test_groups_that_lead_to_each_other_end(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("one")["two"] = file
        file["one/one"] = file["one"]
    assert sorted(nodes_of(tmp_path / "a.h5")[0]) == ["one", "one/one", "one/two"]


def test_more_names_than_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_examination, "MAX_NODES", 10)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number in range(11):
            file.create_group(str(number))
    with pytest.raises(LimitExceededError, match="more than 10 names"):
        nodes_of(tmp_path / "a.h5")
