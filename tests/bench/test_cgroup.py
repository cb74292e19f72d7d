"""Processes with limited memory: real groups, where this system lets these tests make them."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixstore.bench import cgroup
from pixstore.bench.cgroup import Group, GroupUnavailableError, OutOfMemoryError, limited, unavailable
from pixstore.bench.residency import make_cold
from pixstore.errors import WorkerDiedError

# By its own name, as the child imports it.
sys.path.insert(0, str(Path(__file__).parent))
memory_functions = importlib.import_module("memory_functions")

MEGABYTE = 1 << 20
LIMIT = 64 * MEGABYTE
needs_groups = pytest.mark.skipif(unavailable() is not None, reason=f"memory cannot be limited here: {unavailable()}")


@needs_groups
def test_what_fits_is_done_and_its_peak_told() -> None:
    with limited(LIMIT) as group:
        ran = group.run(memory_functions.take, 20 * MEGABYTE)
    assert ran.value == 20 * MEGABYTE
    assert ran.peak_bytes is None or 20 * MEGABYTE < ran.peak_bytes <= LIMIT


@needs_groups
def test_what_does_not_fit_ends_the_child_and_is_told_in_words() -> None:
    with limited(LIMIT) as group, pytest.raises(OutOfMemoryError, match=f"{LIMIT:,} bytes of memory did not suffice"):
        group.run(memory_functions.take, 2 * LIMIT)


@needs_groups
def test_a_file_larger_than_the_memory_is_read_within_it(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with open(path, "wb") as file:
        for _ in range(96):
            file.write(os.urandom(MEGABYTE))
    make_cold([path])
    with limited(LIMIT) as group:
        ran = group.run(memory_functions.read_twice, str(path))
    assert ran.value == [96 * MEGABYTE] * 2
    assert ran.peak_bytes is None or ran.peak_bytes <= LIMIT


@needs_groups
def test_the_group_is_gone_afterwards_also_after_an_error() -> None:
    seen: list[Group] = []
    with pytest.raises(ZeroDivisionError), limited(LIMIT) as group:
        seen.append(group)
        assert group.path.is_dir()
        raise ZeroDivisionError
    with pytest.raises(WorkerDiedError), limited(LIMIT) as group:
        seen.append(group)
        group.run(memory_functions.die, 3)
    assert [each.path.exists() for each in seen] == [False, False]


@needs_groups
def test_what_the_child_prints_is_not_taken_for_its_answer() -> None:
    with limited(LIMIT) as group:
        assert group.run(memory_functions.chatter, {"a": [1, 2]}).value == {"a": [1, 2]}


FAULTS: tuple[tuple[Callable[[Any], Any], Any, str], ...] = (
    (memory_functions.fail, "luck", "ValueError: no luck today"),
    (memory_functions.die, 3, "status 3"),
    (memory_functions.wait, 1, "did not end within 1 s"),
)


@needs_groups
@pytest.mark.parametrize(("function", "request_", "words"), FAULTS, ids=["fails", "dies", "waits"])
def test_a_child_that_fails_says_why(function: Callable[[Any], Any], request_: Any, words: str) -> None:
    with limited(LIMIT) as group, pytest.raises(WorkerDiedError, match=words):
        group.run(function, request_, seconds=1 if function is memory_functions.wait else 60)


def test_a_folder_that_is_no_group_is_refused_in_words_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "group").mkdir()
    with pytest.raises(GroupUnavailableError, match="cannot be limited"):
        cgroup._set_limit(tmp_path / "absent", 2, LIMIT)
    with pytest.raises(GroupUnavailableError, match="hands the memory controller down"):
        cgroup._handing_down(tmp_path, tmp_path / "group")


def test_the_nearest_group_that_hands_memory_down_is_found(tmp_path: Path) -> None:
    own = tmp_path / "slice" / "scope"
    own.mkdir(parents=True)
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids\n")
    (tmp_path / "slice" / "cgroup.subtree_control").write_text("cpu memory\n")
    (own / "cgroup.subtree_control").write_text("\n")
    assert cgroup._handing_down(tmp_path, own) == tmp_path / "slice"


def test_a_container_that_shows_its_group_as_the_root_is_understood(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    assert cgroup._folder(str(tmp_path), "/docker/abc", "/docker/abc/inner") == tmp_path / "inner"
    assert cgroup._folder(str(tmp_path), "/docker/abc", "/docker/abc") == tmp_path
    assert cgroup._folder(str(tmp_path), "/", "/somewhere/else") == tmp_path
