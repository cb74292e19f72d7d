"""Reading: records as they will be stored, what is bad by row and reason, pixels within their bytes."""

from __future__ import annotations

import os
import zlib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.incoming import Encoding
from pixstore.jobs.job import Check
from pixstore.jobs.plan import make_plan
from pixstore.jobs.reading import Found, Read, find, pieces, read
from pixstore.rows import Records
from pixstore.schema import Format

KEEP = Encoding("keep", threads=1)


def read_all(dataset: pixstore.Dataset, encoding: Encoding = KEEP, check: Check = "structure", name: str = "image") -> Read:
    plan = make_plan(dataset)
    return read(find(dataset, name, plan.rows, plan.files.get(name)), encoding, check)


def stored(found: Read) -> list[bytes | None]:
    return [None if each is None else bytes(each) for each in found.records.slices.views()]


def test_kept_records_are_the_files_bytes_with_their_formats(photos: Path) -> None:
    dataset = pixstore.open(photos)
    found = read_all(dataset)
    assert stored(found) == [(photos / key).read_bytes() for key in dataset.keys.to_pylist()]
    assert found.good.all() and not found.bad_rows and found.stored == sum(len(each or b"") for each in stored(found))
    taken = found.taken(np.array([3, 1]))
    assert [(each.codec, each.shape) for each in taken.formats] == [("png", (6, 5, 3))] and taken.format.tolist() == [0, 0]
    assert [bytes(each or b"") for each in taken.slices.views()] == [stored(found)[3], stored(found)[1]]


def flipped_pixels(path: Path) -> None:
    """Change a byte of a PNG's compressed pixels and mend the chunk's CRC, so that only decoding notices."""
    data = bytearray(path.read_bytes())
    start = data.index(b"IDAT")
    length = int.from_bytes(data[start - 4 : start], "big")
    # After two bytes of zlib's header: a last block of the kind that deflate does not have.
    data[start + 6] = 0b111
    data[start + 4 + length : start + 8 + length] = zlib.crc32(data[start : start + 4 + length]).to_bytes(4, "big")
    path.write_bytes(data)


@pytest.mark.parametrize(("check", "bad"), [("none", {0}), ("structure", {0, 1}), ("decode", {0, 1, 2})])
def test_each_check_finds_what_it_promises(photos: Path, check: Check, bad: set[int]) -> None:
    files = [photos / key for key in pixstore.open(photos).keys.to_pylist()]
    files[0].write_bytes(b"no image")
    whole = files[1].read_bytes()
    files[1].write_bytes(whole[:60] + b"xx" + whole[62:])
    flipped_pixels(files[2])
    found = read_all(pixstore.open(photos), check=check)
    assert {each.row for each in found.bad_rows} == set(np.flatnonzero(~found.good).tolist()) == bad
    assert len(found.bad_rows) == len(bad) and all(each.reason and each.place.endswith(".png") for each in found.bad_rows)


@pytest.mark.parametrize("encoding", [KEEP, Encoding("raw", threads=1)])
def test_what_has_gone_or_is_another_now_is_bad(photos: Path, encoding: Encoding) -> None:
    dataset = pixstore.open(photos)
    plan = make_plan(dataset)
    files = [photos / key for key in dataset.keys.to_pylist()]
    files[2].unlink()
    files[4].write_bytes(files[5].read_bytes())
    os.utime(files[4], ns=(0, 0))
    found = read(find(dataset, "image", plan.rows, plan.files["image"]), encoding, "none")
    assert {each.row for each in found.bad_rows} == {2, 4} and np.flatnonzero(~found.good).tolist() == [2, 4]
    assert "was written to" in next(each.reason for each in found.bad_rows if each.row == 4)


@pytest.mark.parametrize("codec", ["raw", "png"])
def test_encoded_anew_is_the_same_pixels(photos: Path, codec: str) -> None:
    dataset = pixstore.open(photos)
    found = read_all(dataset, Encoding(codec, threads=1))
    assert {found.records.formats[number].codec for number in found.records.format.tolist()} == {codec}
    if codec == "raw":
        assert stored(found) == [image.tobytes() for image in dataset[:].image]
    assert found.stored == sum(path.stat().st_size for path in photos.rglob("*.png"))


def test_sample_without_a_field_is_good_and_has_none(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add(np.zeros((2, 2), np.uint8), mask=np.full((2, 2), 7, np.uint8))
        writer.add(np.zeros((2, 2), np.uint8))
        writer.add(np.zeros((2, 2), np.uint8), mask=np.full((2, 2), 9, np.uint8))
    found = read_all(pixstore.open(tmp_path / "s"), name="mask")
    assert stored(found) == [b"\7" * 4, None, b"\t" * 4] and found.good.all() and found.records.slices.length.tolist() == [4, -1, 4]
    assert found.taken(np.array([1])).formats[0].codec is None


def test_pieces_hold_no_more_pixels_than_they_may(photos: Path) -> None:
    Image.new("RGB", (100, 100)).save(photos / "cat" / "large.png")
    dataset = pixstore.open(photos)
    plan = make_plan(dataset)
    found = {"image": find(dataset, "image", plan.rows, None)}
    assert pieces(found, KEEP, 200) == [(0, 13)]
    ranges = pieces(found, Encoding("raw"), 200)
    large = dataset.row_of("cat/large.png")
    assert (large, large + 1) in ranges and max(stop - start for start, stop in ranges) == 2
    assert [row for start, stop in ranges for row in range(start, stop)] == list(range(13))
    part = found["image"].part(large, large + 1)
    assert part.count == 1 and part.present.tolist() == [0] and len(stored(read(part, KEEP, "none"))[0] or b"") > 100


def test_records_that_cannot_even_be_found_are_bad_and_the_others_arrive(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
    with h5py.File(tmp_path / "many.h5", "w") as file:
        made = file.create_dataset("images", data=images, chunks=(1, 8, 8, 3), compression="gzip")
        file.create_dataset("meta", data=np.arange(6))
        places = [made.id.get_chunk_info(number).byte_offset for number in (2, 4)]
    with open(tmp_path / "many.h5", "r+b") as opened:
        for place in places:
            opened.seek(place + 4)
            opened.write(b"\xff" * 20)
    dataset = pixstore.open(tmp_path / "many.h5")
    found = find(dataset, "image", np.arange(6), None)
    assert found.lost.tolist() == [2, 4] and found.present.tolist() == [0, 1, 3, 5] and len(found.part(3, 6).bad_rows) == 0
    whole = read(found, KEEP, "structure")
    assert np.flatnonzero(~whole.good).tolist() == [2, 4] == [each.row for each in whole.bad_rows]
    report = pixstore.convert(tmp_path / "many.h5", tmp_path / "s", durability="process", dedup=True)
    assert report.samples == 4 and [each.row for each in report.bad_rows] == [2, 4]
    assert np.array_equal(pixstore.open(tmp_path / "s")[:].image, images[[0, 1, 3, 5]])


def test_encoded_images_beside_arrays_in_the_order_of_their_source_stay_as_they_are(photos: Path) -> None:
    dataset = pixstore.open(photos)
    files = [(photos / key).read_bytes() for key in dataset.keys.to_pylist()]
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype(np.uint8)
    held = [pixels[0, :, :, ::-1].tobytes(), files[0], pixels[1, :, :, ::-1].tobytes(), b"no image", files[1]]
    formats = [Format("raw-bgr", (4, 5, 3), "uint8"), Format("png", (6, 5, 3), "uint8")]
    records = Records([*held], formats, np.array([0, 1, 0, 1, 1], np.int32), lambda row: (row, f"key-{row}", ""))
    records = replace(records, place=[held[0][:-1], *held[1:]])
    found = read(Found(records, np.array([0, 1, 3, 4, 5]), 6), KEEP, "decode")
    assert [each for each, good in zip(stored(found), found.good, strict=True) if good] == [files[0], None, pixels[1].tobytes(), files[1]]
    assert found.good.tolist() == [False, True, True, True, False, True]
    assert sorted(each.key for each in found.bad_rows) == ["key-0", "key-3"]
    taken = found.taken(np.array([1, 3, 5]))
    assert [taken.formats[number].codec for number in taken.format.tolist()] == ["png", "raw", "png"]
