"""Records to arrays: uniform batches, lists, masks, checks, and errors that name every bad row."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from pixstore import codec
from pixstore.engine import FieldRecords
from pixstore.errors import (
    CorruptRecordError,
    InvalidInputError,
    LimitExceededError,
    MissingRecordError,
    ReadFailedError,
    RecordError,
    UnsupportedImageError,
)
from pixstore.rows import WHOLE_FILE, Extents, Records, Slices
from pixstore.schema import Format

UNKNOWN = Format(None, None, None)


def name(index: int) -> tuple[int, str, str]:
    return 100 + index, f"key-{index}", f"place-{index}"


def records_of(encoded: FieldRecords, **checks: Any) -> Records:
    return Records(encoded.slices, encoded.formats, encoded.format, name, **checks)


def buffers(*data: bytes, formats: tuple[Format, ...] = (UNKNOWN,)) -> Records:
    return Records([*data], formats, np.arange(len(data), dtype=np.int32) % len(formats), name)


def image(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def saved(pixels: np.ndarray, kind: str) -> bytes:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, kind)
    return target.getvalue()


# ---- arrays ----


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1), (5, 6, 3)])
def test_equal_images_come_as_one_array_of_the_shape_they_were_stored_with(shape: tuple[int, ...]) -> None:
    batch = image((4, *shape))
    for name_of_codec in ("raw", "png"):
        found = codec.decode(records_of(codec.encode(batch, name_of_codec)))
        assert isinstance(found, np.ndarray) and found.dtype == np.uint8
        np.testing.assert_array_equal(found, batch)


def test_unknown_images_are_probed_and_one_array_where_equal() -> None:
    pixels = [image((6, 5, 3), seed) for seed in range(3)]
    found = codec.decode(buffers(saved(pixels[0], "PNG"), saved(pixels[1], "BMP"), saved(pixels[2], "PNG")))
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, pixels)


def test_images_of_different_shapes_or_depths_come_as_a_list() -> None:
    pixels = [image((6, 5, 3)), image((6, 5)), image((7, 5)), image((6, 5)).astype(np.uint16) * 257]
    found = codec.decode(buffers(*(saved(each, "PNG") for each in pixels[:2]), saved(pixels[2], "BMP"), saved(pixels[3], "PNG")))
    assert isinstance(found, list)
    for one, expected in zip(found, pixels, strict=True):
        assert one.dtype == expected.dtype
        np.testing.assert_array_equal(one, expected)


def test_png_jpeg_raw_and_other_formats_mix() -> None:
    pixels = [image((8, 8, 3), seed) for seed in range(6)]
    data = [saved(pixels[0], "BMP"), saved(pixels[1], "PNG"), saved(pixels[2], "JPEG"), saved(pixels[3], "PPM"), saved(pixels[4], "TIFF")]
    known = (*(Format(each, (8, 8, 3), "uint8") for each in ("bmp", "png", "jpeg", "ppm", "tiff", "raw")),)
    found = codec.decode(buffers(*data, pixels[5].tobytes(), formats=known))
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found[[0, 1, 3, 4, 5]], [pixels[row] for row in (0, 1, 3, 4, 5)])
    np.testing.assert_array_equal(found[2], np.asarray(Image.open(io.BytesIO(data[2]))))


def test_other_formats_keep_the_shape_with_one_channel() -> None:
    pixels = image((4, 6))
    found = codec.decode(buffers(saved(pixels, "BMP"), formats=(Format("bmp", (4, 6, 1), "uint8"),)))
    np.testing.assert_array_equal(found, pixels[None, :, :, None])


def test_planar_records_come_with_channels_last() -> None:
    batch = image((3, 4, 5, 3))
    planar = np.ascontiguousarray(np.moveaxis(batch, 3, 1))
    stored = codec.encode(planar, "raw")
    found = codec.decode(Records(stored.slices, [Format("raw-planar", (4, 5, 3), "uint8")], stored.format, name))
    np.testing.assert_array_equal(found, batch)


def test_raw_big_endian_sources_keep_their_values() -> None:
    values = np.arange(6, dtype=">u2").reshape(1, 2, 3)
    found = codec.decode(buffers(values.tobytes(), formats=(Format("raw", (2, 3), ">u2"),)))
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("formats", [(Format("png", (4, 5, 3), "uint8"),), (Format("png", (4, 5, 3), "uint8"), UNKNOWN)])
def test_no_rows_give_an_empty_batch(formats: tuple[Format, ...]) -> None:
    assert np.shape(codec.decode(Records([], formats, np.zeros(0, np.int32), name))) == (0, 4, 5, 3)


def test_no_rows_of_nothing_known_give_an_empty_list() -> None:
    assert codec.decode(Records([], (), np.zeros(0, np.int32), name)) == []
    assert codec.decode(Records([], (UNKNOWN,), np.zeros(0, np.int32), name)) == []


def test_a_single_value_per_row_is_an_image_of_no_axes() -> None:
    np.testing.assert_array_equal(codec.decode(records_of(codec.encode(np.arange(3.0), "raw"))), [0.0, 1.0, 2.0])


def test_out_is_filled_and_returned() -> None:
    batch = image((4, 5, 6, 3))
    out = np.zeros_like(batch)
    assert codec.decode(records_of(codec.encode(batch, "png")), out=out) is out
    np.testing.assert_array_equal(out, batch)


@pytest.mark.parametrize("out", [np.zeros((4, 5, 6), np.uint8), np.zeros((4, 5, 6, 3), np.uint16), np.zeros((4, 3, 6, 5), np.uint8).T])
def test_out_that_does_not_fit_is_refused_with_what_is_needed(out: np.ndarray) -> None:
    with pytest.raises(InvalidInputError, match=r"uint8 of shape \(4, 5, 6, 3\) is needed"):
        codec.decode(records_of(codec.encode(image((4, 5, 6, 3)), "raw")), out=out)


def test_out_is_refused_where_images_differ() -> None:
    with pytest.raises(InvalidInputError, match="differ in shape"):
        codec.decode(records_of(codec.encode([image((2, 3)), image((3, 2))], "raw")), out=np.zeros((2, 2, 3), np.uint8))


@pytest.mark.parametrize("threads", [None, 1, 2])
@pytest.mark.parametrize("read", ["map", "pread"])
def test_extents_and_whole_files_decode(threads: int | None, read: Any, tmp_path: Path) -> None:
    pixels = [image((6, 5, 3), seed) for seed in range(5)]
    data = [saved(each, "PNG") for each in pixels]
    (tmp_path / "all.bin").write_bytes(b"".join(data))
    (tmp_path / "one.png").write_bytes(data[3])
    length = np.array([*(len(each) for each in data[:3]), WHOLE_FILE], np.int64)
    offset = np.array([0, len(data[0]), len(data[0]) + len(data[1]), 0], np.int64)
    place = Extents([str(tmp_path / "all.bin"), str(tmp_path / "one.png")], np.array([0, 0, 0, 1], np.uint32), offset, length)
    records = Records(place, (UNKNOWN,), np.zeros(4, np.int32), name)
    np.testing.assert_array_equal(codec.decode(records, threads=threads, io=read), pixels[:4])
    assert codec.fetch(records, threads=threads, io=read) == data[:4]


# ---- errors ----


def checked() -> Records:
    """Return five records with the checksums they are stored with, of which number 1 and 3 are damaged since."""
    stored = codec.encode(image((5, 4, 4, 3)), "png")
    seeds = codec.seeds("image", pa.array([f"key-{index}" for index in range(5)]))
    sums = codec.checksums(stored.slices, seeds)
    data = bytearray(stored.slices.data)
    for row in (1, 3):
        data[int(stored.slices.offset[row]) + 20] ^= 1
    damaged = Slices(bytes(data), stored.slices.offset, stored.slices.length)
    return Records(damaged, stored.formats, stored.format, name, sums, seeds)


@pytest.mark.parametrize("read", [codec.decode, codec.fetch])
def test_one_error_names_every_bad_row(read: Any) -> None:
    named = r"2 of 5 images.*'key-1' \(row 101\) in place-1: .*'key-3' \(row 103\) in place-3"
    with pytest.raises(CorruptRecordError, match=named) as caught:
        read(checked())
    assert [(bad.row, bad.key, bad.place) for bad in caught.value.bad_rows] == [(101, "key-1", "place-1"), (103, "key-3", "place-3")]


def test_a_record_filed_under_another_key_is_noticed() -> None:
    stored = codec.encode(image((2, 4, 4)), "raw")
    seeds = codec.seeds("image", pa.array(["a", "b"]))
    sums = codec.checksums(stored.slices, seeds)
    with pytest.raises(CorruptRecordError):
        codec.decode(records_of(stored, checksum=sums, seed=codec.seeds("image", pa.array(["b", "a"]))))
    with pytest.raises(CorruptRecordError):
        codec.decode(records_of(stored, checksum=sums, seed=codec.seeds("mask", pa.array(["a", "b"]))))


def test_masked_reads_keep_the_good_rows_and_zero_the_bad() -> None:
    records = checked()
    found, good, bad = codec.decode_masked(records)
    assert good.tolist() == [True, False, True, False, True] and [each.row for each in bad] == [101, 103]
    np.testing.assert_array_equal(found, np.where(good[:, None, None, None], image((5, 4, 4, 3)), 0))
    stored, good, bad = codec.fetch_masked(records)
    assert [len(each) > 0 for each in stored] == good.tolist() and [each.row for each in bad] == [101, 103]


def test_without_verify_checksums_are_not_looked_at() -> None:
    stored = codec.encode(image((2, 4, 4)), "raw")
    wrong = records_of(stored, checksum=np.zeros(2, np.uint64), seed=np.zeros(2, np.uint64))
    np.testing.assert_array_equal(codec.decode(wrong, verify=False), image((2, 4, 4)))
    assert len(codec.fetch(wrong, verify=False)) == 2


def test_masked_decode_of_unknown_records_probes_and_keeps_going() -> None:
    pixels = image((6, 5, 3))
    data = saved(pixels, "PNG")
    found, good, bad = codec.decode_masked(buffers(data, b"hello", b"", data, data[:60]))
    assert good.tolist() == [True, False, False, True, False]
    assert [each.key for each in bad] == ["key-1", "key-2", "key-4"]
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, [pixels, pixels * 0, pixels * 0, pixels, pixels * 0])


def test_masked_decode_of_different_images_gives_an_empty_array_for_what_is_none() -> None:
    pixels = [image((6, 5, 3)), image((4, 4))]
    found, good, _ = codec.decode_masked(buffers(saved(pixels[0], "BMP"), b"hello", saved(pixels[1], "BMP"), saved(pixels[1], "BMP")[:70]))
    assert good.tolist() == [True, False, True, False]
    assert isinstance(found, list) and found[1].shape == (0, 0, 3)
    np.testing.assert_array_equal(found[2], pixels[1])


def test_masked_decode_where_nothing_is_an_image() -> None:
    found, good, bad = codec.decode_masked(buffers(b"hello", b""))
    assert len(found) == 2 and not good.any() and len(bad) == 2


def test_bad_rows_of_other_formats_are_zeroed_and_named() -> None:
    known = Format("bmp", (6, 5, 3), "uint8")
    data = saved(image((6, 5, 3)), "BMP")
    other = saved(image((5, 6, 3)), "BMP")
    found, good, bad = codec.decode_masked(buffers(data, data[:80], other, formats=(known,)))
    assert good.tolist() == [True, False, False]
    assert not found[1].any() and not found[2].any()
    assert "does not decode" in bad[0].reason and "(6, 5, 3) is expected" in bad[1].reason


HUGE_HEADER = b"IHDR" + (20_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
HUGE = b"\x89PNG\r\n\x1a\n\0\0\0\r" + HUGE_HEADER + zlib.crc32(HUGE_HEADER).to_bytes(4, "big") + bytes(50)
CASES = [
    (b"", CorruptRecordError, "is empty"),
    (b"hello", CorruptRecordError, "starts with 'hello'"),
    (b"<svg/>", UnsupportedImageError, "SVG"),
    (b"version https://git-lfs.github.com/spec/v1", MissingRecordError, "git lfs pull"),
    (saved(image((9, 9)), "PNG")[:20], CorruptRecordError, "truncated"),
    (HUGE, LimitExceededError, "20000"),
]


@pytest.mark.parametrize(("data", "error", "reason"), CASES, ids=[each[2] for each in CASES])
def test_errors_are_of_the_class_of_their_kind(data: bytes, error: type[RecordError], reason: str) -> None:
    with pytest.raises(error, match=reason) as caught:
        codec.decode(buffers(data))
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("path", "offset", "length", "error"),
    [
        ("absent.bin", 0, WHOLE_FILE, MissingRecordError),
        ("ten.bin", -1, 0, MissingRecordError),
        (".", 0, WHOLE_FILE, ReadFailedError),
        ("ten.bin", 5, 6, CorruptRecordError),
        ("ten.bin", 0, 10, CorruptRecordError),
    ],
)
def test_errors_of_reading_are_of_the_class_of_their_kind(
    path: str, offset: int, length: int, error: type[RecordError], tmp_path: Path
) -> None:
    (tmp_path / "ten.bin").write_bytes(bytes(10))
    place = Extents([str(tmp_path / path)], np.zeros(1, np.uint32), np.array([offset], np.int64), np.array([length], np.int64))
    with pytest.raises(error) as caught:
        codec.decode(Records(place, (Format("png", (4, 4), "uint8"),), np.zeros(1, np.int32), name))
    assert type(caught.value) is error


def test_bad_rows_of_several_kinds_are_one_error() -> None:
    with pytest.raises(RecordError, match=r"2 of 3") as caught:
        codec.decode(buffers(b"hello", b"<svg/>", saved(image((3, 3)), "PNG")))
    assert type(caught.value) is RecordError


def test_a_missing_record_is_never_zeros() -> None:
    stored = codec.encode(image((2, 4, 4)), "raw")
    place = Slices(stored.slices.data, stored.slices.offset, np.array([16, -1], np.int64))
    with pytest.raises(MissingRecordError, match="key-1"):
        codec.decode(Records(place, stored.formats, stored.format, name))


def test_an_image_of_another_shape_than_recorded_is_an_error() -> None:
    stored = codec.encode(image((1, 4, 4, 3)), "png")
    with pytest.raises(CorruptRecordError):
        codec.decode(Records(stored.slices, [Format("png", (4, 5, 3), "uint8")], stored.format, name))


def test_an_unknown_codec_is_an_error_of_its_rows() -> None:
    with pytest.raises(UnsupportedImageError, match="'jp2' is not known"):
        codec.decode(buffers(b"abc", formats=(Format("jp2", (4, 4), "uint8"),)))
