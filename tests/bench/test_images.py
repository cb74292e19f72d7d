from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.bench import images
from pixstore.bench.images import built_in, from_source
from pixstore.errors import InvalidInputError, PathNotFoundError


def test_built_in_images_are_named_synthetic() -> None:
    sample = built_in(20)
    assert sample.name.startswith("synthetic images")
    described = sample.describe()
    assert described["synthetic"] is True
    assert described["encoded"] is False
    assert (described["images"], described["shapes"], described["largest"]) == (20, 1, [32, 32, 3])


def test_fewer_images_are_spread_and_more_repeat() -> None:
    sample = built_in(10)
    sample.labels = np.arange(10)
    assert sample.work(5).labels.tolist() == [0, 2, 4, 6, 8]
    assert sample.work(12).labels.tolist() == [*range(10), 0, 1]
    assert np.array_equal(sample.work(12).images[10], sample.images[0])


def test_a_sample_of_photos_keeps_their_bytes_and_labels(photos: Path) -> None:
    sample = from_source(photos, 100)
    assert len(sample) == sample.total == 8
    assert sample.codec == "jpeg"
    assert sample.describe()["shapes"] == 2
    work = sample.work(8)
    assert not work.is_uniform
    assert work.encoded is not None and work.rows is not None and sample.dataset is not None
    for row, image, encoded, label in zip(work.rows, work.images, work.encoded, work.labels, strict=True):
        found = sample.dataset[int(row)]
        assert np.array_equal(image, found["image"])
        assert encoded == sample.dataset.encoded(int(row))
        assert label == found["label"]
    sample.close()


def test_the_sample_is_the_same_for_the_same_seed_and_within_the_count(photos: Path) -> None:
    first, again, other = from_source(photos, 4), from_source(photos, 4), from_source(photos, 4, seed=5)
    assert first.rows is not None and again.rows is not None and other.rows is not None
    assert first.rows.tolist() == again.rows.tolist() == sorted(first.rows.tolist())
    assert len(first) == 4
    assert first.rows.tolist() != other.rows.tolist()
    for sample in (first, again, other):
        sample.close()


def test_the_sample_stops_at_the_limit_of_memory_and_says_so(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "SAMPLE_BYTES", 1000)
    sample = from_source(photos, 8)
    assert 1 <= len(sample) < 8
    assert "no more than" in sample.notes[-1]
    sample.close()


def test_the_largest_count_keeps_a_run_below_its_limit() -> None:
    sample = built_in(1000)
    held = 1000 * 3072
    assert held + 2 * sample.largest * 3072 <= images.LARGEST_BYTES < held + 2 * (sample.largest + 1) * 3072


def test_images_that_do_not_decode_are_left_out_and_named(photos: Path) -> None:
    whole = (photos / "cats" / "1.jpg").read_bytes()
    (photos / "cats" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    sample = from_source(photos, 8)
    assert len(sample) == 7
    assert any("cats/1.jpg" in note for note in sample.notes)
    sample.close()


def test_a_folder_where_nothing_decodes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    with pytest.raises(InvalidInputError, match="can be decoded"):
        from_source(tmp_path, 5)


def test_missing_and_odd_labels_are_said(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    sample = from_source(tmp_path, 5)
    assert sample.labels.tolist() == [0]
    assert any("no labels" in note for note in sample.notes)
    sample.close()
    with pixstore.Writer(tmp_path / "store", codec="raw") as writer:
        writer.add_batch(np.zeros((2, 4, 4, 3), np.uint8), label=["dog", "cat"])
    sample = from_source(tmp_path / "store", 5)
    assert sample.labels.tolist() == [1, 0]
    assert any("not integers" in note for note in sample.notes)
    assert not sample.is_encoded
    sample.close()


def test_a_mistyped_path_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(PathNotFoundError):
        from_source(tmp_path / "absent", 5)
    assert list(tmp_path.iterdir()) == []
