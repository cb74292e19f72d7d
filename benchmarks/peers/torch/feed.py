"""PyTorch's DataLoader, two worker processes: over a folder of files, or over one LMDB of records."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pictures
import protocol
import torch
from PIL import Image
from protocol import Epoch, Job
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

LABEL = struct.Struct("<q")
MAP_BYTES = 16 << 30
Decode = Callable[[bytes], torch.Tensor]


class Files(Dataset):
    def __init__(self, job: Job) -> None:
        paths = sorted(Path(job.source).glob("*/*"))
        self.samples = [(str(path), int(path.parent.name)) for path in paths]
        self.decode = decoder(job)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, label = self.samples[index]
        with open(path, "rb") as file:
            return self.decode(file.read()), label


class Records(Dataset):
    """Each worker opens the LMDB itself."""

    def __init__(self, job: Job) -> None:
        self.path, self.images, self.decode = job.store, job.images, decoder(job)
        self.transaction: Any = None

    def __len__(self) -> int:
        return self.images

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if self.transaction is None:
            self.transaction = lmdb.open(self.path, readonly=True, lock=False, readahead=False, subdir=False).begin(buffers=True)
        record = self.transaction.get(LABEL.pack(index))
        return self.decode(record[LABEL.size :]), LABEL.unpack_from(record)[0]


def decoder(job: Job) -> Decode:
    """Return what turns a record into one image of the batch."""
    if job.workload == "photos":
        crop = v2.RandomResizedCrop(protocol.CROP, scale=protocol.IMAGENET_SCALE, ratio=protocol.IMAGENET_RATIO)
        photo = v2.Compose([crop, v2.RandomHorizontalFlip()])
        return lambda data: torch.from_numpy(np.array(photo(Image.open(io.BytesIO(data)).convert("RGB"))))
    if job.workload == "cifar-float":
        mean, deviation = ([value / 255 for value in values] for values in (protocol.CIFAR_MEAN, protocol.CIFAR_DEVIATION))
        crop = v2.RandomCrop(32, padding=protocol.PADDING)
        steps = v2.Compose([crop, v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, deviation)])
        return lambda data: steps(torch.from_numpy(pictures.raw(data)).permute(2, 0, 1))
    decode = pictures.record_decoder(job)
    return lambda data: torch.from_numpy(np.array(decode(data)))


def prepare(job: Job) -> None:
    with lmdb.open(job.store, map_size=MAP_BYTES, subdir=False) as environment, environment.begin(write=True) as transaction:
        for index, (data, label) in enumerate(pictures.records(job)):
            transaction.put(LABEL.pack(index), LABEL.pack(label) + data)


def feed(job: Job) -> Epoch:
    torch.manual_seed(job.seed)
    dataset = Files(job) if job.option == "files" else Records(job)
    loader = DataLoader(dataset, job.batch, shuffle=True, num_workers=job.threads, persistent_workers=True)

    def epoch() -> Iterator[tuple[Any, Any]]:
        for images, labels in loader:
            yield images.numpy(), labels.numpy()

    return epoch


if __name__ == "__main__":
    protocol.serve(feed=feed, prepare=prepare, packages=("torch", "torchvision", "lmdb", "pillow", "numpy"))
