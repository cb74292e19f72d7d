"""The proof of an export: an image, a label or a sample that is not there as it was is found, and nothing is kept of the export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.errors import CorruptStoreError
from pixstore.layouts import folder, tutorial_png

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 6, 7, 3), np.uint8)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with pixstore.Writer(tmp_path / "in", codec="png", durability="process") as writer:
        writer.add_batch(IMAGES, label=np.arange(6) % 3)
    return tmp_path / "in"


def spoilt(monkeypatch: pytest.MonkeyPatch, layout: Any, spoil: Any) -> None:
    """Have something go wrong after a layout has written everything."""
    real = type(layout).write

    def write(self: Any, export: Any) -> None:
        real(self, export)
        spoil(export.place)

    monkeypatch.setattr(type(layout), "write", write)


def test_one_changed_pixel_is_found_and_its_sample_named(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(place: Path) -> None:
        image = IMAGES[4].copy()
        image[3, 3, 1] ^= 1
        Image.fromarray(image).save(place / "4.png")

    spoilt(monkeypatch, tutorial_png.LAYOUT, spoil)
    with pytest.raises(
        CorruptStoreError, match=r"out: the export was read again, and the image or label of '00000004' is not there as it was"
    ):
        pixstore.export(store, tmp_path / "out", to="tutorial-png", accept="all", check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_samples_without_an_image_are_left_out_of_the_comparison_and_the_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pixstore.Writer(tmp_path / "in", codec="png", durability="process") as writer:
        for number, image in enumerate(IMAGES):
            writer.add(None if number == 2 else image, mask=image[:, :, 0], label=number)
    report = pixstore.export(tmp_path / "in", tmp_path / "a", to="tutorial-png", accept="all", check=True)
    assert report.samples == 5 and report.checked == "samples counted, pixels of image and labels compared"
    spoilt(monkeypatch, tutorial_png.LAYOUT, lambda place: (place / "2.png").write_bytes((place / "3.png").read_bytes()))
    with pytest.raises(CorruptStoreError, match="'00000003' is not there as it was"):
        pixstore.export(tmp_path / "in", tmp_path / "b", to="tutorial-png", accept="all", check=True)


def test_two_labels_in_the_wrong_place_are_found(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt(monkeypatch, tutorial_png.LAYOUT, lambda place: (place / "6.csv").write_text("1\n0\n2\n0\n1\n2\n"))
    with pytest.raises(CorruptStoreError, match="'00000000'"):
        pixstore.export(store, tmp_path / "out", to="tutorial-png", accept="all", check=True)


def test_a_sample_too_few_is_found_without_asking_for_a_check(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(place: Path) -> None:
        (place / "metadata.csv").unlink()
        (place / "0" / "00000003.png").unlink()

    spoilt(monkeypatch, folder.LAYOUT, spoil)
    with pytest.raises(CorruptStoreError, match="5 samples are there, 6 were written"):
        pixstore.export(store, tmp_path / "out", to="folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_the_same_images_twice_are_no_difference_and_one_of_them_less_is(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pixstore.Writer(tmp_path / "twins", codec="png", durability="process") as writer:
        writer.add_batch(IMAGES[[0, 0, 1]], label=[1, 1, 1])
    assert pixstore.export(tmp_path / "twins", tmp_path / "a", to="folder", check=True).checked.endswith("labels compared")
    spoilt(monkeypatch, tutorial_png.LAYOUT, lambda place: (place / "1.png").write_bytes((place / "2.png").read_bytes()))
    with pytest.raises(CorruptStoreError, match="not there as it was"):
        pixstore.export(tmp_path / "twins", tmp_path / "b", to="tutorial-png", accept="all", check=True)


@pytest.mark.parametrize(("shape", "to", "told"), [((4, 5, 1), "folder", "H·W·1 and are H·W "), ((4, 5), "hdf5", "H·W and are H·W·1 ")])
def test_an_axis_that_comes_or_goes_is_told(tmp_path: Path, shape: tuple[int, ...], to: str, told: str) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, *shape), np.uint8))
    notes = pixstore.export(tmp_path / "a.npy", tmp_path / "out", to=to, accept="all").notes
    assert [note for note in notes if f"image: images of one channel were {told}" in note]


def test_images_of_three_channels_have_no_note_of_axes(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4, 5, 3), np.uint8))
    assert not [note for note in pixstore.export(tmp_path / "a.npy", tmp_path / "out", to="folder").notes if "channel" in note]
