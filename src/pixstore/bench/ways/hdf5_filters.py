"""HDF5's own compression, by hand: the chunks of one dataset through gzip or LZF, which the shuffle filter precedes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from pixstore.bench.ways.base import Reader, Work
from pixstore.bench.ways.by_hand import HandWay, uniform_images
from pixstore.bench.ways.hand_hdf5 import CHUNKED, FILE, IMAGES, LABELS, HandHdf5Reader, chunk_rows

FILTERS: dict[str, dict[str, Any]] = {
    "no filter": {},
    "LZF": {"compression": "lzf", "shuffle": True},
    "gzip 1": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "gzip 4": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
    "gzip 9": {"compression": "gzip", "compression_opts": 9, "shuffle": True},
}


class FilteredHdf5(HandWay):
    """The chunked dataset of `hand-hdf5-chunked`, with one of FILTERS; named so after an @."""

    def __init__(self, chosen: str) -> None:
        self.name = f"{CHUNKED.name}@{chosen}"
        self._options = FILTERS[chosen]

    def store_many(self, folder: Path, work: Work) -> None:
        images = uniform_images(work, self.name)
        with h5py.File(folder / FILE, "w") as file:
            file.create_dataset(LABELS, data=work.labels)
            file.create_dataset(IMAGES, data=images, chunks=(chunk_rows(images), *images.shape[1:]), **self._options)

    def reader(self, folder: Path, work: Work) -> Reader:
        return HandHdf5Reader(folder)
