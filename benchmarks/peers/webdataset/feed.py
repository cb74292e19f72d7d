"""WebDataset: tar shards read front to back by two worker processes, shuffled by shard and within a buffer."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pictures
import protocol
import torch
import webdataset
from PIL import Image
from protocol import Epoch, Job
from torchvision.transforms import v2

SHARDS = 16
BUFFER = 5000
"""Samples that a worker shuffles among; a buffer for all would be all of the data set."""


def prepare(job: Job) -> None:
    folder = Path(job.store)
    folder.mkdir()
    ending = {"cifar-png": "png", "photos": "jpg"}.get(job.workload, "bin")
    with webdataset.ShardWriter(str(folder / "%06d.tar"), maxcount=-(-job.images // SHARDS), verbose=0) as writer:
        for index, (data, label) in enumerate(pictures.records(job)):
            writer.write({"__key__": f"{index:08}", ending: data, "cls": str(label).encode()})


def image_of(job: Job) -> Any:
    if job.workload == "photos":
        crop = v2.RandomResizedCrop(protocol.CROP, scale=protocol.IMAGENET_SCALE, ratio=protocol.IMAGENET_RATIO)
        photo = v2.Compose([crop, v2.RandomHorizontalFlip()])
        return lambda data: np.asarray(photo(Image.open(io.BytesIO(data)).convert("RGB")))
    return pictures.record_decoder(job)


def feed(job: Job) -> Epoch:
    torch.manual_seed(job.seed)
    shards = sorted(str(path) for path in Path(job.store).glob("*.tar"))
    dataset = webdataset.WebDataset(shards, shardshuffle=len(shards), workersplitter=webdataset.split_by_worker, seed=job.seed)
    pictures_of = dataset.shuffle(BUFFER).to_tuple("bin;png;jpg", "cls").map_tuple(image_of(job), int).batched(job.batch)
    loader = webdataset.WebLoader(pictures_of, batch_size=None, num_workers=job.threads, persistent_workers=True)

    def epoch() -> Iterator[tuple[Any, Any]]:
        for images, labels in loader:
            yield np.asarray(images), np.asarray(labels)

    return epoch


if __name__ == "__main__":
    protocol.serve(feed=feed, prepare=prepare, packages=("webdataset", "torch", "torchvision", "pillow", "numpy"))
