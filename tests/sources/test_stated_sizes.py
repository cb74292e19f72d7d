"""Sizes stated beside images are held against the images, and only real differences are told."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np

from pixstore.rows import Extents
from pixstore.schema import Format
from pixstore.sources.stated_sizes import formats_of, lies

sys.path.append(str(Path(__file__).parents[1]))
make = importlib.import_module("foreign_databases")


def test_images_say_what_they_are_and_damaged_ones_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(make.encoded(make.images(1)[0]))
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    paths = [str(tmp_path / name) for name in ("a.png", "b.png")]
    place = Extents(paths, np.array([1, 0], np.uint32), np.zeros(2, np.int64), np.full(2, -1, np.int64))
    assert formats_of(place) == [Format(None, None, None), Format("png", (12, 10, 3), "uint8")]


def test_differences_are_told_and_what_is_not_stated_is_not() -> None:
    colour, grey, unknown = Format("png", (4, 5, 3), "uint8"), Format("png", (4, 5), "uint8"), Format(None, None, None)
    assert lies("list", ["a", "b", "c", "d"], [(4, 5, 3), (4, 5, 1), (9, 9, 9), None], [colour, grey, unknown, colour]) == []
    assert lies("list", ["a", "b"], [(5, 4, 3), (4, 5)], [colour, colour]) == [
        "list states other sizes than 2 of 2 images have: a (5, 4, 3) is (4, 5, 3); b (4, 5) is (4, 5, 3); the images decide"
    ]
    assert "e (1, 1) is (4, 5) and 3 more; the images" in lies("list", list("abcdefgh"), [(1, 1)] * 8, [grey] * 8)[0]
