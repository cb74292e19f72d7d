"""A whole job is timed, looked at and cleared away; other pixels are a difference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.bench.lab.conftest import MakeLab

from pixstore.bench.images import built_in
from pixstore.bench.lab import whole
from pixstore.bench.lab.lab import DifferenceError
from pixstore.bench.ways.base import Found, Work
from pixstore.bench.ways.ours import StoreWay


class Wrong(StoreWay):
    """A way that loses a bit."""

    def read_shuffled(self, folder: Path, work: Work) -> Found:
        found = super().read_shuffled(folder, work)
        return Found(np.asarray(found.images) ^ 1, found.labels)


def test_storing_looks_at_the_folder_and_removes_it(make_lab: MakeLab) -> None:
    lab = make_lab(built_in(20), ["packed/raw"])
    places: list[Path] = []

    def look(place: Path) -> dict[str, float]:
        places.append(place)
        return {"files": float(sum(path.is_file() for path in place.rglob("*")))}

    seen = whole.store(lab, lab.ways[0], lab.work(12), look)
    assert seen.seconds > 0
    assert seen.measures["files"] > 1
    assert seen.measures["megabytes_per_second"] == pytest.approx(12 * 3072 / 1e6 / seen.seconds)
    assert not places[0].exists()


def test_reading_gives_what_is_looked_at_in_the_images(make_lab: MakeLab) -> None:
    lab = make_lab(built_in(20), ["packed/raw"])
    seen = whole.read(lab, lab.ways[0], lab.work(12), lambda found: {"images": float(len(found.images))})
    assert seen.measures["images"] == 12
    assert whole.read(lab, lab.ways[0], lab.work(12)).measures.keys() == {"megabytes_per_second", "cpu_seconds"}


def test_other_pixels_are_a_difference(make_lab: MakeLab) -> None:
    lab = make_lab(built_in(20), [])
    with pytest.raises(DifferenceError, match="other pixels"):
        whole.read(lab, Wrong("wrong/raw", "packed", "raw", "process", 1), lab.work(12))
