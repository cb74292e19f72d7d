"""What arrays become when they are encoded, and which are refused."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from pixstore.codec import decode
from pixstore.encoding import CODECS, encode
from pixstore.engine import FieldRecords
from pixstore.errors import InvalidInputError
from pixstore.rows import Records
from pixstore.schema import Format

RAW_DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
RAW_DTYPES += ["float16", "float32", "float64", "complex64", "complex128"]


def decoded(encoded: FieldRecords) -> Any:
    return decode(Records(encoded.slices, encoded.formats, encoded.format, lambda index: (index, str(index), "")))


def assert_same(found: Any, expected: Any) -> None:
    assert found.shape == expected.shape and found.dtype == expected.dtype
    np.testing.assert_array_equal(found.view(np.uint8) if found.size else found, expected.view(np.uint8) if found.size else expected)


@settings(max_examples=60)
@given(
    batch=st.sampled_from(RAW_DTYPES).flatmap(
        lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=5))
    )
)
def test_raw_keeps_any_shape_and_dtype_bit_for_bit(batch: np.ndarray) -> None:
    encoded = encode(batch, "raw")
    assert encoded.formats == [Format("raw", batch.shape[1:], batch.dtype.name)]
    assert_same(decoded(encoded), batch)
    singles = [np.ascontiguousarray(each).reshape(each.shape) for each in batch]
    for found, expected in zip(decoded(encode(singles, "raw")), singles, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_raw_does_not_copy_a_contiguous_batch() -> None:
    batch = np.zeros((4, 5, 6, 3), np.uint8)
    slices = encode(batch, "raw").slices
    assert np.shares_memory(np.asarray(slices.data), batch)
    assert slices.offset.tolist() == [0, 90, 180, 270] and slices.length.tolist() == [90] * 4


def test_raw_is_stored_little_endian_and_contiguous() -> None:
    batch = np.arange(24, dtype=">u2").reshape(2, 3, 4).transpose(0, 2, 1)
    encoded = encode(batch, "raw")
    assert encoded.formats[0] == Format("raw", (4, 3), "uint16")
    assert bytes(encoded.slices.views()[0] or b"") == batch[0].astype("<u2").tobytes()
    np.testing.assert_array_equal(decoded(encoded), batch)


@settings(max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    channels=st.sampled_from([(), (1,), (2,), (3,), (4,)]),
    dtype=st.sampled_from(["uint8", "uint16", ">u2"]),
    count=st.integers(0, 3),
    seed=st.integers(0, 2**31),
)
def test_png_keeps_pixels_and_the_users_shape(shape: tuple[int, int], channels: tuple[int, ...], dtype: str, count: int, seed: int) -> None:
    batch = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, (count, *shape, *channels)).astype(dtype)
    found = decoded(encode(batch, "png"))
    assert found.shape == batch.shape
    np.testing.assert_array_equal(found, batch)


def test_a_list_keeps_order_shapes_and_depths() -> None:
    random = np.random.default_rng(0)
    shapes: list[tuple[int, ...]] = [(4, 5), (4, 5, 3), (4, 5), (2, 2, 1), (7, 3, 4), (4, 5, 3)]
    images = [random.integers(0, 256, shape).astype(("uint16", "uint8")[number % 2]) for number, shape in enumerate(shapes)]
    for codec in ("png", "raw"):
        encoded = encode(images, codec)
        assert encoded.format.tolist() == [0, 1, 0, 2, 3, 1] and len(encoded.formats) == 4
        found = decoded(encoded)
        assert len(found) == 6
        for one, expected in zip(found, images, strict=True):
            assert_same(one, expected)


def test_a_list_of_equal_images_decodes_to_one_array() -> None:
    images = [np.full((3, 4, 3), number, np.uint8) for number in range(3)]
    found = decoded(encode(images, "png"))
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, images)


@pytest.mark.parametrize("shape", [(16, 24), (16, 24, 1), (16, 24, 3)])
def test_jpeg_keeps_the_users_shape(shape: tuple[int, ...]) -> None:
    batch = np.full((2, *shape), 100, np.uint8)
    encoded = encode(batch, "jpeg", quality=95)
    assert encoded.formats == [Format("jpeg", shape, "uint8")]
    found = decoded(encoded)
    assert found.shape == batch.shape and abs(found.astype(int) - 100).max() <= 2
    first = encoded.slices.views()[0]
    assert first is not None and Image.open(io.BytesIO(first), formats=("JPEG",)).size == (24, 16)


def test_level_and_quality_reach_the_codec() -> None:
    smooth = np.random.default_rng(1).integers(0, 16, (1, 80, 80, 3)).astype(np.uint8)
    assert encode(smooth, "png", level=9).slices.length[0] < encode(smooth, "png", level=1).slices.length[0]
    assert encode(smooth, "jpeg", quality=20).slices.length[0] < encode(smooth, "jpeg", quality=95).slices.length[0]


@pytest.mark.parametrize("codec", ["raw", "png", "jpeg"])
def test_nothing_encodes_to_nothing(codec: str) -> None:
    assert len(encode([], codec).slices) == 0
    empty = encode(np.zeros((0, 4, 5, 3), np.uint8), codec)
    assert len(empty.slices) == 0 and empty.formats == [Format(codec, (4, 5, 3), "uint8")]
    assert decoded(empty).shape == (0, 4, 5, 3)


REFUSED = [
    (np.zeros((1, 4, 4, 3), np.float32), "png", "float32.*PNG holds uint8 or uint16.*'raw'"),
    (np.zeros((1, 4, 4), np.bool_), "png", "bool"),
    (np.zeros((1, 4, 4, 5), np.uint8), "png", r"\(4, 4, 5\)"),
    (np.zeros((1, 4), np.uint8), "png", r"\(4,\)"),
    (np.zeros((1, 0, 4), np.uint8), "png", "no pixels"),
    (np.zeros((1, 4, 4, 3), np.uint16), "jpeg", "uint16.*JPEG holds uint8.*'png' or 'raw'"),
    (np.zeros((1, 4, 4, 4), np.uint8), "jpeg", r"\(4, 4, 4\)"),
    (np.zeros((1, 1, 65501), np.uint8), "jpeg", "image 0"),
    (np.zeros((1, 4), object), "raw", "object"),
    (np.zeros((1, 4), "U3"), "raw", "<U3"),
    (np.zeros((1, 4), "M8[s]"), "raw", "datetime64"),
    (np.zeros((1, 4), [("a", "u1")]), "raw", "'a'"),
    (np.zeros((), np.uint8), "raw", "not a batch"),
    (np.zeros((1, 4, 4), np.uint8), "bmp", "'bmp' does not encode.*raw, png, jpeg"),
    (np.zeros((1, 4, 4), np.uint8), "webp", r"WebP holds uint8 of shape \(H, W, 3\).*'png'"),
    (np.zeros((1, 4, 4, 3), np.uint16), "webp-lossless", "uint16.*WebP holds"),
    (np.zeros((1, 4, 4, 2), np.uint8), "qoi", r"\(4, 4, 2\).*QOI holds"),
    (np.zeros((1, 4, 4, 1), np.uint8), "avif", "AVIF holds"),
    (np.zeros((1, 1, 16384, 3), np.uint8), "webp", "image 0.*16383"),
    (np.zeros((1, 4), object), "zstd", "object"),
    (np.zeros((1, 4), "U3"), "lz4", "<U3"),
]


@pytest.mark.parametrize(("images", "codec", "message"), REFUSED, ids=[message[:12] for _, _, message in REFUSED])
def test_what_a_codec_cannot_hold_is_refused_with_what_to_do(images: np.ndarray, codec: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        encode(images, codec)
    if images.ndim:
        with pytest.raises(InvalidInputError, match=message):
            encode(list(images), codec)


OUT_OF_RANGE: list[tuple[str, dict[str, int]]] = [
    ("png", {"level": 0}), ("png", {"level": 13}), ("jpeg", {"quality": 0}), ("webp", {"quality": 101}), ("avif", {"quality": 101}),
    ("zstd", {"level": 20}), ("zstd", {"level": -1}), ("raw", {"level": 20}), ("lz4", {"quality": 0}),
]  # fmt: skip


@pytest.mark.parametrize(("codec", "options"), OUT_OF_RANGE)
def test_options_out_of_range_are_refused_with_their_value(codec: str, options: dict[str, int]) -> None:
    ((name, value),) = options.items()
    with pytest.raises(InvalidInputError, match=f"{name} {value} is outside 1 …"):
        encode(np.zeros((1, 2, 2, 3), np.uint8), codec, **options)


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
@settings(max_examples=40)
@given(
    batch=st.sampled_from(RAW_DTYPES).flatmap(
        lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=5))
    )
)
def test_compressed_arrays_keep_any_shape_and_dtype_bit_for_bit(codec: str, batch: np.ndarray) -> None:
    encoded = encode(batch, codec)
    assert encoded.formats == [Format(codec, batch.shape[1:], batch.dtype.name)]
    assert_same(decoded(encoded), batch)
    for found, expected in zip(decoded(encode([*batch], codec)), [*batch], strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_compressed_arrays_are_stored_little_endian(codec: str) -> None:
    batch = np.arange(24, dtype=">u2").reshape(2, 3, 4).transpose(0, 2, 1)
    encoded = encode(batch, codec)
    assert encoded.formats[0] == Format(codec, (4, 3), "uint16")
    np.testing.assert_array_equal(decoded(encoded), batch)


@pytest.mark.parametrize("codec", ["webp-lossless", "qoi"])
@pytest.mark.parametrize("channels", [3, 4])
def test_lossless_images_keep_every_sample_under_transparent_alpha_too(codec: str, channels: int) -> None:
    batch = np.random.default_rng(0).integers(0, 256, (3, 9, 7, channels)).astype(np.uint8)
    batch[0, :4, :, 3:] = 0
    batch[1, :, :, 3:] = 255
    encoded = encode(batch, codec)
    assert encoded.formats == [Format(codec.removesuffix("-lossless"), (9, 7, channels), "uint8")]
    np.testing.assert_array_equal(decoded(encoded), batch)


@pytest.mark.parametrize("codec", ["webp", "avif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_lossy_images_are_near_and_smaller_at_a_lower_quality(codec: str, channels: int) -> None:
    rows, columns = np.mgrid[:48, :64]
    image = np.stack([rows * 4, columns * 3, rows + columns, np.full_like(rows, 255)], 2).astype(np.uint8)[:, :, :channels]
    fine, coarse = (encode([image], codec, quality=quality) for quality in (95, 10))
    found = decoded(fine)
    assert found.shape == (1, *image.shape)
    assert np.abs(found[0].astype(int) - image).mean() < 4
    assert int(coarse.slices.length[0]) < int(fine.slices.length[0])


@pytest.mark.parametrize("codec", CODECS)
def test_no_images_are_encoded_as_none(codec: str) -> None:
    assert decoded(encode(np.zeros((0, 4, 5, 3), np.uint8), codec)).shape == (0, 4, 5, 3)
    assert len(encode([], codec).format) == 0


def test_more_effort_makes_zstd_smaller() -> None:
    image = np.random.default_rng(0).integers(0, 4, (1, 64, 64, 3)).astype(np.uint8)
    assert int(encode(image, "zstd", level=19).slices.length[0]) < int(encode(image, "zstd", level=1).slices.length[0]) < image.nbytes
