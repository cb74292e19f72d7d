from __future__ import annotations

import os
from pathlib import Path

from pixstore.bench import disk


def test_usage_counts_files_in_sub_folders_and_what_the_folders_take(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "a").write_bytes(b"x" * 5000)
    (tmp_path / "below" / "b").write_bytes(b"x" * 10)
    os.sync()
    used = disk.usage(tmp_path)
    assert used.apparent == 5010
    files = sum(os.lstat(path).st_blocks * 512 for path in (tmp_path / "a", tmp_path / "below" / "b"))
    assert used.allocated >= files


def test_usage_of_files_counts_each_as_often_as_named(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x" * 700)
    assert disk.usage_of([str(file), str(file)]).apparent == 1400
