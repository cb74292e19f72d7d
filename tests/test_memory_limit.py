"""Control groups as the kernel shows them, written out as files; and this process's own limit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pixstore.memory_limit import memory_limit

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")
    return path


def test_without_groups_it_is_the_machines_memory(tmp_path: Path) -> None:
    assert memory_limit(tmp_path, tmp_path / "nothing") == MACHINE
    own = write(tmp_path / "own", "0::/\n")
    assert memory_limit(tmp_path / "groups", own) == MACHINE


@pytest.mark.parametrize(
    ("line", "limit"),
    [
        ("0::/jobs/mine\n", "jobs/mine/memory.max"),
        ("0::/jobs/mine\n", "jobs/memory.max"),
        ("0::/jobs/mine\n", "unified/jobs/mine/memory.high"),
        ("3:cpu:/\n7:hugetlb,memory:/jobs/mine\n0::/\n", "memory/jobs/mine/memory.limit_in_bytes"),
        ("7:memory:/not/seen/from/here\n", "memory/memory.limit_in_bytes"),
    ],
)
def test_the_least_limit_up_to_the_root_counts(tmp_path: Path, line: str, limit: str) -> None:
    root, own = tmp_path / "groups", write(tmp_path / "own", line)
    write(root / limit, "123456\n")
    assert memory_limit(root, own) == 123456


def test_no_limit_and_more_than_there_is_are_no_limit(tmp_path: Path) -> None:
    root, own = tmp_path / "groups", write(tmp_path / "own", "7:memory:/mine\n0::/mine\n")
    write(root / "mine" / "memory.max", "max\n")
    write(root / "memory" / "mine" / "memory.limit_in_bytes", f"{2**63 - 4096}\n")
    assert memory_limit(root, own) == MACHINE


def test_a_controller_that_is_not_memory_says_nothing(tmp_path: Path) -> None:
    root, own = tmp_path / "groups", write(tmp_path / "own", "2:cpu:/mine\n")
    write(root / "memory" / "mine" / "memory.limit_in_bytes", "4096\n")
    assert memory_limit(root, own) == MACHINE


def test_this_process_has_a_limit() -> None:
    assert 0 < memory_limit() <= MACHINE
