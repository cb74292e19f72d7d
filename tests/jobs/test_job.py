"""Job and task: small enough to send, and the same where they arrive."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pixstore.jobs.job import Job
from pixstore.jobs.plan import make_plan


def test_job_and_task_arrive_as_they_were_sent(photos: Path, make_job: Callable[..., Job]) -> None:
    job = make_job(photos)
    sent = pickle.dumps(job)
    arrived = pickle.loads(sent)
    assert len(sent) < 2500 and arrived.dataset.table.equals(job.dataset.table)
    assert (arrived.destination, arrived.encoding, arrived.schema) == (job.destination, job.encoding, job.schema)
    task = make_plan(job.dataset).task(2, 5)
    again = pickle.loads(pickle.dumps(task))
    assert (again.start, again.stop) == (2, 5) and again.table.equals(task.table) and np.array_equal(again.rows, task.rows)
    assert all(np.array_equal(a, b) for name in task.files for a, b in zip(task.files[name], again.files[name], strict=True))
