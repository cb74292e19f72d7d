"""NVIDIA DALI on the CPU: files read, decoded and transformed by its threads, one batch ahead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import protocol
from nvidia.dali import fn, pipeline_def, types
from protocol import Epoch, Job


@pipeline_def
def pictures(job: Job) -> Any:
    # shuffle_after_epoch shuffles the whole list; pad_last_batch ends each epoch with whole batches, whose padding is cut off below.
    data, label = fn.readers.file(file_root=job.source, shuffle_after_epoch=True, pad_last_batch=True, seed=job.seed, name="reader")
    if job.workload == "photos" and job.option == "fused":
        area, ratio = list(protocol.IMAGENET_SCALE), list(protocol.IMAGENET_RATIO)
        image = fn.decoders.image_random_crop(data, device="cpu", output_type=types.RGB, random_area=area, random_aspect_ratio=ratio)
        image = fn.resize(image, size=(protocol.CROP, protocol.CROP))
    elif job.workload == "photos":
        image = fn.decoders.image(data, device="cpu", output_type=types.RGB)
        image = fn.random_resized_crop(image, size=(protocol.CROP, protocol.CROP))
    else:
        image = fn.decoders.image(data, device="cpu", output_type=types.RGB)
    if job.workload == "photos":
        image = fn.flip(image, horizontal=fn.random.coin_flip())
    return image, label


def feed(job: Job) -> Epoch:
    pipeline = pictures(job, batch_size=job.batch, num_threads=job.threads, device_id=None, prefetch_queue_depth=2, seed=job.seed)
    pipeline.build()

    def epoch() -> Iterator[tuple[Any, Any]]:
        for start in range(0, job.images, job.batch):
            rows = min(job.batch, job.images - start)
            images, labels = pipeline.run()
            yield np.asarray(images.as_tensor())[:rows], np.asarray(labels.as_tensor())[:rows]

    return epoch


if __name__ == "__main__":
    protocol.serve(feed=feed, packages=("nvidia-dali-cuda120", "numpy"))
