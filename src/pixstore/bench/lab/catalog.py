"""Every question of the lab, in the order of the report."""

from __future__ import annotations

from pixstore.bench.lab import (
    batch,
    cache,
    codecs,
    cost,
    demand,
    disk,
    disk_order,
    dtype,
    folds,
    half_memory,
    latency,
    lmdb_options,
    memory,
    order,
    parallel_read,
    parallel_write,
    shards,
    size,
    transactions,
)
from pixstore.bench.lab.question import Question

QUESTIONS: dict[str, Question] = {
    question.name: question
    for question in (
        order.QUESTION,
        latency.QUESTION,
        demand.QUESTION,
        cost.QUESTION,
        memory.QUESTION,
        batch.QUESTION,
        cache.QUESTION,
        disk_order.QUESTION,
        half_memory.QUESTION,
        folds.QUESTION,
        size.QUESTION,
        dtype.QUESTION,
        codecs.QUESTION,
        shards.QUESTION,
        disk.QUESTION,
        parallel_read.QUESTION,
        parallel_write.QUESTION,
        transactions.QUESTION,
        lmdb_options.QUESTION,
    )
}
