"""Hugging Face datasets: an Arrow file on disk, read by a DataLoader with two worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import datasets
import numpy as np
import pictures
import protocol
import torch
from protocol import Epoch, Job
from torch.utils.data import DataLoader


def prepare(job: Job) -> None:
    # Encoded files go into its Image column, which decodes with Pillow; raw pixels into plain binary.
    rows = list(pictures.records(job))
    is_raw = job.workload == "cifar-raw"
    images = [data if is_raw else {"bytes": data, "path": None} for data, _ in rows]
    features = datasets.Features({"image": datasets.Value("binary") if is_raw else datasets.Image(), "label": datasets.Value("int64")})
    table = datasets.Dataset.from_dict({"image": images, "label": [label for _, label in rows]}, features=features)
    table.save_to_disk(job.store)


def collate_raw(rows: dict[str, list[Any]]) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = np.frombuffer(b"".join(rows["image"]), np.uint8).reshape(-1, 32, 32, 3)
    return torch.from_numpy(pixels.copy()), torch.tensor(rows["label"])


def collate_pictures(rows: dict[str, list[Any]]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(np.stack([np.asarray(image) for image in rows["image"]])), torch.tensor(rows["label"])


class Batches(torch.utils.data.Dataset):
    """Rows by the batch: the way that costs this library least."""

    def __init__(self, job: Job) -> None:
        self.table = datasets.load_from_disk(job.store)
        self.collate = collate_raw if job.workload == "cifar-raw" else collate_pictures

    def __len__(self) -> int:
        return len(self.table)

    def __getitems__(self, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        return self.collate(self.table[rows])


def feed(job: Job) -> Epoch:
    torch.manual_seed(job.seed)
    loader = DataLoader(
        Batches(job), job.batch, shuffle=True, num_workers=job.threads, persistent_workers=True, collate_fn=lambda batch: batch
    )

    def epoch() -> Iterator[tuple[Any, Any]]:
        for images, labels in loader:
            yield images.numpy(), labels.numpy()

    return epoch


if __name__ == "__main__":
    protocol.serve(feed=feed, prepare=prepare, packages=("datasets", "torch", "pillow", "numpy"))
