"""The masks of one image are one array N·H·W, and a mask that does not fit is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixstore.errors import CorruptRecordError, LimitExceededError, MissingRecordError, RecordError
from pixstore.schema import Format
from pixstore.sources.folders import mask_stacks
from pixstore.sources.folders.mask_stacks import one_error, read_stack

MASKS = np.random.default_rng(0).integers(0, 2, (3, 5, 7), np.uint8) * np.uint8(255)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, list[str]]:
    Image.new("RGBA", (7, 5)).save(tmp_path / "image.png")
    for number, mask in enumerate(MASKS):
        Image.fromarray(mask).save(tmp_path / f"{number}.png")
    return str(tmp_path / "image.png"), [str(tmp_path / f"{number}.png") for number in range(len(MASKS))]


def test_masks_are_stacked_in_the_order_of_their_files(files: tuple[str, list[str]]) -> None:
    stack, found = read_stack(*files, row=0, key="a")
    assert found == Format("raw", (3, 5, 7), "uint8") and bytes(stack) == MASKS.tobytes()


def test_no_masks_are_a_stack_of_none_as_large_as_the_image(files: tuple[str, list[str]]) -> None:
    assert read_stack(files[0], [], row=0, key="a") == (b"", Format("raw", (0, 5, 7), "uint8"))


def test_masks_of_16_bits_keep_them(files: tuple[str, list[str]]) -> None:
    wide = MASKS.astype(np.uint16) * 257
    for path, mask in zip(files[1], wide, strict=True):
        Image.fromarray(mask).save(path)
    stack, found = read_stack(*files, row=0, key="a")
    assert found.dtype == "uint16" and bytes(stack) == wide.tobytes()


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (Image.new("L", (7, 6)), "is 6 × 7 pixels, its image 5 × 7"),
        (Image.new("RGB", (7, 5)), "has 3 channels; a mask has one"),
        (Image.new("I;16", (7, 5)), "is of uint16, the mask before it of uint8"),
    ],
)
def test_wrongly_described_a_mask_that_does_not_fit_its_image_is_named(files: tuple[str, list[str]], mask: Image.Image, told: str) -> None:
    mask.save(files[1][1])
    with pytest.raises(CorruptRecordError, match=told) as caught:
        read_stack(*files, row=4, key="a")
    assert [(bad.row, bad.key, bad.place) for bad in caught.value.bad_rows] == [(4, "a", files[1][1])]


def test_files_that_cannot_be_read_are_named(files: tuple[str, list[str]]) -> None:
    Path(files[1][2]).write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(RecordError, match=r"2\.png"):
        read_stack(*files, row=0, key="a")
    Path(files[0]).unlink()
    with pytest.raises(MissingRecordError, match=r"image\.png"):
        read_stack(*files, row=0, key="a")


def test_a_stack_above_the_limit_is_refused_before_memory_is_taken(files: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_stacks, "MOST_STACK_BYTES", 3 * 35 - 1)
    with pytest.raises(LimitExceededError, match="3 masks are 105 bytes together"):
        read_stack(*files, row=0, key="a")


def test_one_error_names_each_row_once(files: tuple[str, list[str]]) -> None:
    failures = []
    for row in (1, 5):
        with pytest.raises(MissingRecordError) as caught:
            read_stack("gone.png", [], row=row, key=f"key {row}")
        failures.append(caught.value)
    error = one_error(failures, 7)
    assert isinstance(error, MissingRecordError) and [bad.row for bad in error.bad_rows] == [1, 5] and "2 of 7 stacks" in str(error)
