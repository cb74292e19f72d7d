"""The feather engine: the conformance suite, what Arrow reads, and damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.feather
import pytest

import pixstore
from pixstore.engines import feather
from pixstore.errors import CorruptStoreError
from pixstore.schema import Schema
from pixstore.testing import EngineConformance


class TestConformance(EngineConformance):
    engine = feather.ENGINE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with pixstore.Writer(tmp_path / "s", engine="feather", codec="png") as writer:
        writer.add_batch(np.zeros((3, 2, 2), np.uint8), mask=[None, np.ones((2, 2), np.uint8), None], key=list("abc"))
    return next((tmp_path / "s/shards").glob("*.feather"))


def test_arrow_reads_keys_and_records_and_nothing_where_one_is_missing(path: Path) -> None:
    table = pyarrow.feather.read_table(path)
    assert table["key"].to_pylist() == list("abc") and table["mask"].null_count == 2
    assert table["image"][0].as_py().startswith(b"\x89PNG")


def test_a_file_that_is_cut_off_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorruptStoreError, match=f"{path.name}.*Arrow refuses it"):
        feather.ENGINE.open(path, Schema())
