"""Rows become arrays, with None where a sample has no such field; files are mapped or read as it suits the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore import reading
from pixstore.store import StoreRows


@pytest.fixture
def rows(tmp_path: Path) -> StoreRows:
    schema = pixstore.Schema((pixstore.Field(), pixstore.Field("mask")))
    with pixstore.Writer(tmp_path / "s", schema=schema, codec="raw", durability="process") as writer:
        for number in range(4):
            mask = {"mask": np.full((2, 2), number, np.uint8)} if number % 2 else {}
            writer.add(np.full((2, 2, 3), number, np.uint8), **mask)
    return pixstore.open(tmp_path / "s")._rows


def test_all_rows_of_a_field_that_all_have_are_one_array(rows: StoreRows) -> None:
    found = reading.decoded(rows, "image", np.array([3, 0]), threads=1, verify=True, io="map")
    assert isinstance(found, np.ndarray) and found[:, 0, 0, 0].tolist() == [3, 0]


def test_a_sample_without_the_field_has_none(rows: StoreRows) -> None:
    found = reading.decoded(rows, "mask", np.array([3, 0, 1]), threads=1, verify=True, io="pread")
    assert found[1] is None and [found[place][0, 0] for place in (0, 2)] == [3, 1]
    assert reading.decoded(rows, "mask", np.array([0, 2]), threads=1, verify=True, io="map") == [None, None]


def test_what_is_asked_for_is_done_and_a_store_above_half_of_memory_is_read(rows: StoreRows, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reading.chosen_io(rows, "map") == reading.chosen_io(rows, "auto") == "map" and reading.chosen_io(rows, "pread") == "pread"
    monkeypatch.setattr(reading, "memory_limit", lambda: 2 * rows.pixel_bytes - 1)
    assert reading.chosen_io(rows, "auto") == "pread"
    monkeypatch.setattr(reading, "memory_limit", lambda: 2 * rows.pixel_bytes)
    assert reading.chosen_io(rows, "auto") == "map"
