"""docs/pixels.md states how far pixels are from Pillow's: measured again on some of its images, nothing is farther."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixstore import codec

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "pixels.md"


def module() -> Any:
    """Return the program that makes the table."""
    spec = importlib.util.spec_from_file_location("pixels", PROJECT / "benchmarks" / "pixels.py")
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


PIXELS = module()
RESIZES = [resize for resize, _ in PIXELS.views((8, 8))]


def stated() -> dict[tuple[str, str], list[str]]:
    """Return the cells of the table by codec and resize."""
    lines = PAGE.read_text(encoding="utf-8").split(PIXELS.START)[1].split(PIXELS.END)[0].strip().splitlines()
    assert tuple(lines[:2]) == PIXELS.HEAD
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {(name, resize): rest for name, resize, *rest in cells}


def parsed(cell: str) -> tuple[int, float]:
    largest, _, mean = cell.partition(" / ")
    return int(largest), float(mean or 0)


def test_the_table_has_every_codec_and_resize() -> None:
    assert [*stated()] == [(name, resize) for name in PIXELS.CODECS for resize in RESIZES]


@pytest.mark.parametrize("name", PIXELS.CODECS)
def test_built_in_pictures_are_no_farther_from_pillow_than_stated(name: str) -> None:
    assert_no_farther(PIXELS.built_in()[:1], name)


@pytest.mark.parametrize("name", PIXELS.CODECS[1:])
def test_photos_are_no_farther_from_pillow_than_stated(name: str, shared_data: Path) -> None:
    path = shared_data / "kodak24" / "PhotoCD_PCD0992" / "07.png"
    assert_no_farther([np.asarray(Image.open(path).convert("RGB"))], name)


def assert_no_farther(images: list[np.ndarray], name: str) -> None:
    table = stated()
    for resize in RESIZES:
        for exact, cell in zip((True, False), table[name, resize], strict=False):
            found = PIXELS.difference(images, name, resize, PIXELS.by_pixstore(exact), PIXELS.by_pillow)
            largest, mean = parsed(cell)
            assert found.largest <= largest and found.mean <= mean, (resize, exact, found, cell)


@pytest.mark.skipif(codec.core_name() == "reference", reason="the reference decodes in full, whatever is asked for")
def test_the_measure_sees_a_difference() -> None:
    found = PIXELS.difference(PIXELS.built_in()[:1], "JPEG", "bilinear to a quarter", PIXELS.by_pixstore(False), PIXELS.by_pillow)
    assert found.largest > 0 and found.mean > 0


def test_differences_are_rounded_up() -> None:
    assert str(PIXELS.Difference(3, 0.0101)) == "3 / 0.011" and str(PIXELS.Difference(0, 0.0)) == "0"
    assert parsed("3 / 0.011") == (3, 0.011) and parsed("0") == (0, 0)


@pytest.mark.parametrize("shape", [(512, 768), (384, 512)])
def test_crops_lie_within_the_image_and_have_their_proportions(shape: tuple[int, int]) -> None:
    for top, left, height, width in PIXELS.crops(shape):
        assert top >= 0 and left >= 0 and top + height <= shape[0] and left + width <= shape[1]
        assert 0.07 < height * width / (shape[0] * shape[1]) <= 1 and abs(math.log(width / height)) < math.log(4 / 3) + 0.02
