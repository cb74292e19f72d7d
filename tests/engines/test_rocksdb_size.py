"""Bytes of a rocksdb shard, foretold; whole stores are foretold in tests/estimate/test_sizes.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from pixstore.engine import PlannedShard
from pixstore.engines.rocksdb_size import folder_bytes
from pixstore.schema import Field, Format, Schema


def foretold(folder: Path, lengths: list[int]) -> int:
    keys = pa.array([f"{row:08}" for row in range(len(lengths))])
    png = Format("png", None, None)
    return folder_bytes(PlannedShard(Schema((Field("image"),)), {"image": np.array(lengths)}, {"image": png}, keys, folder)).apparent


def test_a_longer_record_takes_so_much_more_and_a_missing_one_none(tmp_path: Path) -> None:
    short, long, missing = (foretold(tmp_path, [100_000, each]) for each in (1000, 9000, -1))
    assert 8000 <= long - short <= 8000 and missing <= short
    assert 0 < foretold(tmp_path, []) < 20_000
