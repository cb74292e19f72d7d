"""Plan: every sample once, with the size of its record, without reading one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import pixstore
from pixstore.errors import DuplicateKeyError
from pixstore.jobs.job import Job
from pixstore.jobs.plan import make_plan, next_key


def test_files_have_their_sizes_and_times_in_the_order_asked(photos: Path) -> None:
    dataset = pixstore.open(photos)
    plan = make_plan(dataset, "shuffle:1", threads=1)
    status = [(photos / dataset.keys[row].as_py()).stat() for row in plan.rows.tolist()]
    assert sorted(plan.rows.tolist()) == list(range(12)) != plan.rows.tolist()
    assert plan.bytes.tolist() == plan.fields["image"].tolist() == [each.st_size for each in status]
    assert [part.tolist() for part in plan.files["image"]] == [[each.st_size for each in status], [each.st_mtime_ns for each in status]]


def test_planning_opens_no_image(photos: Path) -> None:
    for path in photos.rglob("*.png"):
        path.write_bytes(b"no image at all")
    assert make_plan(pixstore.open(photos)).bytes.tolist() == [15] * 12


def test_file_that_has_gone_is_planned_as_gone(photos: Path) -> None:
    dataset = pixstore.open(photos)
    (photos / dataset.keys[3].as_py()).unlink()
    plan = make_plan(dataset)
    assert plan.files["image"][0][3] == plan.files["image"][1][3] == -1 and plan.bytes[3] == 0 and len(plan) == 12


def test_store_says_the_length_of_each_record_and_what_is_missing(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add(np.zeros((2, 3), np.uint8), mask=np.zeros((2, 2), np.uint8))
        writer.add(np.zeros((4, 4), np.uint8))
    plan = make_plan(pixstore.open(tmp_path / "s"))
    assert {name: lengths.tolist() for name, lengths in plan.fields.items()} == {"image": [6, 16], "mask": [4, -1]}
    assert plan.bytes.tolist() == [10, 16] and not plan.files and (plan.weights > plan.bytes).all()


def test_task_has_its_part_of_everything(photos: Path) -> None:
    plan = make_plan(pixstore.open(photos), "key")
    task = plan.task(3, 7)
    assert (task.start, task.stop, task.rows.tolist(), task.bytes.tolist()) == (3, 7, [3, 4, 5, 6], plan.bytes[3:7].tolist())
    assert task.files["image"][1].tolist() == plan.files["image"][1][3:7].tolist()
    assert task.table["key"].to_pylist() == pixstore.open(photos).keys.to_pylist()[3:7]
    assert task.table.equals(plan.without(np.array([9])).task(3, 7).table)


def test_plan_without_positions_has_the_others_in_order(photos: Path) -> None:
    plan = make_plan(pixstore.open(photos)).without(np.array([0, 11, 5]))
    assert plan.rows.tolist() == [1, 2, 3, 4, 6, 7, 8, 9, 10] and len(plan.bytes) == len(plan.keys) == len(plan.files["image"][0]) == 9


def test_key_that_stands_twice_is_named_before_anything_is_written(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(np.zeros((3, 2, 2), np.uint8), key=list("abc"))
    with pytest.raises(DuplicateKeyError, match=r"'b' stands twice.*rows 0 and 2"):
        make_plan(pixstore.open(tmp_path / "s").select([1, 0, 1]))


@pytest.mark.parametrize(
    ("keys", "expected"), [(["a", "b"], 0), (["00000007", "a"], 8), (["123456789", "00000001"], 123456790), (["012345678", "1234567"], 0)]
)
def test_next_default_key_is_beyond_those_there_are(tmp_path: Path, keys: list[str], expected: int) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(np.zeros((2, 2, 2), np.uint8), key=keys)
    assert next_key(pixstore.open(tmp_path / "s")) == expected


def test_store_keeps_its_count_of_default_keys(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(np.zeros((3, 2, 2), np.uint8))
        writer.commit()
        writer.delete("00000002")
    assert next_key(pixstore.open(tmp_path / "s")) == 3


def facts(path: Path) -> dict[str, object]:
    dataset = pixstore.open(path)
    return dict(make_plan(dataset, origins={"": [path]}).facts)


def test_facts_are_the_same_until_something_changes(photos: Path) -> None:
    before = facts(photos)
    assert facts(photos) == before and before["samples"] == 12 and make_plan(pixstore.open(photos), "key").facts == before
    one = next(photos.rglob("*.png"))
    status = one.stat()
    os.utime(one, ns=(status.st_atime_ns, status.st_mtime_ns + 10**12))
    touched = facts(photos)
    assert {name for name in before if before[name] != touched[name]} == {"times", "newest"}
    with open(one, "ab") as file:
        file.write(b"x")
    assert facts(photos)["bytes"] == int(str(before["bytes"])) + 1
    one.rename(one.with_name("other.png"))
    assert facts(photos)["keys"] != before["keys"]


def test_labels_are_facts(photos: Path) -> None:
    before = facts(photos)
    (photos / "metadata.csv").write_text("file_name,label\n" + "".join(f"{k},3\n" for k in pixstore.open(photos).keys.to_pylist()))
    assert facts(photos)["columns"] != before["columns"]


def test_files_that_hold_many_records_are_facts(tmp_path: Path, make_job: Callable[..., Job]) -> None:
    for number in range(1, 6):
        batch = np.random.default_rng(number).integers(0, 256, (4, 3073), np.uint8)
        batch[:, 0] = 1
        (tmp_path / f"data_batch_{number}.bin").write_bytes(batch.tobytes())
    (tmp_path / "test_batch.bin").write_bytes(batch.tobytes())
    before = facts(tmp_path)
    assert before["samples"] == 24 and before["bytes"] >= 24 * 3073  # type: ignore[operator]
    os.utime(tmp_path / "data_batch_2.bin", ns=(0, 0))
    assert facts(tmp_path)["times"] != before["times"]


def test_a_store_is_known_by_its_manifest(tmp_path: Path) -> None:
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add(tmp_path / "a.png", key="a", label=1)
    before = facts(tmp_path / "s")
    pixstore.Store(tmp_path / "s").tag("named")
    pixstore.open(tmp_path / "s").split({"all": 1}, name="all")
    assert facts(tmp_path / "s") == before
    with pixstore.Writer(tmp_path / "s", mode="a", durability="process") as writer:
        writer.update("a", label=1)
    after = facts(tmp_path / "s")
    assert before["manifest"] != after["manifest"] and before["keys"] == after["keys"]
    assert pa.types.is_integer(pixstore.open(tmp_path / "s").table["label"].type)
