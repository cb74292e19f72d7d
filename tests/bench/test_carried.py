"""Images written for another process are the same there, mapped; and a digest tells one reading from another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.carried import Digest, carried, carry, digest_of
from pixstore.bench.ways.base import Found, Work


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<f4"])
def test_uniform_images_come_back_mapped(dtype: str, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 200, (5, 4, 3, 3)).astype(dtype)
    again = carried(json.loads(json.dumps(carry(Work(images, np.arange(5)), tmp_path))))
    assert isinstance(again.images, np.memmap) and again.images.dtype == images.dtype
    assert np.array_equal(again.images, images)
    assert again.labels.tolist() == [0, 1, 2, 3, 4] and again.encoded is None


def test_images_of_many_sizes_and_their_encoded_bytes_come_back(mixed_work: Work, tmp_path: Path) -> None:
    encoded = [b"a", b"", b"ccc", b"dd"]
    again = carried(carry(Work(mixed_work.images, mixed_work.labels, encoded), tmp_path))
    assert not again.is_uniform and again.encoded == encoded
    for found, expected in zip(again.images, mixed_work.images, strict=True):
        assert isinstance(found, np.memmap) and np.array_equal(found, expected)


def test_images_of_two_dtypes_come_back(tmp_path: Path) -> None:
    images = [np.full((1, 3, 1), 7, np.uint8), np.full((2, 2, 3), 40_000, np.uint16)]
    again = carried(carry(Work(images, np.zeros(2, np.int64)), tmp_path))
    assert [image.dtype for image in again.images] == [np.uint8, np.uint16]
    assert all(np.array_equal(found, expected) for found, expected in zip(again.images, images, strict=True))


def test_a_digest_is_that_of_the_work_however_it_was_read(work: Work) -> None:
    order = np.array([3, 1, 0])
    digest = Digest(is_lossy=False)
    digest.add(Found([work.images[3], work.images[1]], [1, 1]))
    digest.add(Found(np.asarray(work.images)[[0]], np.array([3])))
    assert digest.text == digest_of(work, order, is_lossy=False)


@pytest.mark.parametrize("changed", ["pixel", "label", "shape", "order"])
def test_a_digest_tells_what_differs(changed: str, work: Work) -> None:
    images, labels = np.array(work.images), work.labels.copy()
    if changed == "pixel":
        images[2, 0, 0, 0] ^= 1
    elif changed == "label":
        labels[2] += 1
    elif changed == "shape":
        images = images.reshape(6, 6, 8, 3)
    order = np.arange(6)[::-1] if changed == "order" else np.arange(6)
    expected = digest_of(work, np.arange(6), is_lossy=False)
    assert digest_of(Work(images, labels), order, is_lossy=False) != expected


def test_a_lossy_way_is_held_to_sizes_and_labels() -> None:
    grey = np.zeros((2, 4, 3), np.uint8)
    with_channel = Work((grey + 9)[..., None], np.array([1, 2]))
    assert digest_of(Work(grey, np.array([1, 2])), np.arange(2), is_lossy=True) == digest_of(with_channel, np.arange(2), is_lossy=True)
    assert digest_of(Work(grey, np.array([1, 3])), np.arange(2), is_lossy=True) != digest_of(with_channel, np.arange(2), is_lossy=True)
