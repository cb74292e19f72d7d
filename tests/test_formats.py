"""Bytes that the core does not know: which images Pillow decodes, and the reasons why others are refused."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from pixstore import formats
from pixstore.headers import RecordFailedError
from pixstore.schema import Format


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def made(mode: str, size: tuple[int, int] = (7, 5)) -> Image.Image:
    """Return an image of this mode with different pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4)).astype(np.uint8)
    pixels[0, 0] = 0
    return Image.fromarray(pixels if mode == "RGBA" else pixels[:, :, :3]).convert(mode)


CASES = [
    ("bmp", made("RGB"), {}, (5, 7, 3), "uint8"),
    ("bmp", made("L"), {}, (5, 7), "uint8"),
    ("bmp", made("1"), {}, (5, 7), "uint8"),
    ("gif", made("P"), {}, (5, 7, 3), "uint8"),
    ("gif", made("P"), {"transparency": 0}, (5, 7, 4), "uint8"),
    ("ppm", made("RGB"), {}, (5, 7, 3), "uint8"),
    ("ppm", made("L"), {}, (5, 7), "uint8"),
    ("tiff", made("RGBA"), {}, (5, 7, 4), "uint8"),
    ("tiff", made("CMYK"), {}, (5, 7, 4), "uint8"),
    ("tiff", made("LA"), {}, (5, 7, 2), "uint8"),
    ("tiff", made("F"), {}, (5, 7), "float32"),
    ("tiff", made("I"), {}, (5, 7), "int32"),
    ("tiff", Image.fromarray(np.arange(35, dtype=np.uint16).reshape(5, 7) * 1000), {}, (5, 7), "uint16"),
    ("tiff", made("RGB"), {"compression": "tiff_lzw"}, (5, 7, 3), "uint8"),
    ("avif", made("RGB"), {}, (5, 7, 3), "uint8"),
    ("avif", made("RGBA"), {}, (5, 7, 4), "uint8"),
]


@pytest.mark.parametrize(("codec", "image", "options", "shape", "dtype"), CASES)
def test_allowed_formats_give_pillows_pixels(codec: str, image: Image.Image, options: dict[str, Any], shape: Any, dtype: str) -> None:
    data = saved(image, codec, **options)
    assert formats.describe(data) == Format(codec, shape, dtype)
    found = formats.decode(data, codec)
    assert (found.shape, found.dtype.name) == (shape, dtype)
    palette_as = "RGBA" if shape[2:] == (4,) else "RGB"
    expected = np.asarray(Image.open(io.BytesIO(data)).convert({"1": "L", "P": palette_as}.get(image.mode, image.mode)))
    np.testing.assert_array_equal(found, expected)


def test_grey_ppm_of_16_bits_keeps_them() -> None:
    pixels = np.arange(6, dtype=np.uint16).reshape(2, 3) * 13_000
    data = b"P5 3 2 65535\n" + pixels.astype(">u2").tobytes()
    found = formats.decode(data, "ppm")
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, pixels)


def deep_tiff() -> bytes:
    """Return a TIFF of one RGB pixel of 16 bits per sample, which Pillow reduces to 8."""
    tags = [(256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 3, 200), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 220), (277, 3, 1, 3)]
    tags += [(278, 3, 1, 1), (279, 4, 1, 6)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return (b"II*\0" + struct.pack("<I", 8) + directory).ljust(200, b"\0") + struct.pack("<3H", 16, 16, 16).ljust(20, b"\0") + bytes(6)


@pytest.mark.parametrize("data", [deep_tiff(), b"P6 1 1 65535\n" + bytes(6)], ids=["tiff", "ppm"])
def test_colour_of_16_bits_that_pillow_would_halve_is_refused(data: bytes) -> None:
    with pytest.raises(RecordFailedError, match="16-bit PNG") as caught:
        formats.describe(data)
    assert caught.value.kind == "unsupported"


@pytest.mark.parametrize("flag", [0x40, 0x60])
def test_avif_of_more_than_8_bits_that_pillow_would_cut_is_refused(flag: int) -> None:
    data = bytearray(saved(made("RGB"), "avif"))
    data[data.index(b"av1C") + 6] |= flag
    with pytest.raises(RecordFailedError, match="more than 8 bits") as caught:
        formats.describe(bytes(data))
    assert caught.value.kind == "unsupported"


REFUSED = [
    (b"", "corrupt", "is empty (0 bytes)"),
    (b"hello, world", "corrupt", "not an image (starts with 'hello, world')"),
    (b"\x00\x01\x02\x03", "corrupt", "not an image (starts with bytes 00 01 02 03)"),
    (b"\xc3\xa4\xc3", "corrupt", "not an image (starts with bytes c3 a4 c3)"),
    (b"  <!DOCTYPE html><html>", "corrupt", "HTML page: a failed download?"),
    (b"<html><body>404", "corrupt", "HTML page: a failed download?"),
    (b"version https://git-lfs.github.com/spec/v1\noid", "missing", "git lfs pull"),
    (b'<?xml version="1.0"?>\n<svg xmlns=""/>', "unsupported", "SVG is not a raster image"),
    (b"\xef\xbb\xbf<svg/>", "unsupported", "SVG is not a raster image"),
    (bytes(128) + b"DICM", "unsupported", "DICOM"),
    (b"%PDF-1.7", "unsupported", "PDF"),
    (b"PK\x03\x04rest", "unsupported", "ZIP"),
    (b"\x89HDF\r\n\x1a\n", "unsupported", "HDF5"),
    (b"\x93NUMPY\x01", "unsupported", "NumPy"),
    (b"8BPS\0\1", "unsupported", "Photoshop"),
    (b"\0\0\0\x1cftypheic", "unsupported", "HEIC"),
    (b"\x89PNG\n\x1a\n", "corrupt", "damaged signature"),
    (b"SIMPLE  =                    T", "unsupported", "FITS"),
    (b"BM\1\2\3", "corrupt", "does not decode"),
    (saved(made("RGB"), "bmp")[:80], "corrupt", "does not decode"),
    (saved(made("RGB"), "avif")[:300], "corrupt", "does not decode"),
    (saved(made("RGB"), "tiff")[:60], "corrupt", "does not decode"),
]


@pytest.mark.parametrize(("data", "kind", "reason"), REFUSED, ids=[f"{reason[:14]}-{len(data)}" for data, _, reason in REFUSED])
def test_other_bytes_are_refused_with_a_clear_reason(data: bytes, kind: str, reason: str) -> None:
    with pytest.raises(RecordFailedError) as caught:
        formats.describe(data)
    assert caught.value.kind == kind
    assert reason in caught.value.detail


@pytest.mark.parametrize("kind", ["gif", "tiff", "avif"])
def test_images_of_several_frames_are_refused(kind: str) -> None:
    data = saved(made("RGB"), kind, save_all=True, append_images=[made("RGB").rotate(180)])
    with pytest.raises(RecordFailedError, match="several frames") as caught:
        formats.describe(data)
    assert caught.value.kind == "unsupported"


@pytest.mark.parametrize(("width", "height", "kind"), [(20_000, 20_000, "limit"), (13_380, 13_380, "limit"), (10_000, 10_000, "corrupt")])
def test_pixels_above_the_limit_are_refused_before_decoding(width: int, height: int, kind: str) -> None:
    data = bytearray(saved(made("RGB"), "bmp"))
    data[18:26] = struct.pack("<ii", width, height)
    with pytest.raises(RecordFailedError) as caught:
        formats.describe(bytes(data))
    assert caught.value.kind == kind


def test_nothing_is_read_while_pillow_is_told_to_hide_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(RecordFailedError, match="LOAD_TRUNCATED_IMAGES"):
        formats.describe(saved(made("RGB"), "bmp")[:80])


def test_only_the_named_format_is_tried() -> None:
    with pytest.raises(RecordFailedError, match="does not decode"):
        formats.decode(saved(made("RGB"), "bmp"), "tiff")
    for codec in ("eps", "psd", "fpx", ""):
        with pytest.raises(RecordFailedError, match="is not known"):
            formats.decode(saved(made("RGB"), "bmp"), codec)


def test_warning_filters_are_left_as_they_were() -> None:
    before = list(warnings.filters)
    formats.describe(saved(made("RGB"), "bmp"))
    assert warnings.filters == before


def test_orientation_is_asked_of_formats_that_keep_it_and_damage_is_none() -> None:
    for code in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = code
        data = saved(made("RGB"), "AVIF", exif=exif)
        assert formats.orientation(data, "avif") == code
        assert formats.decode(data, "avif").shape == (5, 7, 3)
    assert formats.orientation(data[:25], "avif") == 1
    assert formats.orientation(data, "bmp") == 1


def test_cmyk_comes_as_rgb_where_that_is_asked_for() -> None:
    image = made("CMYK")
    found = formats.decode(saved(image, "TIFF"), "tiff", cmyk_as_rgb=True)
    np.testing.assert_array_equal(found, np.asarray(image.convert("RGB")))
    assert formats.decode(saved(made("L"), "TIFF"), "tiff", cmyk_as_rgb=True).shape == (5, 7)
