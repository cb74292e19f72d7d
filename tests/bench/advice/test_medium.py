"""What data lies on: as /sys says it, planted; and how much memory there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixstore.bench.advice import medium


def disk(root: Path, name: str, turns: str) -> Path:
    """Return an entry as /sys has one for a disk, with a partition."""
    (root / name / "queue").mkdir(parents=True)
    (root / name / "queue" / "rotational").write_text(turns + "\n")
    (root / name / f"{name}1").mkdir()
    return root / name


@pytest.mark.parametrize(
    ("name", "turns", "found"), [("sda", "1", "disk"), ("nvme0n1", "0", "ssd"), ("vda", "1", "unknown"), ("vda", "0", "ssd")]
)
def test_a_disk_says_whether_it_turns_and_a_virtual_one_is_not_believed(name: str, turns: str, found: str, tmp_path: Path) -> None:
    place = disk(tmp_path, name, turns)
    assert medium.of_device(place) == found
    assert medium.of_device(place / f"{name}1") == found


def test_links_are_followed_and_what_is_no_disk_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "8:1").symlink_to(disk(tmp_path, "sda", "1") / "sda1")
    assert medium.of_device(tmp_path / "8:1") == "disk"
    assert medium.of_device(tmp_path / "0:52") == "unknown"


def test_a_path_that_is_not_there_lies_where_its_folder_does(tmp_path: Path) -> None:
    assert medium.medium_of(tmp_path / "not" / "yet.pixstore") == medium.medium_of(tmp_path)


def test_files_may_have_less_than_all_memory() -> None:
    total = next(int(line.split()[1]) * 1024 for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    assert 0 < medium.memory_bytes() < total


def test_a_limit_of_the_own_group_counts_not_the_roots_alone(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/batch/job\n")
    (tmp_path / "batch" / "job").mkdir(parents=True)
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "batch" / "job" / "memory.max").write_text("1000\n")
    assert medium.memory_bytes(tmp_path, own) == 800
