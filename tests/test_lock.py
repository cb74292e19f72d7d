"""WriterLock: one holder, named to whoever comes second, and free again however it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pixstore import errors
from pixstore.lock import NAME, WriterLock


def test_second_taker_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path)
    assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()
    with pytest.raises(errors.StoreBusyError, match=rf"{tmp_path}.*{os.getpid()}.*wait for it"):
        WriterLock(tmp_path)
    lock.release()
    lock.release()
    WriterLock(tmp_path).release()


def test_what_a_longer_named_holder_left_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("x" * 1000)
    WriterLock(tmp_path).release()
    assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()


def test_lock_of_a_removed_store_is_no_lock(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        WriterLock(tmp_path / "gone")
