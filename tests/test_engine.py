"""The contract for engines, as every built-in one keeps it: a name, a suffix of its own, no state, nothing created by a failed open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pixstore import registry
from pixstore.engine import Engine, FieldRecords, PlannedShard, RecordBatch
from pixstore.rows import Slices
from pixstore.schema import Field, Format, Schema

NAMES = registry.ENGINES


def test_contract_cannot_be_used_half_implemented() -> None:
    class Half(Engine):
        name = "half"
        extension = ".half"

    with pytest.raises(TypeError, match="abstract"):
        Half()  # type: ignore[abstract]


def test_batch_has_as_many_rows_as_keys() -> None:
    records = FieldRecords(Slices.end_to_end(b"abc", np.array([1, 2])), [Format("raw", (1,), "uint8")], np.zeros(2, np.int32))
    assert len(RecordBatch(["a", "b"], {"image": records})) == 2


@pytest.mark.parametrize("name", NAMES)
def test_engine_is_named_like_its_file_and_has_no_state(name: str) -> None:
    engine = registry.engine(name)
    assert engine.name == name
    assert vars(engine) == {}


def test_no_two_engines_share_a_suffix() -> None:
    suffixes = [registry.engine(name).extension for name in NAMES]
    assert len(set(suffixes)) == len(NAMES)
    assert all(suffix.startswith(".") for suffix in suffixes)


@pytest.mark.parametrize("name", NAMES)
def test_aborting_an_empty_shard_leaves_nothing(name: str, tmp_path: Path) -> None:
    writer = registry.engine(name).create(tmp_path / f"shard{registry.engine(name).extension}", Schema(), durable=False, max_bytes=1 << 20)
    writer.abort()
    writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_says_nothing_is_taken_to_keep_records_end_to_end_in_one_file(tmp_path: Path) -> None:
    lengths = {"image": np.array([5000, -1, 0, 3]), "mask": np.array([1, 1, -1, 1])}
    png = Format("png", None, None)
    shard = PlannedShard(Schema((Field("image"), Field("mask"))), lengths, {"image": png, "mask": png}, pa.array(list("abcd")), tmp_path)
    found = Engine.predicted_bytes(registry.engine("packed"), shard)
    assert (found.apparent, found.paths, len(shard)) == (5006, 1, 4)
    block = shard.block_bytes
    assert found.allocated == -(-5006 // block) * block
