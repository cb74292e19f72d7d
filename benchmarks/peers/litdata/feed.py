"""LitData: chunks on the local disk, shuffled, two worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import litdata
import numpy as np
import pictures
import protocol
import torch
from protocol import Epoch, Job

CHUNK_BYTES = "64MB"


class Pictures(litdata.StreamingDataset):
    def __init__(self, job: Job) -> None:
        super().__init__(job.store, shuffle=True, drop_last=False, seed=job.seed)
        self.decode = pictures.record_decoder(job)

    def __getitem__(self, index: Any) -> tuple[torch.Tensor, int]:
        sample = super().__getitem__(index)
        return torch.from_numpy(np.array(self.decode(sample["image"]))), sample["label"]


def sample(record: tuple[bytes, int]) -> dict[str, Any]:
    return {"image": record[0], "label": record[1]}


def prepare(job: Job) -> None:
    litdata.optimize(fn=sample, inputs=list(pictures.records(job)), output_dir=job.store, chunk_bytes=CHUNK_BYTES, num_workers=job.threads)


def feed(job: Job) -> Epoch:
    loader = litdata.StreamingDataLoader(
        Pictures(job), batch_size=job.batch, num_workers=job.threads, persistent_workers=True, drop_last=False
    )

    def epoch() -> Iterator[tuple[Any, Any]]:
        for images, labels in loader:
            yield images.numpy(), labels.numpy()

    return epoch


if __name__ == "__main__":
    protocol.serve(feed=feed, prepare=prepare, packages=("litdata", "torch", "pillow", "numpy"))
