"""Order: every row once, sorted as asked, equal values as in the source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore.errors import InvalidInputError
from pixstore.jobs.order import ordered_rows

KEYS = list("dbeacfg")
LABELS = [2, 1, None, 1, 2, 3, 1]


@pytest.fixture
def dataset(tmp_path: Path) -> pixstore.Dataset:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(np.zeros((7, 2, 2), np.uint8), key=KEYS, label=LABELS, boxes=[[1.0]] * 7)
    return pixstore.open(tmp_path / "s")


@pytest.mark.parametrize(("order", "keys"), [("source", "dbeacfg"), ("key", "abcdefg"), ("label", "bagdcfe")])
def test_rows_come_as_asked(dataset: pixstore.Dataset, order: str, keys: str) -> None:
    rows = ordered_rows(dataset, order)
    assert rows.dtype == np.int64 and "".join(KEYS[row] for row in rows) == keys


def test_selection_is_ordered_by_its_own_rows(dataset: pixstore.Dataset) -> None:
    assert ordered_rows(dataset.select([6, 0, 1]), "key").tolist() == [2, 1, 0]


def test_shuffle_is_a_permutation_that_the_seed_decides(dataset: pixstore.Dataset) -> None:
    one, again, other = (ordered_rows(dataset, f"shuffle:{seed}").tolist() for seed in (1, 1, 2))
    assert one == again and one != other and sorted(one) == sorted(other) == list(range(7)) != one


@pytest.mark.parametrize(
    ("order", "said"),
    [("size", "'label'"), ("", "shuffle:SEED"), ("shuffle:", "no seed"), ("shuffle:-1", "no seed"), ("boxes", "have no order")],
)
def test_order_that_there_is_not_is_refused(dataset: pixstore.Dataset, order: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        ordered_rows(dataset, order)
