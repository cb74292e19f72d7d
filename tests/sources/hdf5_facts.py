"""What a child would answer about an HDF5 file, read in this process: for tests of what is made of the facts."""

from __future__ import annotations

from pathlib import Path

from pixstore.sources.foreign_file import state_of
from pixstore.sources.hdf5.examination import examine
from pixstore.sources.hdf5.file import Hdf5File
from pixstore.sources.hdf5.nodes import Node


def facts_of(path: Path) -> Hdf5File:
    answer = examine(str(path), [str(path)])
    nodes = [Node.from_json(value) for value in answer.value[0]]
    return Hdf5File(path, state_of(path), {node.name: node for node in nodes}, [bytes(each) for each in answer.buffers])
