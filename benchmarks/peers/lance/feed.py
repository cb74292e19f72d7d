"""Lance: rows taken by the batch, in random order, two batches at once in threads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lance
import numpy as np
import pictures
import protocol
import pyarrow as pa
from protocol import Epoch, Job

AHEAD = 2


def prepare(job: Job) -> None:
    rows = list(pictures.records(job))
    labels = pa.array([label for _, label in rows], pa.int64())
    if job.workload == "cifar-raw":
        pixels = np.frombuffer(b"".join(data for data, _ in rows), np.uint8)
        images: pa.Array = pa.FixedSizeListArray.from_arrays(pa.array(pixels), len(rows[0][0]))
    else:
        images = pa.array([data for data, _ in rows], pa.binary())
    lance.write_dataset(pa.table({"image": images, "label": labels}), job.store)


def feed(job: Job) -> Epoch:
    dataset = lance.dataset(job.store)
    threads = ThreadPoolExecutor(job.threads)
    random = np.random.default_rng(job.seed)

    def batch(rows: Any) -> tuple[Any, Any]:
        table = dataset.take(rows.tolist()).combine_chunks()
        images, labels = table.column("image").chunk(0), table.column("label").to_numpy()
        if job.workload == "cifar-raw":
            return images.flatten().to_numpy().reshape(-1, 32, 32, 3), labels
        return np.stack([pictures.decode(data) for data in images.to_pylist()]), labels

    def epoch() -> Iterator[tuple[Any, Any]]:
        order = random.permutation(job.images)
        parts = [order[start : start + job.batch] for start in range(0, job.images, job.batch)]
        waiting = [threads.submit(batch, part) for part in parts[: job.threads + AHEAD]]
        for part in range(len(parts)):
            yield waiting[part].result()
            waiting[part] = None
            following = part + job.threads + AHEAD
            if following < len(parts):
                waiting.append(threads.submit(batch, parts[following]))

    return epoch


if __name__ == "__main__":
    protocol.serve(feed=feed, prepare=prepare, packages=("pylance", "pyarrow", "pillow", "numpy"))
