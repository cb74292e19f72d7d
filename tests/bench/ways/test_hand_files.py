from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixstore.bench.check import difference
from pixstore.bench.images import from_source
from pixstore.bench.ways.base import Work
from pixstore.bench.ways.hand_files import WAY, HandFiles, extension
from pixstore.errors import InvalidInputError


def test_images_are_numbered_png_files_and_one_csv_of_names_and_labels(work: Work, tmp_path: Path) -> None:
    WAY.store_many(tmp_path, work)
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == [f"{number:08}.png" for number in range(6)]
    assert (tmp_path / "labels.csv").read_text().splitlines()[:2] == ["00000000.png,3", "00000001.png,1"]
    with Image.open(tmp_path / "images" / "00000002.png") as image:
        assert np.array_equal(np.array(image), work.images[2])


def test_encoded_images_are_written_as_they_are(photos: Path, tmp_path: Path) -> None:
    sample = from_source(photos, 8)
    work = sample.work(8)
    WAY.store_many(tmp_path, work)
    assert [path.read_bytes() for path in sorted((tmp_path / "images").glob("*.jpg"))] == work.encoded
    sample.close()


def test_grey_images_of_sixteen_bits_come_back(work: Work, tmp_path: Path) -> None:
    grey = replace(work, images=np.random.default_rng(0).integers(0, 1 << 16, (6, 5, 4, 1), np.uint16))
    WAY.store_many(tmp_path, grey)
    assert difference(WAY.read_many(tmp_path, grey), grey, np.arange(6)) is None


@pytest.mark.parametrize(("shape", "dtype"), [((2, 5, 4, 3), np.uint16), ((2, 5, 4, 3), np.float32)])
def test_what_png_cannot_hold_is_refused(work: Work, tmp_path: Path, shape: tuple[int, ...], dtype: type) -> None:
    with pytest.raises(InvalidInputError, match="Pillow writes no PNG of"):
        WAY.store_many(tmp_path, Work(np.zeros(shape, dtype), work.labels[:2]))


def test_endings_are_those_of_the_bytes() -> None:
    assert [extension(start) for start in (b"\xff\xd8\xff\xe0", b"\x89PNG\r\n", b"RIFF")] == [".jpg", ".png", ".img"]


def test_threads_write_the_same_files(work: Work, tmp_path: Path) -> None:
    found = []
    for threads in (1, 3):
        place = tmp_path / str(threads)
        place.mkdir()
        HandFiles(threads).store_many(place, work)
        found.append({path.name: path.read_bytes() for path in place.rglob("*.*")})
    assert found[0] == found[1] and len(found[0]) == 7
