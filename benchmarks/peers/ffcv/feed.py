"""FFCV: its own file of raw pixels or of JPEG, decoded and cropped by compiled pipelines in threads."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import protocol
from ffcv.fields import IntField, RGBImageField
from ffcv.fields.decoders import IntDecoder, RandomResizedCropRGBImageDecoder, SimpleRGBImageDecoder
from ffcv.loader import Loader, OrderOption
from ffcv.transforms import NormalizeImage, RandomHorizontalFlip, RandomTranslate, ToTensor, ToTorchImage
from ffcv.writer import DatasetWriter
from PIL import Image
from protocol import Epoch, Job

JPEG_QUALITY = 85
"""FFCV encodes JPEG itself; at this quality the photos take 0.96 of the bytes they had."""


class Arrays:
    def __init__(self, folder: str) -> None:
        self.images = np.load(f"{folder}/images.npy", mmap_mode="r")
        self.labels = np.load(f"{folder}/labels.npy")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return np.asarray(self.images[index]), int(self.labels[index])


class Files:
    def __init__(self, job: Job) -> None:
        self.samples = list(protocol.encoded(job))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        data, label = self.samples[index]
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), label


def prepare(job: Job) -> None:
    is_photos = job.workload == "photos"
    field = RGBImageField(write_mode="jpg", jpeg_quality=JPEG_QUALITY) if is_photos else RGBImageField(write_mode="raw")
    writer = DatasetWriter(job.store, {"image": field, "label": IntField()}, num_workers=job.threads)
    writer.from_indexed_dataset(Files(job) if is_photos else Arrays(job.source))


def steps(job: Job) -> list[Any]:
    if job.workload == "photos":
        crop = RandomResizedCropRGBImageDecoder(
            (protocol.CROP, protocol.CROP), scale=protocol.IMAGENET_SCALE, ratio=protocol.IMAGENET_RATIO
        )
        return [crop, RandomHorizontalFlip()]
    if job.workload == "cifar-float":
        normalize = NormalizeImage(np.array(protocol.CIFAR_MEAN), np.array(protocol.CIFAR_DEVIATION), np.float32)
        return [SimpleRGBImageDecoder(), RandomTranslate(protocol.PADDING), RandomHorizontalFlip(), normalize, ToTensor(), ToTorchImage()]
    return [SimpleRGBImageDecoder()]


def feed(job: Job) -> Epoch:
    loader = Loader(
        job.store,
        batch_size=job.batch,
        num_workers=job.threads,
        os_cache=True,
        order=OrderOption.RANDOM,
        seed=job.seed,
        drop_last=False,
        pipelines={"image": steps(job), "label": [IntDecoder()]},
    )
    return lambda: ((np.asarray(images), labels) for images, labels in loader)


if __name__ == "__main__":
    protocol.serve(feed=feed, prepare=prepare, packages=("ffcv", "torch", "numba", "numpy"))
