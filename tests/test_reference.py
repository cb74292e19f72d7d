"""What is of the reference alone; all it shares with the native core is in test_parity.py."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from pixstore import reference


def encoded(kind: str) -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.full((10, 12, 3), 5, np.uint8)).save(target, kind)
    return target.getvalue()


@pytest.mark.parametrize(("kind", "codec"), [("PNG", reference.PNG), ("JPEG", reference.JPEG)])
def test_pillows_own_limits_have_no_say(kind: str, codec: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    out = np.empty((1, 10, 12, 3), np.uint8)
    assert reference.decode([encoded(kind)], np.array([codec], np.uint8), np.array([[10, 12, 3]], np.int32), out) == []
    assert abs(out.astype(int) - 5).max() <= 1


def test_nothing_is_read_while_pillow_is_told_to_hide_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    out = np.empty((1, 10, 12, 3), np.uint8)
    failures = reference.decode([encoded("JPEG")[:-40]], np.array([reference.JPEG], np.uint8), np.array([[10, 12, 3]], np.int32), out)
    assert "LOAD_TRUNCATED_IMAGES" in failures[0][2]


def test_usable_cpus_follow_the_quota_of_a_cgroup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference.os, "sched_getaffinity", lambda _: set(range(8)))
    for text, expected in (("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1), ("6400000 100000", 8), ("", 8)):
        monkeypatch.setattr(Path, "read_text", lambda *_, text=text, **__: text)
        assert reference.usable_cpus() == expected


def test_unfilter_undoes_wide_and_tall_images_alike() -> None:
    random = np.random.default_rng(0)
    for height, width in ((1, 50), (50, 1), (13, 29)):
        pixels = random.integers(0, 65536, (1, height, width, 3)).astype(np.uint16)
        shape = np.array([[height, width, 3]], np.int32)
        data, lengths, _ = reference.encode(pixels.view(np.uint8), shape, 2, reference.PNG)
        out = np.empty_like(pixels)
        assert reference.decode([data], np.array([reference.PNG], np.uint8), shape, out.view(np.uint8)) == []
        np.testing.assert_array_equal(out, pixels)
        assert lengths.tolist() == [len(data)]
