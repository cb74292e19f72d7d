"""What Pillow is not allowed to decide."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFile

from pixstore import reference
from pixstore.headers import JPEG, PNG


def encoded(kind: str) -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.full((10, 12, 3), 5, np.uint8)).save(target, kind)
    return target.getvalue()


@pytest.mark.parametrize(("kind", "codec"), [("PNG", PNG), ("JPEG", JPEG)])
def test_pillows_own_limits_have_no_say(kind: str, codec: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    out = np.empty((1, 10, 12, 3), np.uint8)
    assert reference.decode([encoded(kind)], np.array([codec], np.uint8), np.array([[10, 12, 3]], np.int32), out) == []
    assert abs(out.astype(int) - 5).max() <= 1


def test_nothing_is_read_while_pillow_is_told_to_hide_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    out = np.empty((1, 10, 12, 3), np.uint8)
    failures = reference.decode([encoded("JPEG")[:-40]], np.array([JPEG], np.uint8), np.array([[10, 12, 3]], np.int32), out)
    assert "LOAD_TRUNCATED_IMAGES" in failures[0][2]
