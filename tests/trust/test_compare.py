"""Two datasets, sample by sample: exact counts, the first differences by key, whatever order and engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.trust.conftest import IMAGES, KEYS, fill, pixel_file

import pixstore
from pixstore.registry import ENGINES
from pixstore.trust.compare import Difference


def write(path: Path, order: list[int], *, codec: str = "keep", engine: str = "packed") -> Path:
    with pixstore.Writer(path, engine=engine, codec=codec, durability="process") as writer:
        for number in order:
            writer.add(IMAGES[number], key=KEYS[number], label=number)
    return path


def test_equal_stores_are_equal(pristine: Path, tmp_path: Path) -> None:
    other = fill(tmp_path / "other", "packed")
    found = pixstore.compare(pristine, other)
    assert found.equal and found.matched == 11 and found.samples == (11, 11) and not found.differences
    assert found.digests[0] == found.digests[1] is not None


def test_processes_find_what_threads_find(plain: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", list(range(11)))
    assert pixstore.compare(plain, other, on="processes") == pixstore.compare(plain, other)


@pytest.mark.parametrize("engine", ENGINES)
def test_order_does_not_matter(tmp_path: Path, engine: str) -> None:
    ours, theirs = write(tmp_path / "a", list(range(12))), write(tmp_path / "b", list(range(11, -1, -1)), engine=engine)
    assert pixstore.compare(ours, theirs).equal


def test_every_kind_of_difference_is_counted_and_named(plain: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", list(range(12)))
    with pixstore.Writer(other, mode="a", durability="process") as writer:
        writer.delete("key-00")
        writer.update("key-01", label=100)
        writer.update("key-02", IMAGES[3])
        writer.add(IMAGES[0], key="new", label=1)
    found = pixstore.compare(plain, other)
    assert found.counts == {("only in a", ""): 1, ("only in b", ""): 1, ("column", "label"): 1, ("bytes", "image"): 1}
    assert found.differences == [
        Difference("only in a", "key-00", "", ""), Difference("only in b", "new", "", ""),
        Difference("column", "key-01", "label", "1 against 100"), Difference("bytes", "key-02", "image", "the stored bytes differ"),
    ]  # fmt: skip
    assert not found.equal and found.matched == 11 and found.digests[0] != found.digests[1]


def test_a_column_or_field_of_one_alone_differs_where_it_has_values(plain: Path, tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "more", durability="process") as writer:
        for number, key in enumerate(KEYS):
            masks = {"mask": IMAGES[0][..., 0]} if number == 5 else {}
            writer.add(IMAGES[number], key=key, label=number, note="x" if number == 2 else None, **masks)
    found = pixstore.compare(plain, tmp_path / "more")
    assert found.counts == {("column", "note"): 1, ("bytes", "mask"): 1}
    assert [each.key for each in found.differences] == ["key-02", "key-05"]
    assert "no such column against 'x'" in str(found.differences[0]) and "one of both has none" in str(found.differences[1])


def test_counts_are_exact_beyond_the_limit(plain: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", [*range(1, 12)])
    with pixstore.Writer(other, mode="a", durability="process") as writer:
        for key in KEYS[1:]:
            writer.update(key, label=-1)
    found = pixstore.compare(plain, other, limit=3)
    assert found.counts["column", "label"] == 11 and sum(each.kind == "column" for each in found.differences) == 3


def test_pixels_tell_a_change_of_codec_from_a_change_of_pixels(plain: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "png", list(range(12)), codec="png")
    with pixstore.Writer(other, mode="a", durability="process") as writer:
        changed = IMAGES[7].copy()
        changed[0, 0, 0] ^= 4
        writer.update("key-07", changed)
        writer.update("key-08", IMAGES[8][:5])
    assert pixstore.compare(plain, other).counts == {("bytes", "image"): 12}
    found = pixstore.compare(plain, other, pixels=True)
    assert found.counts == {("pixels", "image"): 2} and found.same_pixels == 10
    assert [each.detail for each in found.differences] == ["1 of 126 values differ, by 4 at most", "6·7·3 uint8 against 5·7·3 uint8"]
    with pixstore.Writer(other, mode="a", durability="process") as writer:
        writer.update("key-07", IMAGES[7])
        writer.update("key-08", IMAGES[8])
    assert pixstore.compare(plain, other, pixels=True).equal


def test_a_folder_is_compared_with_its_store(tmp_path: Path) -> None:
    for number, name in enumerate(("cat/a.png", "cat/b.jpg", "dog/c.png")):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (5, 4), (number, 9, 9)).save(tmp_path / "photos" / name)
    pixstore.convert(tmp_path / "photos", tmp_path / "store", durability="process")
    assert pixstore.compare(tmp_path / "photos", tmp_path / "store").equal
    Image.new("RGB", (5, 4), (8, 8, 8)).save(tmp_path / "photos/cat/a.png")
    found = pixstore.compare(tmp_path / "photos", tmp_path / "store")
    assert found.counts == {("bytes", "image"): 1} and found.differences[0].key == "cat/a.png"


def test_class_names_are_compared(tmp_path: Path) -> None:
    for name, animal in (("a", "cat"), ("b", "dog")):
        (tmp_path / name / animal).mkdir(parents=True)
        Image.new("RGB", (5, 4)).save(tmp_path / name / animal / "x.png")
    with pixstore.open(tmp_path / "a") as ours, pixstore.open(tmp_path / "b") as theirs:
        assert ("classes", "label") in pixstore.compare(ours, theirs).counts
        assert len(ours) == 1, "a dataset that was handed in stays open"


def test_a_record_that_cannot_be_read_is_a_difference_of_its_own(plain: Path, tmp_path: Path, flip: Callable[[Path, int], None]) -> None:
    other = write(tmp_path / "other", list(range(12)))
    flip(pixel_file(other), 0)
    found = pixstore.compare(plain, other)
    assert found.counts == {("unreadable in b", ""): 1} and found.digests[1] is None
    assert found.differences[0].key == "key-00" and str(pixel_file(other)) in found.differences[0].detail


def test_progress_comes_to_the_samples_of_both(plain: Path) -> None:
    told: list[tuple[int, int, int]] = []
    pixstore.compare(plain, plain, progress=lambda *each: told.append(each))
    assert told[-1] == (24, 24, 0)


def test_many_small_samples_are_compared_in_bulk(tmp_path: Path) -> None:
    images = np.zeros((70_000, 1, 1, 3), np.uint8)
    for name in "ab":
        with pixstore.Writer(tmp_path / name, durability="process") as writer:
            writer.add_batch(images, label=np.arange(len(images)))
    with pixstore.Writer(tmp_path / "b", mode="a", durability="process") as writer:
        writer.update("00069999", label=-1)
    found = pixstore.compare(tmp_path / "a", tmp_path / "b")
    assert found.counts == {("column", "label"): 1} and found.differences[0].key == "00069999"
