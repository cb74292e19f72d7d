from __future__ import annotations

from pathlib import Path

import numpy as np

from pixstore.bench import generator, physical
from pixstore.bench.images import from_source
from pixstore.bench.ways.base import Work


def test_arrays_are_copied_gathered_inflated_and_written(tmp_path: Path) -> None:
    drawn = generator.pictures(20)
    limits = physical.measure(Work(drawn.images, drawn.labels), tmp_path)
    assert limits.keys() == {"images", "bytes", "copy", "gather", "write", "write-synced", "inflate"}
    assert limits["images"] == 20
    assert limits["bytes"] == 20 * 3072
    assert all(seconds > 0 for seconds in limits.values())
    assert list(tmp_path.iterdir()) == []


def test_encoded_images_are_decoded_from_memory(photos: Path, tmp_path: Path) -> None:
    sample = from_source(photos, 8)
    limits = physical.measure(sample.work(8), tmp_path)
    assert limits["decode"] > 0
    assert "inflate" not in limits
    sample.close()


def test_images_of_several_sizes_are_written_whole(mixed_work: Work, tmp_path: Path) -> None:
    assert physical.measure(mixed_work, tmp_path)["bytes"] == sum(image.nbytes for image in mixed_work.images)
    assert np.asarray(mixed_work.images[0]).dtype == np.uint8
