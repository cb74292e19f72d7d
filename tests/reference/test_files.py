"""The reference's view of whole files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pixstore.headers import RecordFailedError
from pixstore.reference.files import hash_file_tiles, stamp_of, stat_files
from pixstore.reference.hashes import hash_bytes


def test_the_last_tile_is_shorter(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abcde")
    assert hash_file_tiles(str(tmp_path / "a"), 2).tolist() == [hash_bytes(each) for each in (b"ab", b"cd", b"e")]


def test_a_stamp_is_that_of_path_and_descriptor(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abcde")
    with open(tmp_path / "a", "rb") as file:
        assert stamp_of(file.fileno()) == stamp_of(str(tmp_path / "a")) == (5, os.stat(tmp_path / "a").st_mtime_ns)
    with pytest.raises(RecordFailedError, match="regular"):
        stamp_of(str(tmp_path))


def test_offsets_that_lead_out_of_the_buffer_are_refused() -> None:
    with pytest.raises(ValueError, match="offsets"):
        stat_files((b"/", b"abc", np.array([0, 4])))
