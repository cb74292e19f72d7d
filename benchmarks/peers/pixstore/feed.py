"""pixstore: its loader over a store of one of its engines, or over the folder as it lies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import protocol
from protocol import Epoch, Job

from pixstore import Writer, convert
from pixstore import open as open_dataset
from pixstore.loader.transforms import ChannelsFirst, HorizontalFlip, Normalize, RandomCrop, RandomResizedCrop, ToFloat


def prepare(job: Job) -> None:
    engine, codec = job.option.split()[:2]
    if job.source.endswith("png") or job.workload == "photos":
        convert(job.source, job.store, engine=engine, label_from="folder", threads=job.threads)
        return
    images, labels = np.load(f"{job.source}/images.npy", mmap_mode="r"), np.load(f"{job.source}/labels.npy")
    with Writer(job.store, engine=engine, codec=codec) as writer:
        for start in range(0, len(labels), job.batch):
            writer.add_batch(images[start : start + job.batch], label=labels[start : start + job.batch])


def transforms(job: Job) -> list[Any]:
    if job.workload == "photos":
        return [RandomResizedCrop(protocol.CROP), HorizontalFlip()]
    if job.workload == "cifar-float":
        mean = [value / 255 for value in protocol.CIFAR_MEAN]
        deviation = [value / 255 for value in protocol.CIFAR_DEVIATION]
        return [RandomCrop(32, padding=protocol.PADDING), HorizontalFlip(), ToFloat(), Normalize(mean, deviation), ChannelsFirst()]
    return []


def feed(job: Job) -> Epoch:
    dataset = open_dataset(job.source if job.option == "folder" else job.store)
    is_verified = "unverified" not in job.option
    loader = dataset.loader(job.batch, shuffle=True, seed=job.seed, threads=job.threads, verify=is_verified, transforms=transforms(job))

    def epoch() -> Iterator[tuple[Any, Any]]:
        for batch in loader:
            yield batch["image"], batch["label"]

    return epoch


if __name__ == "__main__":
    protocol.serve(feed=feed, prepare=prepare, packages=("pixstore", "pixstore-native", "numpy"))
