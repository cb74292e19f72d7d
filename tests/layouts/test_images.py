"""Images as files: stored bytes untouched where their codec is wanted, everything else as PNG of the same pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.layout import Export
from pixstore.layouts.images import Kept, encoded_images


def test_bytes_of_kept_codecs_stay_and_others_become_png_with_the_same_pixels(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 7, 9, 3), np.uint8)
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        for image, codec in zip(noise, ("png", "jpeg", "raw"), strict=True):
            data = io.BytesIO()
            if codec != "raw":
                Image.fromarray(image).save(data, codec)
            writer.add(image if codec == "raw" else data.getvalue(), key=codec)
        writer.add(noise[0, :, :, 0].astype(np.uint16) * 257, key="deep")
    dataset = pixstore.open(tmp_path / "s")
    (part,) = encoded_images(Export(dataset, tmp_path / "out"), Kept({"jpeg"}))
    assert [form.codec for form in part.formats] == ["png", "jpeg", "png", "png"]
    assert part.records[1] == dataset.encoded("jpeg") and part.keys == ["png", "jpeg", "raw", "deep"]
    for row in (0, 2, 3):
        assert np.array_equal(np.array(Image.open(io.BytesIO(part.records[row] or b""))), dataset[row].image)


def test_only_raw_records_are_taken_from_what_was_fetched_and_samples_without_an_image_stay_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 7, 9), np.uint8)
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        for number, image in enumerate(noise):
            writer.add(noise[0], mask=None if number == 2 else image)
    dataset = pixstore.open(tmp_path / "s")
    (part,) = encoded_images(Export(dataset, tmp_path / "out"), Kept({"png"}), "mask")
    assert part.records[2] is None
    found = [np.array(Image.open(io.BytesIO(part.records[row] or b""))) for row in (0, 1, 3)]
    assert np.array_equal(found, noise[[0, 1, 3]])


@pytest.mark.parametrize("layout", ["folder", "hdf5", "npz"])
@pytest.mark.parametrize("is_stored", [False, True])
def test_numbers_of_the_other_byte_order_have_the_same_values_in_every_layout(tmp_path: Path, layout: str, is_stored: bool) -> None:
    images = (np.arange(2 * 8 * 9 * 3).reshape(2, 8, 9, 3) * 77).astype(">u2")
    np.save(tmp_path / "a.npy", images)
    pixstore.convert(tmp_path / "a.npy", tmp_path / "s", durability="process")
    report = pixstore.export(tmp_path / ("s" if is_stored else "a.npy"), tmp_path / "out", to=layout, check=True)
    assert report.checked.startswith("samples counted, pixels")
    found = pixstore.open(tmp_path / "out").read([0, 1], columns=[])["image"]
    assert np.array_equal(np.stack(list(found)), images)
