"""The facts that a child reads of HDF5 files, compared with what h5py says of them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pixstore.errors import LimitExceededError
from pixstore.sources import hdf5_examination
from pixstore.sources.hdf5_examination import examine
from pixstore.sources.hdf5_nodes import Node


def nodes_of(path: Path) -> tuple[dict[str, Node], list[bytes]]:
    answer = examine(str(path), [str(path)], ["labels"])
    return {node.name: node for node in map(Node.from_json, answer.value[0])}, [bytes(each) for each in answer.buffers]


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
        "type": "Datatype", "group/inner": "group", "group/packed": "dataset",
    }  # fmt: skip
    assert (nodes["plain"].shape, nodes["plain"].dtype, nodes["plain"].offset) == ((3, 4, 5, 1), "uint8", offset)
    packed = nodes["group/packed"]
    assert packed.chunks == (2, 4) and [number for number, _ in packed.filters] == [2, 1] and packed.chunk_count == 2
    assert packed.table is not None and len(buffers[packed.table]) == 2 * 5 * 8
    assert nodes["labels"].values is not None and np.frombuffer(buffers[nodes["labels"].values], "<i8").tolist() == [0, 1, 2]
    assert (nodes["away"].target, nodes["aside"].target) == ("b.h5", "/nowhere")


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
