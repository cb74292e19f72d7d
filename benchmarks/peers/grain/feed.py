"""Grain over ArrayRecord: row numbers are shuffled and batched, and each batch is read by one call, in worker processes."""

from __future__ import annotations

import itertools
from typing import Any

import grain
import numpy as np
import pictures
import protocol
from array_record.python.array_record_module import ArrayRecordWriter
from protocol import Epoch, Job

LABEL_BYTES = 8


class ReadBatch(grain.transforms.Map):
    """Reading record by record, as Grain does by itself, takes several times as long."""

    def __init__(self, job: Job) -> None:
        self.source = grain.sources.ArrayRecordDataSource(job.store)
        self.decode = pictures.record_decoder(job)

    def map(self, rows: Any) -> tuple[Any, Any]:
        records = self.source.__getitems__(rows.tolist())
        images = np.stack([self.decode(record[LABEL_BYTES:]) for record in records])
        return images, np.array([int.from_bytes(record[:LABEL_BYTES], "little") for record in records])


def prepare(job: Job) -> None:
    # group_size:1 is what Grain's documentation asks for where records are read in random order.
    writer = ArrayRecordWriter(job.store, "group_size:1,uncompressed")
    for data, label in pictures.records(job):
        writer.write(label.to_bytes(LABEL_BYTES, "little") + data)
    writer.close()


def feed(job: Job) -> Epoch:
    batches = grain.MapDataset.range(job.images).shuffle(seed=job.seed).batch(job.batch).map(ReadBatch(job))
    steps = len(batches)
    # One endless iterator, shuffled anew at each epoch: starting the workers for every epoch would take longer than the epoch.
    endless = batches.repeat().to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=2))
    stream = iter(endless.mp_prefetch(grain.MultiprocessingOptions(num_workers=job.threads)))
    return lambda: itertools.islice(stream, steps)


if __name__ == "__main__":
    protocol.serve(feed=feed, prepare=prepare, packages=("grain", "array-record", "pillow", "numpy"))
