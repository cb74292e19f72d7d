"""Duplicates: the same bytes in every field, and nothing less."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore.jobs import duplicates
from pixstore.jobs.duplicates import find_duplicates, without_duplicates
from pixstore.jobs.job import Job
from pixstore.jobs.plan import make_plan

MakeJob = Callable[..., Job]


def found(job: Job, order: str = "source", on: str = "threads") -> list[tuple[str, str]]:
    plan = make_plan(job.dataset, order)
    positions, listed = find_duplicates(job, plan, on=on, workers=2, range_bytes=400)
    keys = job.dataset.keys.to_pylist()
    assert [keys[row] for row in plan.rows[positions].tolist()] == [each.key for each in listed] == [keys[each.row] for each in listed]
    kept = without_duplicates(plan, listed).rows.tolist()
    assert kept == [row for row in plan.rows.tolist() if row not in {each.row for each in listed}]
    return [(each.key, each.same_as) for each in listed]


def test_files_with_the_same_bytes_are_duplicates_of_the_first(photos: Path, make_job: MakeJob) -> None:
    for target, source in (("cat/zz.png", "cat/00.png"), ("dog/a.png", "dog/01.png"), ("dog/zz.png", "cat/00.png")):
        (photos / target).write_bytes((photos / source).read_bytes())
    # In the source's order dog/01.png comes before dog/a.png.
    assert found(make_job(photos)) == [("cat/zz.png", "cat/00.png"), ("dog/a.png", "dog/01.png"), ("dog/zz.png", "cat/00.png")]


def test_unreadable_files_are_no_duplicates(photos: Path, make_job: MakeJob) -> None:
    job = make_job(photos)
    (photos / "cat" / "00.png").unlink()
    (photos / "cat" / "02.png").unlink()
    assert found(job) == []


def test_every_field_counts(tmp_path: Path, make_job: MakeJob) -> None:
    one, two = np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        for key, image, mask in (("a", one, two), ("b", two, one), ("c", one, one), ("d", one, two), ("e", one, None), ("f", one, None)):
            writer.add(image, mask=mask, key=key) if mask is not None else writer.add(image, key=key)
    assert found(make_job(tmp_path / "s")) == [("d", "a"), ("f", "e")]


def test_hashes_alone_decide_nothing(photos: Path, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    (photos / "cat" / "zz.png").write_bytes((photos / "cat" / "00.png").read_bytes())
    monkeypatch.setattr(duplicates, "_hashes", lambda job, rows: np.ones((len(rows), 2), np.uint64))
    assert found(make_job(photos)) == [("cat/zz.png", "cat/00.png")]


def test_first_is_the_first_in_the_order_of_conversion(photos: Path, make_job: MakeJob) -> None:
    (photos / "cat" / "zz.png").write_bytes((photos / "cat" / "00.png").read_bytes())
    job = make_job(photos)
    orders = {tuple(found(job, f"shuffle:{seed}")) for seed in range(8)}
    assert orders == {(("cat/zz.png", "cat/00.png"),), (("cat/00.png", "cat/zz.png"),)}


def test_pixels_of_another_shape_are_another_image(tmp_path: Path, make_job: MakeJob) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        for key, shape in (
            ("wide", (10, 20, 3)),
            ("tall", (20, 10, 3)),
            ("grey", (300, 2)),
            ("wide-2", (10, 20, 3)),
            ("tall-2", (20, 10, 3)),
        ):
            writer.add(np.zeros(shape, np.uint8), key=key)
    assert found(make_job(tmp_path / "s")) == [("wide-2", "wide"), ("tall-2", "tall")]
