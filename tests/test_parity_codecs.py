"""zstd, LZ4, QOI and WebP in both cores: the same bytes are the same pixels, damage is the same kind of failure."""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pixstore.headers import LZ4, OTHER, QOI, WEBP, ZSTD

NATIVE_IS_TESTED = os.environ.get("PIXSTORE_CORE") == "native" or importlib.util.find_spec("pixstore_native") is not None
CORES = ["pixstore.reference", "pixstore_native"] if NATIVE_IS_TESTED else ["pixstore.reference"]
COMPRESSED = {"zstd": ZSTD, "lz4": LZ4}
IMAGES = {"qoi": QOI, "webp": WEBP}


@pytest.fixture(params=CORES, scope="module")
def core(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(request.param)


@pytest.fixture(params=CORES, scope="module")
def other(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(request.param)


def picture(height: int, width: int, channels: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return an image with areas of one colour, slopes, noise, and transparent pixels of different colours."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((height, width, channels), np.uint8)
    pixels[:, :, 0] = np.arange(width)
    pixels[height // 3 : 2 * height // 3, :, 1] = np.arange(width) // 2
    pixels[2 * height // 3 :, :, :3] = random.integers(0, 256, (height - 2 * height // 3, width, 3))
    if channels == 4:
        pixels[:, : width // 2, 3] = 255
        pixels[:, width // 2 :, 3] = random.integers(0, 3, (height, width - width // 2)) * 100
    return pixels


def pillow_bytes(pixels: NDArray[np.uint8], kind: str, **options: Any) -> bytes:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, kind, **options)
    return target.getvalue()


def encoded(core: Any, array: NDArray[Any], number: int, **options: Any) -> bytes:
    shape = (1, array.nbytes, 1) if number in COMPRESSED.values() else array.shape
    data, lengths, failures = core.encode([array.reshape(-1).view(np.uint8)], np.array([shape], np.int32), 1, number, **options)
    assert failures == [] and lengths.tolist() == [len(data)]
    return data


def outcome(core: Any, data: bytes, number: int, shape: tuple[int, ...], dtype: str = "uint8") -> Any:
    """Return the pixels, or the kind of the failure, whose slot must be zeros."""
    out = np.full(shape, 9, dtype)
    rows = np.array([(*shape, 1, 1)[:3]], np.int32)
    failures = core.decode([data], np.array([number], np.uint8), rows, [out.reshape(-1).view(np.uint8)])
    if failures:
        assert not out.any()
        return failures[0][1]
    return out


def kind_of(core: Any, data: bytes, number: int, shape: tuple[int, ...]) -> Any:
    found = outcome(core, data, number, shape)
    return "none" if isinstance(found, np.ndarray) else found


# ---- zstd and LZ4 ----


@pytest.mark.parametrize("number", COMPRESSED.values(), ids=[*COMPRESSED])
@settings(max_examples=25)
@given(size=st.integers(0, 3000), values=st.integers(1, 256), level=st.sampled_from([1, 3, 19]), seed=st.integers(0, 2**31))
def test_arrays_come_back_from_either_core(core: Any, other: Any, number: int, size: int, values: int, level: int, seed: int) -> None:
    array = np.random.default_rng(seed).integers(0, values, size).astype(np.uint8)
    np.testing.assert_array_equal(outcome(other, encoded(core, array, number, level=level), number, (size,)), array)


@pytest.mark.parametrize("number", COMPRESSED.values(), ids=[*COMPRESSED])
@pytest.mark.parametrize("size", [65_536, 65_537, 300_000, 5_000_000])
def test_arrays_of_several_blocks_come_back_from_either_core(core: Any, other: Any, number: int, size: int) -> None:
    array = np.zeros(size, np.uint8)
    array[: size // 2] = np.arange(size // 2) // 100
    array[-5000:] = np.random.default_rng(0).integers(0, 256, 5000)
    np.testing.assert_array_equal(outcome(other, encoded(core, array, number), number, (size,)), array)


def test_frames_are_read_by_others(core: Any) -> None:
    array = np.arange(10_000, dtype=np.int32) % 100
    for name, number in (("zstd", ZSTD), ("lz4", LZ4)):
        data = encoded(core, array, number)
        assert pa.Codec(name).decompress(data, array.nbytes, asbytes=True) == array.tobytes(), name


@pytest.mark.parametrize("number", COMPRESSED.values(), ids=[*COMPRESSED])
def test_a_frame_of_another_size_than_its_array_is_refused_before_it_is_inflated(core: Any, number: int) -> None:
    data = encoded(core, np.zeros(100_000_000, np.uint8), number)
    for size in (0, 10, 99_999_999, 100_000_001):
        assert kind_of(core, data, number, (size,)) == "mismatch"


def unsized_frames() -> list[tuple[bytes, int]]:
    """Return frames that do not say how many bytes they have."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(bytes(1000))
    zstd = sink.getvalue().to_pybytes()
    return [(zstd, ZSTD), (pa.Codec("lz4").compress(bytes(1000), asbytes=True), LZ4)]


def test_frames_that_do_not_say_their_size_are_refused(core: Any) -> None:
    for data, number in unsized_frames():
        assert kind_of(core, data, number, (1000,)) == "unsupported"


@pytest.mark.parametrize("number", COMPRESSED.values(), ids=[*COMPRESSED])
def test_records_that_are_not_one_whole_frame_are_corrupt(core: Any, number: int) -> None:
    array = np.arange(5000, dtype=np.uint8) % 50
    data = encoded(core, array, number)
    wrong = [
        b"",
        b"\x28\xb5\x2f\xfd",
        b"\x04\x22\x4d\x18",
        data[:4],
        data + b"\0",
        data + data,
        data[1:],
        b"raw bytes",
        data[:-1],
        data[:-9],
    ]
    wrong += [data[:count] for count in range(len(data))]
    assert {kind_of(core, each, number, (5000,)) for each in wrong} == {"corrupt"}


@pytest.mark.parametrize("number", COMPRESSED.values(), ids=[*COMPRESSED])
def test_the_native_cores_frames_carry_a_checksum(number: int) -> None:
    native = pytest.importorskip("pixstore_native")
    array = np.random.default_rng(0).integers(0, 256, 5000).astype(np.uint8)
    data = bytearray(encoded(native, array, number))
    for place in (100, 2000, len(data) - 1):
        damaged = bytearray(data)
        damaged[place] ^= 1
        for core in CORES:
            assert kind_of(importlib.import_module(core), bytes(damaged), number, (5000,)) == "corrupt"


def lz4_frame(blocks: list[tuple[int, bytes]], size: int, flags: int = 0x68, code: int = 0x40) -> bytes:
    head = bytes([flags, code]) + size.to_bytes(8, "little")
    body = b"".join(word.to_bytes(4, "little") + block for word, block in blocks)
    return b"\x04\x22\x4d\x18" + head + bytes([xxhash.xxh32_intdigest(head) >> 8 & 255]) + body + bytes(4)


STORED = 1 << 31
LZ4_FRAMES = {
    "plain": (lz4_frame([(STORED | 4, b"abcd")], 4), "none"),
    "empty": (lz4_frame([], 0), "none"),
    "too short a block": (lz4_frame([(STORED | 3, b"abc")], 4), "corrupt"),
    "too long a block": (lz4_frame([(STORED | 5, b"abcde")], 4), "corrupt"),
    "block beyond the end": (lz4_frame([(STORED | 1 << 30, b"abcd")], 4), "corrupt"),
    "copy from before the start": (lz4_frame([(6, b"\x11a\x09\x00\x10b")], 7), "corrupt"),
    "copy of distance 0": (lz4_frame([(6, b"\x11a\x00\x00\x10b")], 7), "corrupt"),
    "a run": (lz4_frame([(6, b"\x12a\x01\x00\x10b")], 8), "none"),
    "a run beyond the size": (lz4_frame([(8, b"\x1fa\x01\x00\xff\xff\x10b")], 8), "corrupt"),
    "ends in a copy": (lz4_frame([(4, b"\x12a\x01\x00")], 7), "corrupt"),
    "linked blocks": (lz4_frame([(STORED | 4, b"abcd")], 4, flags=0x48), "unsupported"),
    "block checksums": (lz4_frame([(STORED | 4, b"abcd")], 4, flags=0x78), "unsupported"),
    "a dictionary": (lz4_frame([(STORED | 4, b"abcd")], 4, flags=0x69), "unsupported"),
    "another version": (lz4_frame([(STORED | 4, b"abcd")], 4, flags=0xA8), "unsupported"),
    "blocks of unknown size": (lz4_frame([(STORED | 4, b"abcd")], 4, code=0x30), "corrupt"),
    "blocks of size and more": (lz4_frame([(STORED | 4, b"abcd")], 4, code=0x41), "corrupt"),
}


@pytest.mark.parametrize("name", [*LZ4_FRAMES])
def test_lz4_frames_made_by_hand(core: Any, name: str) -> None:
    data, expected = LZ4_FRAMES[name]
    size = int.from_bytes(data[6:14], "little")
    assert kind_of(core, data, LZ4, (size,)) == expected


# ---- QOI and WebP ----


@settings(max_examples=40)
@given(
    height=st.integers(1, 12), width=st.integers(1, 80), channels=st.integers(3, 4), values=st.sampled_from([1, 2, 5, 40, 256]),
    seed=st.integers(0, 2**31),
)  # fmt: skip
def test_qoi_is_the_same_in_both_cores_and_in_pillow(core: Any, height: int, width: int, channels: int, values: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, values, (height, width, channels)).astype(np.uint8)
    data = encoded(core, pixels, QOI)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)
    for each in CORES:
        np.testing.assert_array_equal(outcome(importlib.import_module(each), data, QOI, pixels.shape), pixels)
        theirs = pillow_bytes(pixels, "QOI")
        np.testing.assert_array_equal(outcome(importlib.import_module(each), theirs, QOI, pixels.shape), pixels)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("options", [{"lossless": True, "exact": True}, {"quality": 80}, {"quality": 20, "method": 6}, {"lossless": True}])
def test_webp_decodes_as_pillow_does(core: Any, channels: int, options: dict[str, Any]) -> None:
    for height, width in ((1, 1), (3, 200), (61, 47), (120, 130)):
        pixels = picture(height, width, channels, height)
        data = pillow_bytes(pixels, "WEBP", **options)
        np.testing.assert_array_equal(
            outcome(core, data, WEBP, pixels.shape), np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))[..., :channels]
        )


@pytest.mark.parametrize("channels", [3, 4])
def test_lossless_webp_keeps_every_sample(core: Any, other: Any, channels: int) -> None:
    pixels = picture(33, 47, channels)
    data = encoded(core, pixels, WEBP, lossless=True)
    np.testing.assert_array_equal(outcome(other, data, WEBP, pixels.shape), pixels)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)


def test_lossy_webp_is_the_same_file_from_both_cores() -> None:
    native, reference = pytest.importorskip("pixstore_native"), importlib.import_module("pixstore.reference")
    for quality in (30, 80):
        pixels = picture(60, 80, 3)
        found = [outcome(reference, encoded(core, pixels, WEBP, quality=quality), WEBP, pixels.shape) for core in (native, reference)]
        np.testing.assert_array_equal(*found)


def test_opaque_alpha_that_a_webp_does_not_keep_comes_back(core: Any) -> None:
    pixels = picture(8, 9, 4)
    pixels[:, :, 3] = 255
    for lossless in (True, False):
        data = encoded(core, pixels, WEBP, lossless=lossless)
        found = outcome(core, data, WEBP, pixels.shape)
        assert (found[:, :, 3] == 255).all()
        assert kind_of(core, data, WEBP, (8, 9, 1)) == "mismatch"


@pytest.mark.parametrize("channels", [3, 4])
def test_headers_say_codec_and_shape(core: Any, channels: int) -> None:
    pixels = picture(20, 30, channels)
    records = [pillow_bytes(pixels, "QOI"), pillow_bytes(pixels, "WEBP", lossless=True), pillow_bytes(pixels, "WEBP")]
    for check in ("header", "structure"):
        codecs, shapes, sample_bytes, orientations, failures = core.probe(records, check=check)
        assert failures == [] and codecs.tolist() == [QOI, WEBP, WEBP]
        assert shapes.tolist() == [[20, 30, channels]] * 3
        assert sample_bytes.tolist() == orientations.tolist() == [1, 1, 1]


@pytest.mark.parametrize("code", [1, 3, 6, 9])
def test_the_orientation_of_a_webp_is_found_behind_its_pixels(core: Any, code: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = code
    large = np.random.default_rng(0).integers(0, 256, (100, 100, 3)).astype(np.uint8)
    data = pillow_bytes(large, "WEBP", lossless=True, exif=exif)
    assert len(data) > 20_000
    assert core.probe([data])[3].tolist() == [code if code < 9 else 1]
    assert core.probe([data], check="structure")[4] == []


@pytest.mark.parametrize("kind", ["qoi", "webp"])
def test_bytes_after_the_end_are_counted(core: Any, kind: str) -> None:
    data = pillow_bytes(picture(9, 8, 3), kind.upper())
    *_, headers, failures = core.ingest([data, data + b"more"])
    assert failures == [] and headers[0].tolist() == [IMAGES[kind]] * 2
    assert headers[4].tolist() == [0, 4]


def animation() -> bytes:
    target = io.BytesIO()
    frames = [Image.fromarray(picture(9, 8, 3, seed)) for seed in range(3)]
    frames[0].save(target, "WEBP", save_all=True, append_images=frames[1:])
    return target.getvalue()


def qoi_of(width: int, height: int, channels: int = 3, body: bytes = b"", colours: int = 0) -> bytes:
    return b"qoif" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([channels, colours]) + body + bytes(7) + b"\1"


WEBP_FILE = pillow_bytes(picture(9, 8, 3), "WEBP")
BAD_HEADERS = {
    "animated webp": (animation(), "unsupported"),
    "webp cut in its header": (WEBP_FILE[:20], "corrupt"),
    "webp cut in its pixels": (WEBP_FILE[:-5], "corrupt"),
    "riff alone": (b"RIFF\4\0\0\0WEBP", "corrupt"),
    "webp without chunks": (b"RIFF\xff\0\0\0WEBP" + bytes(300), "corrupt"),
    "qoi cut in its header": (qoi_of(1, 1)[:9], "corrupt"),
    "qoi of no pixels": (qoi_of(0, 3), "unsupported"),
    "qoi of two channels": (qoi_of(1, 1, 2, b"\xc0"), "corrupt"),
    "qoi of unknown colours": (qoi_of(1, 1, 3, b"\xc0", 2), "corrupt"),
    "qoi above the limit": (qoi_of(1 << 31, 1 << 31), "limit"),
    "qoi of more pixels than its bytes can say": (qoi_of(10_000, 1_000, 3, b"\xfd" * 30), "corrupt"),
}


@pytest.mark.parametrize("name", [*BAD_HEADERS])
def test_images_that_cannot_be_stored_are_refused_by_their_headers(core: Any, name: str) -> None:
    data, kind = BAD_HEADERS[name]
    assert [each[:2] for each in core.probe([data])[4]] == [(0, kind)]


QOI_BODIES = {
    "a run": (b"\xfd", (2, 31, 3), "none"),
    "a run beyond the end": (b"\xfd", (2, 30, 3), "none"),
    "too few pixels": (b"\xc4", (2, 3, 3), "corrupt"),
    "too many pixels": (b"\xc6\xc6", (2, 3, 3), "corrupt"),
    "colours cut": (b"\xfe\1\2", (1, 1, 3), "corrupt"),
    "alpha in an image without": (b"\xff\1\2\3\4", (1, 1, 3), "corrupt"),
    "alpha": (b"\xff\1\2\3\4", (1, 1, 4), "none"),
    "alpha that comes back from what was seen": (b"\xff\1\2\3\4\x00", (1, 2, 4), "none"),
    "a place never seen": (b"\x05\xc0", (1, 2, 4), "none"),
}


@pytest.mark.parametrize("name", [*QOI_BODIES])
def test_qoi_chunks_made_by_hand(name: str) -> None:
    body, shape, expected = QOI_BODIES[name]
    data = qoi_of(shape[1], shape[0], shape[2], body)
    found = [outcome(importlib.import_module(core), data, QOI, shape) for core in CORES]
    assert ["none" if isinstance(each, np.ndarray) else each for each in found] == [expected] * len(CORES)
    assert all(np.array_equal(each, found[0]) for each in found)
    for core in CORES:
        kinds = [kind for _, kind, _ in importlib.import_module(core).probe([data], check="structure")[4]]
        assert kinds == ([] if expected == "none" else [expected])


@pytest.mark.parametrize("kind", ["qoi", "webp"])
def test_another_shape_than_asked_for_is_a_mismatch(core: Any, kind: str) -> None:
    data = pillow_bytes(picture(9, 8, 4), kind.upper())
    for shape in ((9, 8, 3), (8, 9, 4), (9, 8, 1)):
        assert kind_of(core, data, IMAGES[kind], shape) == "mismatch"
    assert kind_of(core, pillow_bytes(picture(9, 8, 3), "PNG"), IMAGES[kind], (9, 8, 3)) == "corrupt"


# ---- damage ----


SHAPE = (12, 15, 3)


def whole_records() -> dict[str, tuple[int, bytes]]:
    pixels = picture(*SHAPE)
    reference = importlib.import_module("pixstore.reference")
    found = {name: (number, encoded(reference, pixels, number)) for name, number in (COMPRESSED | IMAGES).items()}
    return {**found, "webp-lossless": (WEBP, encoded(reference, pixels, WEBP, lossless=True))}


WHOLE = whole_records()


@pytest.mark.parametrize("name", [*WHOLE])
def test_truncated_records_are_refused_cleanly(core: Any, name: str) -> None:
    number, data = WHOLE[name]
    assert {kind_of(core, data[:count], number, SHAPE) for count in range(len(data))} == {"corrupt"}


@pytest.mark.parametrize("name", [*WHOLE])
def test_random_changes_end_in_pixels_or_a_clean_failure(core: Any, name: str) -> None:
    number, data = WHOLE[name]
    random = np.random.default_rng(3)
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(random.integers(1, 4)):
            damaged[random.integers(len(damaged))] = random.integers(256)
        assert kind_of(core, bytes(damaged), number, SHAPE) in ("none", "corrupt", "mismatch", "unsupported", "limit")


@pytest.mark.parametrize("name", ["zstd", "lz4", "qoi"])
def test_changed_records_come_out_alike_in_both_cores(name: str) -> None:
    native, reference = pytest.importorskip("pixstore_native"), importlib.import_module("pixstore.reference")
    number, data = WHOLE[name]
    random = np.random.default_rng(5)
    for _ in range(300):
        damaged = bytearray(data)
        damaged[random.integers(len(damaged))] = random.integers(256)
        ours, theirs = (outcome(core, bytes(damaged), number, SHAPE) for core in (native, reference))
        assert type(ours) is type(theirs) and np.array_equal(ours, theirs), bytes(damaged).hex()


@settings(max_examples=60)
@given(body=st.binary(max_size=200))
def test_random_bytes_end_in_a_clean_failure(core: Any, body: bytes) -> None:
    starts = {ZSTD: b"\x28\xb5\x2f\xfd", LZ4: b"\x04\x22\x4d\x18", QOI: b"qoif", WEBP: b"RIFF\x40\0\0\0WEBPVP8L"}
    for number, start in starts.items():
        for data in (body, start + body):
            assert kind_of(core, data, number, SHAPE) in ("corrupt", "mismatch", "unsupported", "limit")
            codecs = core.probe([data], check="structure")[0]
            assert codecs[0] in (OTHER, QOI, WEBP)


@pytest.mark.parametrize("name", [*WHOLE])
def test_every_codec_goes_through_steps(name: str) -> None:
    number, data = WHOLE[name]
    expected = outcome(importlib.import_module(CORES[-1]), data, number, SHAPE)[:, ::-1]
    steps = [("orient", np.array([2], np.uint8)), ("crop", np.array([[1, 2]], np.int32), np.array([[8, 9]], np.int32))]
    for core in CORES:
        out = np.empty((8, 9, 3), np.uint8)
        one = np.array([1], np.uint8)
        arguments = [data], np.array([number], np.uint8), np.array([SHAPE], np.int32), one, steps, out
        assert importlib.import_module(core).load(*arguments) == []
        np.testing.assert_array_equal(out, expected[1:9, 2:11])
