"""The one function of a conversion: a range of samples becomes sealed shards and a report, wherever it runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixstore import registry
from pixstore.builder import ShardRoller
from pixstore.errors import BadRow, RecordError
from pixstore.executors import is_stopped
from pixstore.jobs.cut import cut
from pixstore.jobs.job import Job, RangeResult, Task
from pixstore.jobs.reading import Found, find, pieces, read
from pixstore.jobs.remarks import Remark, misnamed, summed, with_trailing
from pixstore.rows import Indices, arrow_rows
from pixstore.schema import KEY

BATCH_ROWS = 1 << 14
"""At most in memory at a time: what Python and Arrow keep of each row counts too."""


def convert_range(job: Job, task: Task) -> RangeResult | None:
    """Write the task's samples into shards of their own, which no manifest names yet; return them and what was left out.

    None where the run has ended meanwhile: then, and after any error, nothing of them is left. Raises RecordError for a bad sample where
    such end the job.
    """
    roller = ShardRoller(job.destination, registry.engine(job.engine), durable=job.durability == "power", shard_bytes=job.shard_bytes)
    here, kept = found_again(job, task)
    work = _Work(job, here, roller, _gone(task, kept))
    try:
        for start, stop in cut(here.bytes, 0, len(here.rows), job.batch_bytes, BATCH_ROWS):
            if is_stopped():
                roller.abort()
                return None
            work.batch(start, stop)
        roller.seal()
    except BaseException:
        roller.abort()
        raise
    remarks = tuple(summed(work.remarks))
    return RangeResult(task.start, task.stop, tuple(roller.sealed), work.samples, work.bytes_in, tuple(work.bad_rows), remarks)


def found_again(job: Job, task: Task) -> tuple[Task, Indices]:
    """Return the task with its samples' rows in the source as it is here, and which of its samples are in it still."""
    keys, present = task.table[KEY], job.dataset.keys
    inside = not len(task.rows) or int(task.rows.max()) < len(present)
    if inside and present.take(arrow_rows(task.rows)).equals(keys):
        return task, np.arange(len(task.rows))
    found = pc.index_in(keys, value_set=present.combine_chunks())
    kept = np.flatnonzero(found.is_valid().to_numpy())
    files = {name: (size[kept], mtime[kept]) for name, (size, mtime) in task.files.items()}
    rows = found.drop_null().to_numpy().astype(np.int64)
    return replace(task, table=task.table.take(arrow_rows(kept)), rows=rows, bytes=task.bytes[kept], files=files), kept


def _gone(task: Task, kept: Indices) -> list[BadRow]:
    """Return the task's samples that are in the source no more."""
    places = np.delete(np.arange(len(task.rows)), kept).tolist()
    why = "vanished: the source was listed again and does not have it any more"
    return [BadRow(int(task.rows[place]), str(task.table[KEY][place]), "", why) for place in places]


class _Work:
    """Copies batches of one task, and counts."""

    def __init__(self, job: Job, task: Task, roller: ShardRoller, bad_rows: list[BadRow]) -> None:
        self._job = job
        self._task = task
        self._roller = roller
        self.samples = 0
        self.bytes_in = 0
        self.bad_rows = bad_rows
        self.remarks: list[Remark] = []

    def batch(self, start: int, stop: int) -> None:
        """Copy these rows of the task."""
        job, rows = self._job, self._task.rows[start:stop]
        files = {name: (size[start:stop], mtime[start:stop]) for name, (size, mtime) in self._task.files.items()}
        found = {name: find(job.dataset, name, rows, files.get(name)) for name in job.schema.field_names}
        ranges = pieces(found, job.encoding, job.batch_bytes)
        for first, last in ranges:
            parts = found if len(ranges) == 1 else {name: each.part(first, last) for name, each in found.items()}
            self._copy(self._task.table.slice(start + first, last - first), parts)

    def _copy(self, table: pa.Table, found: dict[str, Found]) -> None:
        job = self._job
        fields = {name: read(each, job.encoding, job.check) for name, each in found.items()}
        good = np.ones(len(table), bool)
        for each in fields.values():
            good &= each.good
            self.bad_rows += each.bad_rows
            self.bytes_in += each.stored
        if self.bad_rows and job.on_bad == "fail":
            raise RecordError("a sample cannot be read, and on_bad is 'fail'", self.bad_rows)
        kept = np.flatnonzero(good)
        if not len(kept):
            return
        if len(kept) < len(table):
            table = table.take(arrow_rows(kept))
        keys = _one_array(table[KEY])
        columns = {name: _one_array(table[name]) for name in job.schema.columns.names}
        stored = {name: each.taken(kept) for name, each in fields.items()}
        self._roller.append(job.schema, keys, columns, stored)
        self.samples += len(kept)
        for name, each in fields.items():
            if each.trailing is not None:
                self.remarks += with_trailing(keys, each.trailing[kept])
                # Keys are the names of the first field's files; those of a mask may end otherwise.
                self.remarks += misnamed(keys, stored[name]) if name == job.schema.field_names[0] else []


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
