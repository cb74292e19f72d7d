"""What a worker is told: the job, which is the same for all, a task, which is a range of its samples, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.dataset import Dataset
from pixstore.errors import BadRow
from pixstore.incoming import Encoding
from pixstore.jobs.remarks import Remark
from pixstore.manifest import Durability, ShardEntry
from pixstore.rows import Indices
from pixstore.schema import Schema

Check: TypeAlias = Literal["structure", "decode", "none"]
"""How an image without a checksum is looked at: its parts and their checksums to the end, its pixels too, or its header alone."""
OnBad: TypeAlias = Literal["quarantine", "fail"]
"""What becomes of a sample that cannot be read: it is listed and left out, or it ends the job."""

Files: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Size in bytes and time of the last change in ns of files; -1 for one that could not be looked at."""


@dataclass(frozen=True)
class Job:
    """A conversion: which rows, to where, how. Pickles as how to open the source again."""

    dataset: Dataset
    destination: Path
    engine: str
    schema: Schema
    encoding: Encoding
    durability: Durability
    shard_bytes: int
    check: Check
    on_bad: OnBad
    batch_bytes: int
    """Of records in memory at a time, in one worker; a larger record goes alone."""


@dataclass(frozen=True)
class Task:
    """The samples from `start` up to `stop` of a plan.

    `table` has their keys and columns, and `rows` where they are in the job's dataset: a source that a worker opens again may have others
    there meanwhile. `bytes` are those of each sample's stored records. `files` has size and mtime of the samples' own files, by field.
    """

    start: int
    stop: int
    table: pa.Table
    rows: Indices
    bytes: NDArray[np.int64]
    files: Mapping[str, Files] = field(default_factory=dict)


@dataclass(frozen=True)
class RangeResult:
    """What was made of a task: shards that no manifest names yet, and the samples left out."""

    start: int
    stop: int
    shards: tuple[ShardEntry, ...]
    samples: int
    bytes_in: int
    bad_rows: tuple[BadRow, ...]
    remarks: tuple[Remark, ...] = ()
