"""MosaicML Streaming: MDS shards on the local disk, shuffled by its py1e, two worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pictures
import protocol
import streaming
import torch
from protocol import Epoch, Job
from torch.utils.data import DataLoader


class Pictures(streaming.StreamingDataset):
    def __init__(self, job: Job) -> None:
        super().__init__(local=job.store, shuffle=True, shuffle_seed=job.seed, batch_size=job.batch)
        self.decode = pictures.record_decoder(job)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        sample = super().__getitem__(index)
        return torch.from_numpy(np.array(self.decode(sample["image"]))), sample["label"]


def prepare(job: Job) -> None:
    with streaming.MDSWriter(out=job.store, columns={"image": "bytes", "label": "int"}) as writer:
        for data, label in pictures.records(job):
            writer.write({"image": data, "label": label})


def feed(job: Job) -> Epoch:
    streaming.base.util.clean_stale_shared_memory()
    loader = DataLoader(Pictures(job), job.batch, num_workers=job.threads, persistent_workers=True)

    def epoch() -> Iterator[tuple[Any, Any]]:
        for images, labels in loader:
            yield images.numpy(), labels.numpy()

    return epoch


if __name__ == "__main__":
    protocol.serve(feed=feed, prepare=prepare, packages=("mosaicml-streaming", "torch", "pillow", "numpy"))
