"""Our ways: any engine with any codec, written with `pixstore.Writer` and read back as one batch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import pixstore
from pixstore.bench.ways.base import Found, Reader, Way, Work
from pixstore.errors import InvalidInputError

NAME = re.compile(r"(?P<engine>[a-z0-9_-]+)/(?P<codec>[a-z0-9_-]+)(?P<power>@power)?(?P<single>@1thread)?\Z")
STORE = "images.pixstore"
COLUMNS = ["label"]


class StoreWay(Way):
    """`ENGINE/CODEC`, with `@power` where storing survives power loss, with `@1thread` held to one thread."""

    def __init__(self, name: str, engine: str, codec: str, durability: Literal["power", "process"], threads: int) -> None:
        self.name = name
        self.engine = engine
        self.codec = codec
        self.durability = durability
        self.threads = threads

    def store_one(self, folder: Path, work: Work) -> None:
        image = work.encoded[0] if self._keeps(work) and work.encoded is not None else work.images[0]
        with self._writer(folder) as writer:
            writer.add(image, label=int(work.labels[0]))

    def store_many(self, folder: Path, work: Work) -> None:
        images: Any = work.encoded if self._keeps(work) else work.images
        with self._writer(folder) as writer:
            writer.add_batch(images, label=work.labels)

    def read_one(self, folder: Path, work: Work) -> Found:
        with pixstore.open(folder / STORE) as dataset:
            sample = dataset[0]
            return Found([sample["image"]], [sample["label"]])

    def read_many(self, folder: Path, work: Work) -> Found:
        return self._read(folder, np.arange(len(work)))

    def read_shuffled(self, folder: Path, work: Work) -> Found:
        return self._read(folder, work.order)

    def reader(self, folder: Path, work: Work) -> Reader:
        return StoreReader(pixstore.open(folder / STORE), self.threads)

    def _keeps(self, work: Work) -> bool:
        if self.codec != "keep":
            return False
        if work.encoded is None:
            engine = self.engine
            raise InvalidInputError(f"{self.name} keeps encoded images as they are, these are arrays: use {engine}/raw or {engine}/png")
        return True

    def _writer(self, folder: Path) -> pixstore.Writer:
        return pixstore.Writer(folder / STORE, engine=self.engine, codec=self.codec, durability=self.durability, threads=self.threads)

    def _read(self, folder: Path, rows: NDArray[np.int64]) -> Found:
        with pixstore.open(folder / STORE) as dataset:
            return found(dataset.read(rows, columns=COLUMNS, threads=self.threads))


class StoreReader(Reader):
    """An open store, read in batches."""

    def __init__(self, dataset: pixstore.Dataset, threads: int) -> None:
        self.dataset = dataset
        self._threads = threads

    def read(self, rows: NDArray[np.int64]) -> Found:
        return found(self.dataset.read(rows, columns=COLUMNS, threads=self._threads))

    def close(self) -> None:
        self.dataset.close()


def found(batch: pixstore.Batch) -> Found:
    labels: Sequence[int] | NDArray[np.int64] = batch["label"]
    return Found(batch["image"], labels)


def parse(name: str, cpus: int) -> StoreWay:
    """Return the way of this name. Raises InvalidInputError where it is not of the form ENGINE/CODEC."""
    match = NAME.match(name)
    if match is None:
        ways = (
            "tutorial-png, tutorial-lmdb, tutorial-hdf5; hand-files, hand-lmdb, hand-hdf5, hand-hdf5-chunked, hand-hdf5-gzip, hand-memmap; "
            "source; and ENGINE/CODEC as packed/png, with @power or @1thread"
        )
        raise InvalidInputError(f"no way {name!r}; ways are {ways}")
    durability: Literal["power", "process"] = "power" if match["power"] else "process"
    return StoreWay(name, match["engine"], match["codec"], durability, 1 if match["single"] else cpus)
