from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.ways.base import Found, Reader, Way, Work, require_bytes
from pixstore.errors import InvalidInputError


class Nothing(Way):
    name = "nothing"

    def store_many(self, folder: Path, work: Work) -> None:
        (folder / "bytes").write_bytes(np.asarray(work.images).tobytes())

    def read_many(self, folder: Path, work: Work) -> Found:
        return Found(work.images, work.labels)

    def read_shuffled(self, folder: Path, work: Work) -> Found:
        return self.read_many(folder, work)

    def reader(self, folder: Path, work: Work) -> Reader:
        raise NotImplementedError


def test_work_knows_its_size_and_a_repeatable_order(work: Work, mixed_work: Work) -> None:
    assert (len(work), work.pixel_bytes, work.is_uniform) == (6, 6 * 8 * 6 * 3, True)
    assert (len(mixed_work), mixed_work.is_uniform) == (4, False)
    assert sorted(work.order.tolist()) == list(range(6))
    assert work.order.tolist() == Work(work.images, work.labels).order.tolist()


def test_a_way_has_single_images_and_disk_use_from_its_many(work: Work, tmp_path: Path) -> None:
    way = Nothing()
    way.store_one(tmp_path, work)
    assert way.read_one(tmp_path, work).labels is work.labels
    used = way.usage(tmp_path, work)
    assert used is not None
    assert used.apparent == work.pixel_bytes


def test_the_tutorial_keeps_bytes_only() -> None:
    require_bytes(np.zeros((2, 2), np.uint8), "tutorial-png")
    with pytest.raises(InvalidInputError, match="tutorial-png keeps 8-bit images only, this one is uint16"):
        require_bytes(np.zeros((2, 2), np.uint16), "tutorial-png")
