"""The survey of a source: sizes, formats, and a sample that has its share of each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pixstore
from pixstore.bench.advice.survey import stratified, survey
from pixstore.errors import InvalidInputError


def test_photos_are_counted_with_their_formats_and_files(photos: Path) -> None:
    found = survey(photos)
    assert (found.images, len(found.sample), found.formats) == (12, 12, {"jpeg": 9, "png": 3})
    assert found.has_own_files and found.is_editable
    assert found.disk_bytes == sum(path.stat().st_blocks * 512 for path in photos.iterdir())
    assert found.plan.bytes.sum() == sum(path.stat().st_size for path in photos.iterdir())
    assert 0 < found.opening_seconds < 60
    found.sample.close()


def test_a_store_has_no_own_files_but_can_be_edited(arrays: Path) -> None:
    found = survey(arrays)
    assert (found.images, found.formats, found.has_own_files, found.is_editable) == (40, {"raw": 40}, False, True)
    assert found.disk_bytes > 40 * 8 * 6 * 3 and found.pixel_bytes == 40 * 8 * 6 * 3
    found.sample.close()


def test_an_archive_cannot_be_edited_in_place(archive: Path) -> None:
    found = survey(archive, most_images=10)
    assert (found.images, len(found.sample), found.has_own_files, found.is_editable) == (30, 10, False, False)
    assert found.disk_bytes == archive.stat().st_blocks * 512
    found.sample.close()


def test_a_sample_is_as_small_as_asked(photos: Path) -> None:
    found = survey(photos, most_images=4)
    assert found.images == 12 and len(found.sample) == 4
    assert found.formats == {"jpeg": 3, "png": 1}
    found.sample.close()


def test_a_source_without_images_is_refused(arrays: Path) -> None:
    with pixstore.Writer(arrays, mode="w", durability="process"):
        pass
    with pytest.raises(InvalidInputError, match="no images here"):
        survey(arrays)


@given(kinds=st.lists(st.sampled_from(["jpg", "jpg", "jpg", "png", "tif"]), min_size=1, max_size=300), count=st.integers(5, 60))
def test_every_format_has_its_share_and_one_at_least(kinds: list[str], count: int) -> None:
    sizes = np.random.default_rng(len(kinds)).integers(1, 10**6, len(kinds))
    rows = stratified(np.asarray(kinds), sizes, count)
    assert rows.tolist() == sorted(set(rows.tolist())) and set(rows.tolist()) <= set(range(len(kinds)))
    assert len(rows) in range(min(count, len(kinds)), count + 3) or len(rows) == len(kinds)
    chosen = Counter(np.asarray(kinds)[rows].tolist())
    for kind, there in Counter(kinds).items():
        assert chosen[kind] >= 1
        assert abs(chosen[kind] - there * min(count / len(kinds), 1)) <= 1.0001


def test_every_stretch_of_sizes_has_its_share() -> None:
    sizes = np.random.default_rng(0).permutation(10_000)
    chosen = np.sort(sizes[stratified(np.full(10_000, "jpg"), sizes, 100)])
    assert np.abs(chosen - np.linspace(0, 10_000, 100, endpoint=False)).max() <= 100
