"""One suite for both cores: the native one and the reference give the same results and the same kinds of failure."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

RAW, PLANAR, PNG, JPEG, RAW_BGR, RAW_PLANAR_BGR, OTHER = 0, 1, 2, 3, 4, 5, 255
SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
FORMS = ("buffers", "slices", "extents", "files")
# Where the native core is absent and not asked for, there is one core to test.
NATIVE_IS_TESTED = os.environ.get("PIXSTORE_CORE") == "native" or importlib.util.find_spec("pixstore_native") is not None
CORES = ["pixstore.reference", "pixstore_native"] if NATIVE_IS_TESTED else ["pixstore.reference"]


@pytest.fixture(params=CORES, scope="module")
def core(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(request.param)


# ---- what the tests make ----


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data), name) + data + struct.pack(">I", zlib.crc32(name + data))


def header(width: int, height: int, depth: int = 8, colour: int = 2, interlaced: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def filtered(rows: list[bytes], step: int, filters: list[int]) -> bytes:
    """Filter the rows of one pass byte by byte, as the PNG specification words it."""
    stream, above = bytearray(), bytes(len(rows[0]))
    for row, kind in zip(rows, filters, strict=True):
        stream.append(kind)
        for x, value in enumerate(row):
            left = row[x - step] if x >= step else 0
            corner = above[x - step] if x >= step else 0
            nearest = min((left, above[x], corner), key=lambda each: abs(left + above[x] - corner - each))
            stream.append((value - (0, left, above[x], (left + above[x]) // 2, nearest)[kind]) & 255)
        above = row
    return bytes(stream)


def packed_rows(samples: np.ndarray, depth: int) -> list[bytes]:
    if depth == 16:
        return [row.astype(">u2").tobytes() for row in samples]
    if depth == 8:
        return [row.astype(np.uint8).tobytes() for row in samples]
    bits = (samples[:, :, 0, None] >> np.arange(depth)[::-1]) & 1
    return [np.packbits(row.reshape(-1)).tobytes() for row in bits]


def make_png(samples: np.ndarray, depth: int, colour: int, *, interlaced: bool = False, extra: bytes = b"", seed: int = 0) -> bytes:
    """Return a PNG of these samples (height, width, samples per pixel), each row filtered at random."""
    random = np.random.default_rng(seed)
    passes = [samples]
    if interlaced:
        starts = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
        passes = [samples[y::dy, x::dx] for y, x, dy, dx in starts]
    step = max(1, depth * CHANNELS[colour] // 8)
    stream = b"".join(filtered(packed_rows(each, depth), step, random.integers(0, 5, len(each)).tolist()) for each in passes if each.size)
    data = zlib.compress(stream)
    half = len(data) // 2
    parts = [header(samples.shape[1], samples.shape[0], depth, colour, int(interlaced)), extra]
    return SIGNATURE + b"".join([*parts, chunk(b"IDAT", data[:half]), chunk(b"IDAT", data[half:]), chunk(b"IEND", b"")])


def pillow_bytes(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, kind, **options)
    return target.getvalue()


def photo(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    """Return a smooth image with a little noise, uint8, H·W for one channel."""
    y, x = np.mgrid[:height, :width]
    waves = np.stack([127 + 90 * np.sin(x / (9 + 3 * band) + y / (13 - band)) for band in range(channels)], axis=2)
    noisy = waves + np.random.default_rng(seed).normal(0, 6, waves.shape)
    pixels = noisy.clip(0, 255).astype(np.uint8)
    return pixels[:, :, 0] if channels == 1 else pixels


def place_of(records: list[bytes], form: str, folder: Path) -> Any:
    lengths = np.array([len(each) for each in records], np.int64)
    offsets = np.cumsum(lengths) - lengths
    if form == "buffers":
        return records
    if form == "slices":
        return b"".join(records), offsets, lengths
    if form == "extents":
        (folder / "a.bin").write_bytes(b"".join(records))
        (folder / "b.bin").write_bytes(b"xyz" + b"".join(records))
        file = np.arange(len(records), dtype=np.uint32) % 2
        return [str(folder / "a.bin"), str(folder / "b.bin")], file, offsets + 3 * file.astype(np.int64), lengths
    for index, record in enumerate(records):
        (folder / f"{index}.png").write_bytes(record)
    paths = [str(folder / f"{index}.png") for index in range(len(records))]
    zeros = np.zeros(len(records), np.int64)
    return paths, np.arange(len(records), dtype=np.uint32), zeros, zeros - 1


def decode_one(core: Any, data: bytes, codec: int, shape: tuple[int, int, int], dtype: str = "uint8", **options: Any) -> Any:
    out = np.full(shape, 7, dtype)
    failures = core.decode([data], np.array([codec], np.uint8), np.array([shape], np.int32), out.reshape(-1).view(np.uint8), **options)
    return out, failures


def kind_of(core: Any, data: bytes, codec: int, shape: tuple[int, int, int], **options: Any) -> str:
    """Return the kind of the one failure, after checking that the slot is zeroed."""
    out, failures = decode_one(core, data, codec, shape, **options)
    assert [index for index, _, _ in failures] == [0]
    assert not out.any()
    assert isinstance(failures[0][2], str) and failures[0][2]
    return str(failures[0][1])


# ---- pixels ----


@st.composite
def png_forms(draw: st.DrawFn) -> tuple[int, int, int, int, bool, int]:
    colour = draw(st.sampled_from(sorted(CHANNELS)))
    depth = draw(st.sampled_from(DEPTHS[colour]))
    return colour, depth, draw(st.integers(1, 12)), draw(st.integers(1, 19)), draw(st.booleans()), draw(st.integers(0, 2**31))


@settings(max_examples=60)
@given(form=png_forms())
def test_every_kind_of_png_decodes_to_its_samples(core: Any, form: tuple[int, int, int, int, bool, int]) -> None:
    colour, depth, height, width, interlaced, seed = form
    random = np.random.default_rng(seed)
    samples = random.integers(0, 1 << depth, (height, width, CHANNELS[colour]))
    palette = random.integers(0, 256, (1 << depth, 3)) if colour == 3 else None
    extra = b"" if palette is None else chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    data = make_png(samples, depth, colour, interlaced=interlaced, extra=extra, seed=seed)
    if palette is not None:
        expected = palette[samples[:, :, 0]].astype(np.uint8)
    elif depth == 16:
        expected = samples.astype(np.uint16)
    else:
        expected = (samples * (255 // ((1 << depth) - 1))).astype(np.uint8)

    codecs, shapes, sample_bytes, _, failures = core.probe([data])
    assert (failures, codecs.tolist(), shapes.tolist(), sample_bytes.tolist()) == ([], [PNG], [list(expected.shape)], [depth // 8 or 1])
    out, failures = decode_one(core, data, PNG, expected.shape, expected.dtype.name)
    assert failures == []
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(("entries", "alphas"), [(4, b"\x00\x80"), (4, b"\xff\x00\xff\xff"), (16, b"\xff" * 16), (200, b"\x05")])
def test_a_palette_with_transparency_expands_to_rgba(core: Any, entries: int, alphas: bytes) -> None:
    random = np.random.default_rng(1)
    samples = random.integers(0, entries, (5, 9, 1))
    palette = random.integers(0, 256, (entries, 3)).astype(np.uint8)
    data = make_png(samples, 8, 3, extra=chunk(b"PLTE", palette.tobytes()) + chunk(b"tRNS", alphas))
    table = np.full((entries, 4), 255, np.uint8)
    table[:, :3] = palette
    table[: len(alphas), 3] = np.frombuffer(alphas, np.uint8)
    out, failures = decode_one(core, data, PNG, (5, 9, 4))
    assert failures == []
    np.testing.assert_array_equal(out, table[samples[:, :, 0]])


@pytest.mark.parametrize(("depth", "colour", "key"), [(8, 0, b"\0\5"), (2, 0, b"\0\1"), (8, 2, b"\0\1\0\2\0\3"), (16, 2, b"\1\1\1\1\1\1")])
def test_transparency_of_grey_and_rgb_adds_no_channel(core: Any, depth: int, colour: int, key: bytes) -> None:
    samples = np.random.default_rng(2).integers(0, 1 << depth, (4, 6, CHANNELS[colour]))
    with_key, without = (make_png(samples, depth, colour, extra=extra) for extra in (chunk(b"tRNS", key), b""))
    dtype = "uint16" if depth == 16 else "uint8"
    out, failures = decode_one(core, with_key, PNG, (4, 6, CHANNELS[colour]), dtype)
    assert failures == []
    np.testing.assert_array_equal(out, decode_one(core, without, PNG, (4, 6, CHANNELS[colour]), dtype)[0])


def test_palette_numbers_beyond_the_palette_are_as_in_pillow(core: Any) -> None:
    samples = np.array([[[0], [1], [2], [250]]])
    data = make_png(samples, 8, 3, extra=chunk(b"PLTE", bytes([9, 8, 7, 1, 2, 3])))
    expected = np.asarray(Image.open(io.BytesIO(data), formats=("PNG",)).convert("RGB"))
    out, failures = decode_one(core, data, PNG, (1, 4, 3))
    assert failures == []
    np.testing.assert_array_equal(out, expected)


JPEG_OPTIONS: list[dict[str, Any]] = [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"quality": 20}]
JPEG_OPTIONS += [{"optimize": True}, {"keep_rgb": True}]
JPEG_OPTIONS += [{"restart_marker_blocks": 2}, {"progressive": True, "restart_marker_rows": 1, "subsampling": 1}]


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (17, 33), (64, 48, 3), (31, 1, 3), (1, 65, 3), (40, 30, 4)], ids=str)
@pytest.mark.parametrize("options", JPEG_OPTIONS, ids=str)
def test_jpeg_pixels_are_those_of_pillow(core: Any, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    pixels = photo(shape[0], shape[1], shape[2] if len(shape) == 3 else 1)
    target = io.BytesIO()
    Image.fromarray(pixels, "CMYK" if pixels.shape[2:] == (4,) else None).save(target, "JPEG", **options)
    data = target.getvalue()
    expected = np.asarray(Image.open(io.BytesIO(data), formats=("JPEG",)))
    full = (*shape, 1)[:3]
    codecs, shapes, _, _, failures = core.probe([data])
    assert (failures, codecs.tolist(), shapes.tolist()) == ([], [JPEG], [list(full)])
    out, failures = decode_one(core, data, JPEG, full)
    assert failures == []
    np.testing.assert_array_equal(out.reshape(expected.shape), expected)


def test_jpeg_with_flipped_bits_gives_pillows_pixels_or_fails_as_pillow_does(core: Any) -> None:
    data = pillow_bytes(photo(48, 40, 3), "JPEG", quality=80)
    random = np.random.default_rng(5)
    start = data.index(b"\xff\xda") + 14
    for _ in range(150):
        damaged = bytearray(data)
        damaged[random.integers(start, len(data) - 2)] ^= 1 << random.integers(8)
        out, failures = decode_one(core, bytes(damaged), JPEG, (48, 40, 3))
        try:
            expected = np.asarray(Image.open(io.BytesIO(damaged), formats=("JPEG",)))
        except OSError:
            assert [kind for _, kind, _ in failures] == ["corrupt"]
        else:
            assert failures == []
            np.testing.assert_array_equal(out, expected)


# ---- places ----


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("read", ["map", "pread"])
@pytest.mark.parametrize("threads", [0, 1, 3])
def test_all_places_give_the_same_records(core: Any, form: str, read: str, threads: int, tmp_path: Path) -> None:
    images = [photo(20, 30, 3, seed) for seed in range(7)]
    records = [pillow_bytes(image, "PNG") for image in images]
    place = place_of(records, form, tmp_path)
    assert core.fetch(place, io=read, threads=threads) == (records, [])
    seeds = np.arange(7, dtype=np.uint64)
    sums, failures = core.checksum(place, seeds, io=read, threads=threads)
    assert failures == [] and sums.tolist() == [xxhash.xxh3_64_intdigest(data, seed) for seed, data in enumerate(records)]
    out = np.empty((7, 20, 30, 3), np.uint8)
    one = {"codecs": np.array([PNG], np.uint8), "shapes": np.array([[20, 30, 3]], np.int32)}
    assert core.decode(place, *one.values(), out, checksums=sums, seeds=seeds, io=read, threads=threads) == []
    np.testing.assert_array_equal(out, images)


@pytest.mark.parametrize("form", FORMS)
def test_slots_of_different_sizes_are_filled_each_by_its_record(core: Any, form: str, tmp_path: Path) -> None:
    images = [photo(9, 5, 3), photo(12, 8, 1), np.arange(24, dtype=np.uint8).reshape(2, 4, 3), photo(16, 16, 3)]
    wide = np.random.default_rng(3).integers(0, 65536, (6, 7, 4))
    records = [pillow_bytes(images[0], "PNG"), pillow_bytes(images[1], "PNG"), images[2].tobytes(), pillow_bytes(images[3], "JPEG")]
    records.append(make_png(wide, 16, 6))
    slots = [np.empty(each.nbytes, np.uint8) for each in images] + [np.empty(wide.size * 2, np.uint8)]
    shapes = np.array([(9, 5, 3), (12, 8, 1), (2, 4, 3), (16, 16, 3), (6, 7, 4)], np.int32)
    failures = core.decode(place_of(records, form, tmp_path), np.array([PNG, PNG, RAW, JPEG, PNG], np.uint8), shapes, slots)
    assert failures == []
    for image, slot in zip(images[:3], slots, strict=False):
        np.testing.assert_array_equal(slot.reshape(image.shape), image)
    np.testing.assert_array_equal(slots[3], np.asarray(Image.open(io.BytesIO(records[3]))).reshape(-1))
    np.testing.assert_array_equal(slots[4].view(np.uint16).reshape(wide.shape), wide)


def test_slices_and_extents_may_repeat_and_come_in_any_order(core: Any, tmp_path: Path) -> None:
    data = bytes(range(100))
    offset, length = np.array([90, 0, 50, 0, 100], np.int64), np.array([10, 5, 1, 100, 0], np.int64)
    expected = [data[start : start + size] for start, size in zip(offset, length, strict=True)]
    path = tmp_path / "one.bin"
    path.write_bytes(data)
    assert core.fetch((data, offset, length)) == (expected, [])
    assert core.fetch((np.frombuffer(data, np.uint8), offset, length)) == (expected, [])
    assert core.fetch(([str(path)], np.zeros(5, np.uint32), offset, length)) == (expected, [])


def test_more_files_than_may_be_open_at_once(core: Any, tmp_path: Path) -> None:
    records = [bytes([index % 256, index // 256]) for index in range(1500)]
    assert core.fetch(place_of(records, "files", tmp_path)) == (records, [])


def test_no_records_at_all(core: Any) -> None:
    codecs, shapes = np.array([PNG], np.uint8), np.array([[2, 2, 3]], np.int32)
    nothing = np.zeros(0, np.int64)
    for place in ([], (b"", nothing, nothing), ([], np.zeros(0, np.uint32), nothing, nothing)):
        assert core.decode(place, codecs, shapes, np.empty((0, 2, 2, 3), np.uint8)) == []
        assert core.decode(place, codecs[:0], shapes[:0], []) == []
        assert core.fetch(place) == ([], [])
        assert [len(each) for each in core.probe(place)] == [0, 0, 0, 0, 0]
        assert len(core.checksum(place, np.zeros(0, np.uint64))[0]) == 0


@given(size=st.integers(0, 200), count=st.integers(1, 5), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_raw_copies_records_of_any_size(core: Any, size: int, count: int, seed: int) -> None:
    data = np.random.default_rng(seed).integers(0, 256, (count, size)).astype(np.uint8)
    offset = np.arange(count, dtype=np.int64) * size
    out = np.full((count, size), 9, np.uint8)
    shape = np.array([[1, 1, 1]], np.int32)
    assert core.decode((data.tobytes(), offset, np.full(count, size, np.int64)), np.array([RAW], np.uint8), shape, out) == []
    np.testing.assert_array_equal(out, data)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(5, 7, 3), (4, 4, 1), (1, 9, 4), (33, 17, 12)])
def test_planar_records_come_out_with_channels_last(core: Any, dtype: str, shape: tuple[int, int, int]) -> None:
    images = (np.random.default_rng(0).random((3, *shape)) * 255).astype(dtype)
    stored = [np.ascontiguousarray(np.moveaxis(image, 2, 0)).tobytes() for image in images]
    out = np.empty_like(images)
    assert core.decode(stored, np.array([PLANAR], np.uint8), np.array([shape], np.int32), out.reshape(-1).view(np.uint8)) == []
    np.testing.assert_array_equal(out, images)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(5, 7, 3), (4, 4, 1), (1, 9, 4), (6, 5, 2), (33, 17, 12), (1, 1, 3), (64, 61, 3)])
@pytest.mark.parametrize("planar", [False, True])
def test_records_with_blue_first_come_out_with_red_first(core: Any, dtype: str, shape: tuple[int, int, int], planar: bool) -> None:
    images = (np.random.default_rng(0).random((3, *shape)) * 255).astype(dtype)
    swapped = images[..., {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(shape[2], slice(None))]
    stored = [np.ascontiguousarray(np.moveaxis(image, 2, 0) if planar else image).tobytes() for image in swapped]
    out = np.empty_like(images)
    number = RAW_PLANAR_BGR if planar else RAW_BGR
    assert core.decode(stored, np.array([number], np.uint8), np.array([shape], np.int32), out.reshape(-1).view(np.uint8)) == []
    np.testing.assert_array_equal(out, images)


@pytest.mark.parametrize("number", [PLANAR, RAW_BGR, RAW_PLANAR_BGR])
def test_arrays_of_another_size_than_their_slot_are_refused_whatever_their_order(core: Any, number: int) -> None:
    out = np.full((2, 4, 5, 3), 9, np.uint8)
    failures = core.decode([bytes(59), bytes(61)], np.array([number], np.uint8), np.array([(4, 5, 3)], np.int32), out.reshape(-1))
    assert [(index, kind) for index, kind, _ in failures] == [(0, "mismatch"), (1, "mismatch")]
    assert not out.any()


# ---- failures ----


GOOD = make_png(photo(6, 8, 3).astype(np.int64), 8, 2)
GOOD_JPEG = pillow_bytes(photo(32, 24, 3), "JPEG")
IDAT = GOOD.index(b"IDAT")


def with_sof(data: bytes, **changed: int) -> bytes:
    """Return the JPEG with bytes of its frame header changed."""
    at = data.index(b"\xff\xc0")
    result = bytearray(data)
    for name, value in changed.items():
        result[at + {"marker": 1, "precision": 4, "height": 5, "width": 7, "components": 9}[name]] = value
    return bytes(result)


BROKEN = {
    "empty": (b"", "corrupt"),
    "text": (b"hello, this is not an image", "corrupt"),
    "signature alone": (SIGNATURE, "corrupt"),
    "cut in its header": (GOOD[:20], "corrupt"),
    "cut in half": (GOOD[: len(GOOD) // 2], "corrupt"),
    "cut before the end chunk": (GOOD[:-12], "corrupt"),
    "cut in the end chunk": (GOOD[:-3], "corrupt"),
    "bad checksum of the header": (GOOD[:29] + b"\0\0\0\0" + GOOD[33:], "corrupt"),
    "bad checksum of pixels": (GOOD[: IDAT + 6] + bytes([GOOD[IDAT + 6] ^ 4]) + GOOD[IDAT + 7 :], "corrupt"),
    "bad checksum of the end": (GOOD[:-1] + b"\0", "corrupt"),
    "bad checksum of a comment": (GOOD[:33] + chunk(b"tEXt", b"a\0b")[:-1] + b"\0" + GOOD[33:], "corrupt"),
    "no pixels": (SIGNATURE + header(8, 6) + chunk(b"IEND", b""), "corrupt"),
    "fewer pixels than said": (SIGNATURE + header(8, 6) + chunk(b"IDAT", zlib.compress(bytes(50))) + chunk(b"IEND", b""), "corrupt"),
    "pixels that do not inflate": (SIGNATURE + header(8, 6) + chunk(b"IDAT", b"\x12" * 40) + chunk(b"IEND", b""), "corrupt"),
    "unknown filter": (SIGNATURE + header(8, 6) + chunk(b"IDAT", zlib.compress(b"\x05" * 150)) + chunk(b"IEND", b""), "corrupt"),
    "depth 3": (SIGNATURE + header(8, 6, 3, 0) + GOOD[33:], "corrupt"),
    "depth 4 in colour": (SIGNATURE + header(8, 6, 4, 2) + GOOD[33:], "corrupt"),
    "colour type 5": (SIGNATURE + header(8, 6, 8, 5) + GOOD[33:], "corrupt"),
    "interlacing 2": (SIGNATURE + header(8, 6, 8, 2, 2) + GOOD[33:], "corrupt"),
    "palette missing": (SIGNATURE + header(8, 6, 8, 3) + GOOD[33:], "corrupt"),
    "no width": (SIGNATURE + header(0, 6) + GOOD[33:], "unsupported"),
    "no height": (SIGNATURE + header(8, 0) + GOOD[33:], "unsupported"),
    "too many pixels": (SIGNATURE + header(20_000, 20_000) + GOOD[33:], "limit"),
    "too wide for anything": (SIGNATURE + header(2**31, 1) + GOOD[33:], "limit"),
    "more pixels than its bytes can hold": (SIGNATURE + header(9_000, 9_000) + GOOD[33:], "corrupt"),
    "animated": (GOOD[:33] + chunk(b"acTL", struct.pack(">II", 3, 0)) + GOOD[33:], "unsupported"),
}
BROKEN_JPEGS = {
    "start alone": (b"\xff\xd8\xff", "corrupt"),
    "cut in its header": (GOOD_JPEG[:100], "corrupt"),
    "cut in half": (GOOD_JPEG[: len(GOOD_JPEG) // 2], "corrupt"),
    "without its end": (GOOD_JPEG[:-2], "corrupt"),
    "no frame": (b"\xff\xd8\xff\xd9", "corrupt"),
    "12 bits": (with_sof(GOOD_JPEG, precision=12), "unsupported"),
    "2 components": (with_sof(GOOD_JPEG, components=2), "unsupported"),
    "lossless": (with_sof(GOOD_JPEG, marker=0xC3), "unsupported"),
    "hierarchical": (with_sof(GOOD_JPEG, marker=0xC5), "unsupported"),
    "too many pixels": (with_sof(GOOD_JPEG, height=0xFA, width=0xFA), "limit"),
    "more pixels than its bytes can hold": (with_sof(GOOD_JPEG, height=0x32, width=0x32), "corrupt"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_png_fails_with_its_kind(core: Any, name: str) -> None:
    data, kind = BROKEN[name]
    assert kind_of(core, data, PNG, (6, 8, 3)) == kind


@pytest.mark.parametrize("name", BROKEN_JPEGS)
def test_broken_jpeg_fails_with_its_kind(core: Any, name: str) -> None:
    data, kind = BROKEN_JPEGS[name]
    assert kind_of(core, data, JPEG, (32, 24, 3)) == kind


def test_probe_finds_the_same_failures_in_headers(core: Any) -> None:
    names = ("signature alone", "cut in its header", "bad checksum of the header", "no pixels", "depth 3", "palette missing", "no width")
    names += ("too many pixels", "too wide for anything", "animated", "more pixels than its bytes can hold")
    in_png = [BROKEN[name] for name in names]
    in_jpeg = [data for name, data in BROKEN_JPEGS.items() if name not in ("cut in half", "without its end")]
    data = [GOOD, *(each for each, _ in in_png + in_jpeg), b"", b"text", GOOD_JPEG]
    codecs, shapes, sample_bytes, _, failures = core.probe(data)
    assert [(index, kind) for index, kind, _ in failures] == [(index + 1, kind) for index, (_, kind) in enumerate(in_png + in_jpeg)]
    assert codecs.tolist() == [PNG, *[OTHER] * (len(data) - 2), JPEG]
    assert not shapes[1:-1].any() and not sample_bytes[1:-1].any()
    assert (codecs.dtype, shapes.dtype, sample_bytes.dtype) == (np.uint8, np.int32, np.uint8)


@pytest.mark.parametrize("order", ["<", ">"])
def test_probe_reads_the_orientation_before_the_pixels(core: Any, order: str) -> None:
    def exif(code: int, tag: int = 0x0112, kind: int = 3, count: int = 1) -> bytes:
        return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IHHHIHHI", 8, 1, tag, kind, count, code, 0, 0)

    def jpeg(*segments: bytes) -> bytes:
        packed = b"".join(b"\xff\xe1" + struct.pack(">H", len(each) + 2) + each for each in segments)
        return GOOD_JPEG[:2] + packed + GOOD_JPEG[2:]

    before, after = (GOOD[:at] + chunk(b"eXIf", exif(5)) + GOOD[at:] for at in (33, len(GOOD) - 12))
    prefix = b"Exif\0\0"
    cases = [
        (jpeg(prefix + exif(6)), 6), (jpeg(b"http://ns.adobe.com/xap/1.0/\0", prefix + exif(8)), 8), (jpeg(prefix + exif(0)), 1),
        (jpeg(prefix + exif(9)), 1), (jpeg(prefix + exif(6, tag=1)), 1), (jpeg(prefix + exif(6, kind=4)), 1),
        (jpeg(prefix + exif(6, count=2)), 1), (jpeg(prefix), 1), (jpeg(prefix, prefix + exif(3)), 1),
        (jpeg(prefix + exif(2), prefix + exif(3)), 2), (before, 5), (after, 1),
        (GOOD, 1), (GOOD_JPEG, 1), (b"text", 1), (GOOD[:20], 1),
    ]  # fmt: skip
    found = core.probe([data for data, _ in cases])[3]
    assert found.dtype == np.uint8 and found.tolist() == [code for _, code in cases]


def test_probe_counts_a_palette_as_expanded(core: Any) -> None:
    palette = chunk(b"PLTE", bytes(6))
    samples = np.zeros((2, 3, 1), np.int64)
    data = [make_png(samples, 1, 3, extra=palette), make_png(samples, 1, 3, extra=palette + chunk(b"tRNS", b"\0"))]
    assert core.probe(data)[1].tolist() == [[2, 3, 3], [2, 3, 4]]


def test_text_that_would_inflate_to_much_is_not_looked_at(core: Any) -> None:
    bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(20_000_000))) + chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(20_000_000)))
    out, failures = decode_one(core, GOOD[:33] + bomb + GOOD[33:], PNG, (6, 8, 3))
    assert failures == []
    np.testing.assert_array_equal(out, photo(6, 8, 3))


def test_bytes_after_the_end_are_ignored(core: Any) -> None:
    assert decode_one(core, GOOD + bytes(1000), PNG, (6, 8, 3))[1] == []
    assert decode_one(core, GOOD_JPEG + bytes(1000), JPEG, (32, 24, 3))[1] == []


def test_bytes_between_the_segments_of_a_jpeg_are_stepped_over(core: Any) -> None:
    data = GOOD_JPEG[:2] + b"\xff\xe1\x00\x05abc" + b"junk\0" + b"\xff\xff" + GOOD_JPEG[3:]
    assert core.probe([data])[1].tolist() == [[32, 24, 3]]
    out, failures = decode_one(core, data, JPEG, (32, 24, 3))
    assert failures == []
    np.testing.assert_array_equal(out, decode_one(core, GOOD_JPEG, JPEG, (32, 24, 3))[0])


def test_limits_apply_before_decoding(core: Any) -> None:
    assert kind_of(core, GOOD, PNG, (6, 8, 3), max_pixels=47) == "limit"
    assert decode_one(core, GOOD, PNG, (6, 8, 3), max_pixels=48)[1] == []
    assert kind_of(core, GOOD, PNG, (6, 8, 3), max_bytes=len(GOOD) - 1) == "limit"
    assert decode_one(core, GOOD, PNG, (6, 8, 3), max_bytes=len(GOOD))[1] == []
    assert core.fetch([b"12345", b"1234"], max_bytes=4)[1][0][:2] == (0, "limit")
    assert core.probe([GOOD], max_pixels=47)[4][0][:2] == (0, "limit")


@pytest.mark.parametrize("shape", [(8, 6, 3), (6, 8, 4), (6, 8, 1), (1, 1, 1)])
def test_another_shape_than_expected_is_a_mismatch(core: Any, shape: tuple[int, int, int]) -> None:
    assert kind_of(core, GOOD, PNG, shape) == "mismatch"


def test_another_depth_or_size_than_expected_is_a_mismatch(core: Any) -> None:
    assert kind_of(core, make_png(np.zeros((2, 2, 1), np.int64), 16, 0), PNG, (2, 2, 1)) == "mismatch"
    assert kind_of(core, b"12345", RAW, (2, 2, 1)) == "mismatch"
    assert kind_of(core, b"12345", PLANAR, (2, 2, 1)) == "mismatch"


def test_the_codec_is_what_is_asked_for(core: Any) -> None:
    assert kind_of(core, GOOD_JPEG, PNG, (32, 24, 3)) == "corrupt"
    assert kind_of(core, GOOD, JPEG, (6, 8, 3)) == "corrupt"
    assert kind_of(core, GOOD, OTHER, (6, 8, 3)) == "unsupported"


def test_a_jpeg_without_its_tables_fails_whatever_was_decoded_before(core: Any) -> None:
    without_tables = GOOD_JPEG.replace(b"\xff\xdb", b"\xff\xe2")
    assert decode_one(core, GOOD_JPEG, JPEG, (32, 24, 3), threads=1)[1] == []
    for threads in (1, 2):
        assert kind_of(core, without_tables, JPEG, (32, 24, 3), threads=threads) == "corrupt"


def test_only_bad_rows_fail_and_all_of_them(core: Any) -> None:
    data = [GOOD, b"", GOOD, GOOD[:40], GOOD]
    out = np.full((5, 6, 8, 3), 7, np.uint8)
    failures = core.decode(data, np.array([PNG], np.uint8), np.array([[6, 8, 3]], np.int32), out)
    assert [index for index, _, _ in failures] == [1, 3]
    np.testing.assert_array_equal(out[[0, 2, 4]], [photo(6, 8, 3)] * 3)
    assert not out[[1, 3]].any()


@pytest.mark.parametrize("read", ["map", "pread"])
def test_a_wrong_checksum_is_noticed(core: Any, read: str, tmp_path: Path) -> None:
    place = place_of([GOOD, GOOD, GOOD], "extents", tmp_path)
    seeds = np.array([1, 2, 2**64 - 1], np.uint64)
    sums, _ = core.checksum(place, seeds)
    sums[1] ^= np.uint64(1)
    stored, failures = core.fetch(place, checksums=sums, seeds=seeds, io=read)
    assert [(index, kind) for index, kind, _ in failures] == [(1, "checksum")]
    assert stored == [GOOD, b"", GOOD]
    out = np.empty((3, 6, 8, 3), np.uint8)
    one = np.array([PNG], np.uint8), np.array([[6, 8, 3]], np.int32)
    assert [each[:2] for each in core.decode(place, *one, out, checksums=sums, seeds=seeds, io=read)] == [(1, "checksum")]
    assert not out[1].any()


@pytest.mark.parametrize("read", ["map", "pread"])
def test_files_that_are_missing_short_or_no_files_fail_with_their_kind(core: Any, read: str, tmp_path: Path) -> None:
    (tmp_path / "ten.bin").write_bytes(b"0123456789")
    (tmp_path / "empty.bin").write_bytes(b"")
    os.mkfifo(tmp_path / "fifo")
    names = ["ten.bin", "absent.bin", "empty.bin", "fifo", ".", "ten.bin/inside"]
    paths = [str(tmp_path / name) for name in names]
    cases = [
        (0, 0, 10, None), (0, 4, 7, "truncated"), (0, 11, 1, "truncated"), (0, 10, 0, None), (0, -1, 0, "missing"), (0, 0, -1, None),
        (1, 0, -1, "missing"), (1, 0, 5, "missing"), (2, 0, 1, "truncated"), (2, 0, -1, None), (3, 0, -1, "read"), (4, 0, -1, "read"),
        (5, 0, -1, "missing"), (0, 0, 10, None), (0, 2**62, 2**62, "truncated"), (0, 5, 2**63 - 1, "truncated"),
    ]  # fmt: skip
    file, offset, length = (np.array([case[column] for case in cases], np.int64) for column in range(3))
    place = paths, file.astype(np.uint32), offset, length
    stored, failures = core.fetch(place, io=read)
    assert [(index, kind) for index, kind, _ in failures] == [(index, case[3]) for index, case in enumerate(cases) if case[3]]
    assert stored[0] == stored[5] == b"0123456789"
    for found in (core.checksum(place, np.zeros(len(cases), np.uint64), io=read)[1], core.probe(place, io=read)[4]):
        assert [(index, kind) for index, kind, _ in found] == [(index, case[3]) for index, case in enumerate(cases) if case[3]]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission_is_a_failed_read(core: Any, tmp_path: Path) -> None:
    place = place_of([b"secret"], "files", tmp_path)
    (tmp_path / "0.png").chmod(0)
    assert core.fetch(place)[1][0][:2] == (0, "read")


def test_slices_outside_their_buffer_fail_with_their_kind(core: Any) -> None:
    offset = np.array([0, 3, 6, -1, 0, 0, 2**62], np.int64)
    length = np.array([5, 3, 0, 1, -1, 6, 2**62], np.int64)
    stored, failures = core.fetch((b"01234", offset, length))
    kinds = [(1, "truncated"), (2, "truncated"), (3, "truncated"), (4, "missing"), (5, "truncated"), (6, "truncated")]
    assert [(index, kind) for index, kind, _ in failures] == kinds
    assert stored == [b"01234", *[b""] * 6]


def test_names_that_are_not_utf8_are_opened(core: Any, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\xfe.bin"
    Path(os.fsdecode(path)).write_bytes(b"abc")
    zero = np.zeros(1, np.int64)
    assert core.fetch(([os.fsdecode(path)], np.zeros(1, np.uint32), zero, zero - 1)) == ([b"abc"], [])


def outcome(core: Any, data: bytes) -> tuple[Any, ...] | None:
    """Return codec, shape, depth and pixels; None where probing or decoding fails."""
    codecs, shapes, sample_bytes, _, failures = core.probe([data])
    if failures or codecs[0] == OTHER:
        return None
    out = np.empty(shapes[0], "uint16" if sample_bytes[0] == 2 else "uint8")
    failures = core.decode([data], codecs, shapes, out.reshape(-1).view(np.uint8))
    return None if failures else (int(codecs[0]), out.shape, out.dtype.name, out.tobytes())


@pytest.mark.skipif(not NATIVE_IS_TESTED, reason="pixstore_native is not installed")
@pytest.mark.parametrize("kind", ["png", "deep png", "palette png", "jpeg", "progressive jpeg", "grey jpeg"])
def test_damaged_files_come_out_alike_in_both_cores(kind: str) -> None:
    native, reference = importlib.import_module("pixstore_native"), importlib.import_module("pixstore.reference")
    palette = chunk(b"PLTE", bytes(range(48))) + chunk(b"tRNS", bytes(range(5)))
    data = {
        "png": GOOD,
        "deep png": make_png(np.random.default_rng(0).integers(0, 65536, (5, 7, 3)), 16, 2, interlaced=True),
        "palette png": make_png(np.random.default_rng(0).integers(0, 16, (5, 7, 1)), 4, 3, extra=palette),
        "jpeg": GOOD_JPEG,
        "progressive jpeg": pillow_bytes(photo(24, 40, 3), "JPEG", progressive=True),
        "grey jpeg": pillow_bytes(photo(24, 40, 1), "JPEG"),
    }[kind]
    random = np.random.default_rng(7)
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(random.integers(1, 3)):
            damaged[random.integers(len(damaged))] = random.integers(256)
        if random.random() < 0.2:
            del damaged[random.integers(len(damaged)) :]
        assert outcome(native, bytes(damaged)) == outcome(reference, bytes(damaged)), bytes(damaged).hex()


# ---- encoding ----


@settings(max_examples=40)
@given(
    count=st.integers(1, 4), height=st.integers(1, 12), width=st.integers(1, 12), channels=st.integers(1, 4),
    dtype=st.sampled_from(["uint8", "uint16"]), level=st.integers(1, 12), seed=st.integers(0, 2**31),
)  # fmt: skip
def test_png_round_trip(core: Any, count: int, height: int, width: int, channels: int, dtype: str, level: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, (count, height, width, channels)).astype(dtype)
    shape = np.array([[height, width, channels]], np.int32)
    data, lengths, failures = core.encode(pixels.reshape(-1).view(np.uint8), shape, pixels.dtype.itemsize, PNG, level=level)
    assert failures == [] and lengths.sum() == len(data) and lengths.dtype == np.int64
    place = data, np.cumsum(lengths) - lengths, lengths
    reference = importlib.import_module("pixstore.reference")
    for reader in (core, reference):
        out = np.empty_like(pixels)
        assert reader.decode(place, np.array([PNG], np.uint8), shape, out.reshape(-1).view(np.uint8)) == []
        np.testing.assert_array_equal(out, pixels)
    if dtype == "uint8" or channels == 1:
        theirs = np.asarray(Image.open(io.BytesIO(data[: lengths[0]])))
        np.testing.assert_array_equal(theirs.reshape(pixels[0].shape), pixels[0])


def test_png_of_a_photo_compresses(core: Any) -> None:
    image = photo(64, 64, 3)
    shape = np.array([image.shape], np.int32)
    fast = core.encode(image, shape, 1, PNG, level=1)[1][0]
    small = core.encode(image, shape, 1, PNG, level=9)[1][0]
    assert small <= fast < 0.9 * image.nbytes


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_round_trip_is_close_and_quality_counts(core: Any, channels: int) -> None:
    images = np.stack([photo(40, 56, channels, seed).reshape(40, 56, channels) for seed in range(3)])
    shape = np.array([[40, 56, channels]], np.int32)
    sizes = []
    for quality, error in ((95, 6), (30, 14)):
        data, lengths, failures = core.encode(images, shape, 1, JPEG, quality=quality)
        assert failures == []
        for index, end in enumerate(np.cumsum(lengths).tolist()):
            theirs = np.asarray(Image.open(io.BytesIO(data[end - lengths[index] : end]), formats=("JPEG",)))
            assert abs(theirs.reshape(images[0].shape).astype(int) - images[index]).mean() < error
        sizes.append(len(data))
    assert sizes[0] > 1.5 * sizes[1]


def test_images_of_different_shapes_are_encoded_in_order(core: Any) -> None:
    images = [photo(3, 4, 3), photo(9, 2, 1), photo(5, 5, 4)]
    shapes = np.array([(3, 4, 3), (9, 2, 1), (5, 5, 4)], np.int32)
    data, lengths, failures = core.encode([np.ascontiguousarray(each).reshape(-1) for each in images], shapes, 1, PNG)
    assert failures == []
    for image, end, length in zip(images, np.cumsum(lengths).tolist(), lengths.tolist(), strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data[end - length : end]))), image)


def test_what_a_codec_cannot_hold_is_a_failure_of_that_image(core: Any) -> None:
    images = [np.zeros(12, np.uint8), np.zeros(20, np.uint8), np.zeros(0, np.uint8)]
    shapes = np.array([(2, 2, 3), (2, 2, 5), (0, 4, 3)], np.int32)
    data, lengths, failures = core.encode(images, shapes, 1, PNG)
    assert [(index, kind) for index, kind, _ in failures] == [(1, "unsupported"), (2, "unsupported")]
    assert lengths.tolist() == [len(data), -1, -1]
    assert core.encode([np.zeros(16, np.uint8)], np.array([(2, 2, 4)], np.int32), 1, JPEG)[2][0][1] == "unsupported"
    assert core.encode([np.zeros(8, np.uint8)], np.array([(2, 2, 1)], np.int32), 2, JPEG)[2][0][1] == "unsupported"
    assert core.encode([np.zeros(65501, np.uint8)], np.array([(1, 65501, 1)], np.int32), 1, JPEG)[2][0][1] == "unsupported"


# ---- hashes ----


@given(data=st.binary(max_size=600), seed=st.integers(0, 2**64 - 1))
@settings(max_examples=60)
def test_hash_bytes_is_xxh3(core: Any, data: bytes, seed: int) -> None:
    assert core.hash_bytes(data, seed) == xxhash.xxh3_64_intdigest(data, seed)
    assert core.hash_bytes(np.frombuffer(data, np.uint8)) == xxhash.xxh3_64_intdigest(data)


@given(words=st.lists(st.binary(max_size=300), max_size=8), prefix=st.binary(max_size=20), skip=st.integers(0, 5))
@settings(max_examples=40)
def test_hash_strings_is_xxh3_of_prefix_and_string(core: Any, words: list[bytes], prefix: bytes, skip: int) -> None:
    offsets = skip + np.cumsum([0, *(len(word) for word in words)]).astype(np.int64)
    found = core.hash_strings(prefix, bytes(skip) + b"".join(words), offsets)
    assert found.dtype == np.uint64
    assert found.tolist() == [xxhash.xxh3_64_intdigest(prefix + word) for word in words]


@pytest.mark.parametrize("offsets", [[0, 4], [-1, 2], [2, 1, 3]])
def test_hash_strings_refuses_offsets_outside_the_data(core: Any, offsets: list[int]) -> None:
    with pytest.raises(ValueError):
        core.hash_strings(b"", b"abc", np.array(offsets, np.int64))


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 5000])
def test_hash_tiles_covers_every_byte(core: Any, size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size).astype(np.uint8).tobytes()
    expected = [xxhash.xxh3_64_intdigest(data[start : start + 1000]) for start in range(0, size, 1000)]
    assert core.hash_tiles(data, 1000).tolist() == expected


def test_addresses_are_those_of_the_memory(core: Any) -> None:
    array = np.arange(10, dtype=np.uint8)
    found = core.addresses([array, memoryview(array)[3:], b"abc"])
    assert found.dtype == np.uint64
    assert found[:2].tolist() == [array.ctypes.data, array.ctypes.data + 3]


# ---- arguments ----


def test_functions_are_those_of_the_stub(core: Any) -> None:
    stub = Path(__file__).parents[1] / "native" / "python" / "pixstore_native.pyi"
    described = {node.name: node.args for node in ast.parse(stub.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)}
    assert len(described) == 18
    for name, expected in described.items():
        found = inspect.signature(getattr(core, name)).parameters.values()
        names = [each.name for each in found if each.kind is not inspect.Parameter.KEYWORD_ONLY]
        assert names == [each.arg for each in expected.args], name
        by_keyword = [each.name for each in found if each.kind is inspect.Parameter.KEYWORD_ONLY]
        assert by_keyword == [each.arg for each in expected.kwonlyargs], name
        defaults = [eval(ast.unparse(each)) for each in [*expected.defaults, *expected.kw_defaults] if each is not None]
        said = [each.default for each in found if each.default is not inspect.Parameter.empty]
        # A compiled function shows only simple defaults, others as "...".
        assert [default if say is ... else say for say, default in zip(said, defaults, strict=True)] == defaults, name


def test_buffers_that_do_not_fit_the_records_are_refused(core: Any) -> None:
    codecs, shapes = np.array([RAW], np.uint8), np.array([[1, 1, 1]], np.int32)
    with pytest.raises(ValueError):
        core.decode([b"1", b"2"], codecs, shapes, np.empty(3, np.uint8))
    with pytest.raises(ValueError):
        core.decode([b"1", b"2"], codecs, shapes, [np.empty(1, np.uint8)])
    with pytest.raises(ValueError):
        core.decode([b"1"], codecs, shapes, bytes(1))
    with pytest.raises(ValueError):
        core.decode([b"1", b"2", b"3"], np.array([RAW, RAW], np.uint8), shapes, np.empty(3, np.uint8))


def test_info_names_version_profile_and_libraries(core: Any) -> None:
    found = core.info()
    assert found["profile"] in ("release", "debug")
    assert isinstance(found["version"], str) and isinstance(found["simd"], str)
    assert found["libraries"] and all(isinstance(version, str) for version in found["libraries"].values())


def test_usable_cpus_follow_the_affinity(core: Any) -> None:
    assert 1 <= core.usable_cpus() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_released_files_are_mapped_no_longer_and_still_read(core: Any, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    paths = [str(tmp_path / "kept" / "a"), str(tmp_path / "b")]
    for path in paths:
        Path(path).write_bytes(bytes(2 << 20))
    place = (paths, np.arange(2, dtype=np.uint32), np.zeros(2, np.int64), np.full(2, 1 << 20, np.int64))
    assert [len(each) for each in core.fetch(place)[0]] == [1 << 20] * 2
    core.release(str(tmp_path / "kept"))
    maps = Path("/proc/self/maps").read_text()
    assert paths[0] not in maps
    assert core.__name__ == "pixstore.reference" or paths[1] in maps
    assert [len(each) for each in core.fetch(place)[0]] == [1 << 20] * 2
    core.release(str(tmp_path))
    assert paths[1] not in Path("/proc/self/maps").read_text()
