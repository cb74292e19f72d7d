"""The judge finds what it is there to find: each kind of damage to a store that was right, and none where nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import pixstore
from faults.judge import Task, judge, leftover_problems, newest_whole, state_problems, store_digest, unnamed
from faults.operations import OPERATIONS, Operation, WentOnError, go_through, refusing_after_error
from faults.samples import digests, sample
from pixstore.manifest import load
from pixstore.writer import Writer

APPEND = OPERATIONS["append"]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "trial" / "store"
    path.parent.mkdir()
    APPEND.prepare(path, "packed", "process")
    return path


def after(store: Path, acknowledged: int, *, finished: bool = False) -> list[str]:
    return state_problems(Task(store, "packed", APPEND, "process", acknowledged, finished))


def test_a_sound_store_passes_and_is_run_to_its_end(store: Path) -> None:
    whole = store.parent / "whole"
    APPEND.prepare(whole, "packed", "process")
    APPEND.run(whole, "packed", "process", lambda steps: None)
    assert judge(Task(store, "packed", APPEND, "process", 0, False), store_digest(whole)) == []
    assert after(store, 3, finished=True) == []


def test_an_acknowledged_step_that_is_not_there_is_found(store: Path) -> None:
    assert after(store, 0) == []
    assert "8 samples lost: added 0-0" in after(store, 1)[0]
    assert "24 samples lost" in after(store, 0, finished=True)[0]


def test_a_step_that_is_there_in_part_is_found(store: Path) -> None:
    with Writer(store, mode="a") as writer:
        each = sample("added 0-0", (0, 0))
        writer.add(each.image, key="added 0-0", thumb=each.thumb, label=each.label, name=each.name)
    assert "1 samples that should not be there: added 0-0" in after(store, 0)[0]


CHANGES: dict[str, Callable[[Writer], None]] = {
    "label": lambda writer: writer.update("start 03", label=5),
    "name": lambda writer: writer.update("start 03", name="another"),
    "image": lambda writer: writer.update("start 03", sample("start 04", (0, 0)).image),
    "thumb": lambda writer: writer.update("start 03", thumb=sample("start 04", (0, 0)).thumb),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_sample_with_other_content_is_found(store: Path, change: Callable[[Writer], None]) -> None:
    with Writer(store, mode="a") as writer:
        change(writer)
    assert "1 samples with other content: start 03" in after(store, 0)[0]


def test_a_store_that_does_not_open_and_one_that_does_not_read_are_found(store: Path) -> None:
    pixels = next((store / "shards").glob("*.bin"))
    data = bytearray(pixels.read_bytes())
    data[10] ^= 1
    pixels.write_bytes(data)
    assert "CorruptRecordError" in after(store, 0)[0]
    (store / "manifest.json").write_bytes(b"{}")
    assert "does not open" in after(store, 0)[0]


def test_a_store_that_comes_to_another_end_is_found(store: Path) -> None:
    assert judge(Task(store, "packed", APPEND, "process", 0, False), "0" * 32) == [
        "run again: the digest is not that of an undisturbed run"
    ]


def test_more_than_one_shard_left_behind_is_found(store: Path) -> None:
    task = Task(store, "packed", APPEND, "process", 0, False)
    (store / "shards" / "0123.partial").mkdir()
    assert leftover_problems(task) == [] and unnamed(store) == {"shards/0123.partial"}
    (store / "shards" / "4567.bin").touch()
    (store / "shards" / "4567.arrow").touch()
    assert leftover_problems(task) == ["2 shards left behind, 1 expected at most"]
    (store / "manifest.json.9.partial").touch()
    (store / "versions" / "00000001.json.9.partial").touch()
    assert {"manifest.json.9.partial", "versions/00000001.json.9.partial"} < unnamed(store)


def test_the_newest_version_that_is_whole_must_be_a_state_there_was(store: Path) -> None:
    go_through(APPEND, store, "process", lambda steps: None)
    assert newest_whole(store, APPEND) == (0, None, [])
    for shard in load(store).shards[-2:]:
        (store / "shards" / shard.pixels.name).write_bytes(b"")
    assert newest_whole(store, APPEND) == (3, load(store).version - 2, [])
    with Writer(store, mode="w") as writer:
        writer.add(sample("start 03", (0, 0)).image, key="start 03", thumb=sample("start 03", (0, 0)).thumb, label=1, name="")
    assert newest_whole(store, APPEND) == (0, None, ["version now opens and holds rows that never were together"])


def test_a_writer_that_goes_on_after_an_error_is_found(store: Path) -> None:
    writer = Writer(store, mode="a")
    with pytest.raises(WentOnError), refusing_after_error(writer):
        raise OSError("nothing that stops a writer")
    writer.close()


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
@pytest.mark.parametrize("engine", ["packed", "lmdb"])
@pytest.mark.filterwarnings("ignore:.*a conversion that is not finished")
def test_each_operation_goes_through_its_states(tmp_path: Path, operation: Operation, engine: str) -> None:
    path = tmp_path / "store"
    operation.prepare(path, engine, "process")
    acknowledged: list[int] = []

    def look(steps: int) -> None:
        acknowledged.append(steps)
        held = set(pixstore.open(path).keys.to_pylist()) if steps else set(operation.expected(0))
        assert held == set(digests(operation.expected(steps)))

    operation.run(path, engine, "process", look)
    assert acknowledged[-1] == operation.steps
