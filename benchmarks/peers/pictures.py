"""What the peers that decode with Pillow have in common; torchvision where photos are cropped."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import protocol
from PIL import Image
from protocol import Job


def decode(data: bytes) -> Any:
    """Return H·W·C uint8."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def record_decoder(job: Job) -> Callable[[bytes], Any]:
    """Return what turns a record into H·W·C uint8: raw pixels, or an encoded file."""
    return raw if job.workload in ("cifar-raw", "cifar-float") else decode


def raw(data: bytes) -> Any:
    """Return 32·32·3 uint8 in memory of its own, as collating needs."""
    return np.frombuffer(data, np.uint8).reshape(32, 32, 3).copy()


def records(job: Job) -> Any:
    """Yield (bytes, label) of each image of the source: raw pixels or encoded files."""
    if job.workload not in ("cifar-raw", "cifar-float"):
        yield from protocol.encoded(job)
        return
    images, labels = np.load(f"{job.source}/images.npy", mmap_mode="r"), np.load(f"{job.source}/labels.npy")
    for image, label in zip(images, labels.tolist(), strict=True):
        yield image.tobytes(), label
