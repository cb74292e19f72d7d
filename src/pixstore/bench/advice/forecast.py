"""What converting the whole source would take, for one way: foretold by `pixstore.estimate`, which converts some of the samples."""

from __future__ import annotations

from pathlib import Path

from pixstore.bench.advice.survey import Survey
from pixstore.estimate import Estimate, estimate
from pixstore.incoming import Encoding
from pixstore.jobs.job import Job
from pixstore.schema import Field, Schema
from pixstore.writer import DEFAULT_SHARD_BYTES

BATCH_BYTES = 8 << 20
"""Of records in memory at a time, as `convert` has them."""


def forecast(found: Survey, destination: Path, engine: str, codec: str, level: int | None, *, cpus: int, seconds: float) -> Estimate:
    """Return time and bytes of `pixstore convert` of the whole source to `destination`; nothing is left there.

    seconds: about how long samples are converted. What opening the source takes counts. Raises the errors of a conversion.
    """
    dataset = found.sample.dataset
    assert dataset is not None
    stored = Schema(tuple(Field(each.name, codec) for each in dataset.schema.fields), dataset.schema.columns, dataset.schema.classes)
    encoding = Encoding(codec, level, None, 1)
    job = Job(dataset, destination, engine, stored, encoding, "power", DEFAULT_SHARD_BYTES, "structure", "quarantine", BATCH_BYTES)
    return estimate(job, found.plan, workers=cpus, spent=found.opening_seconds, budget_seconds=seconds)
