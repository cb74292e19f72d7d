"""Real images made by others: pixels equal Pillow's, or PngSuite's expected ones, through either core."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixstore import codec
from pixstore.errors import RecordError
from pixstore.rows import WHOLE_FILE, Extents, Records
from pixstore.schema import Format

# Where the native core is absent and not asked for, there is one core to test.
NATIVE_IS_TESTED = os.environ.get("PIXSTORE_CORE") == "native" or importlib.util.find_spec("pixstore_native") is not None
CORES = ["pixstore.reference", "pixstore_native"] if NATIVE_IS_TESTED else ["pixstore.reference"]

ALPHA_NOT_EXPANDED = {"tbbn0g04", "tbwn0g16", "tbbn2c16", "tbgn2c16", "tbrn2c08"}
"""tRNS on grey and RGB: PngSuite gives an alpha channel, we keep the file's channels, as Pillow does."""
DAMAGED_SIGNATURE = {"xcrn0g04", "xlfn0g04", "xs1n0g01", "xs2n0g01", "xs4n0g01", "xs7n0g01"}


@pytest.fixture(params=CORES, scope="module")
def core(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(request.param)


def read(core: Any, path: Path) -> tuple[np.ndarray | None, str]:
    """Return the pixels, or None and the kind of the failure; "other" where neither PNG nor JPEG is recognised."""
    zero = np.zeros(1, np.int64)
    place = [str(path)], np.zeros(1, np.uint32), zero, zero - 1
    codecs, shapes, sample_bytes, _, failures = core.probe(place)
    if codecs[0] == 255 and not failures:
        return None, "other"
    if not failures:
        out = np.empty(shapes[0], "uint16" if sample_bytes[0] == 2 else "uint8")
        failures = core.decode(place, codecs, shapes, out.reshape(-1).view(np.uint8))
    return (None, failures[0][1]) if failures else (out, "")


def as_rgba(pixels: np.ndarray) -> np.ndarray:
    """Return the pixels with colour and alpha, as PngSuite's expected values have them."""
    largest = np.iinfo(pixels.dtype).max
    if pixels.shape[2] <= 2:
        colour, alpha = np.repeat(pixels[:, :, :1], 3, 2), pixels[:, :, 1:]
    else:
        colour, alpha = pixels[:, :, :3], pixels[:, :, 3:]
    return np.dstack([colour, alpha if alpha.size else np.full(pixels.shape[:2], largest, pixels.dtype)])


def test_png_suite_gives_its_expected_pixels(core: Any, shared_data: Path) -> None:
    folder = shared_data / "pngsuite-lunapaint"
    compared = 0
    for path in sorted((folder / "png").glob("*.png")):
        expected_path = folder / "json" / f"{path.stem}.json"
        pixels, kind = read(core, path)
        if path.stem.startswith("x"):
            assert (pixels, kind) == (None, "other" if path.stem in DAMAGED_SIGNATURE else "corrupt"), path.stem
            continue
        assert pixels is not None, (path.stem, kind)
        expected = np.array(json.loads(expected_path.read_text(encoding="utf-8")))
        found = as_rgba(pixels)
        expected = expected.reshape(found.shape)
        channels = 3 if path.stem in ALPHA_NOT_EXPANDED else 4
        np.testing.assert_array_equal(found[:, :, :channels], expected[:, :, :channels], err_msg=path.stem)
        compared += 1
    assert compared == 161


def test_png_suite_gives_pillows_pixels_where_pillow_keeps_depth(core: Any, shared_data: Path) -> None:
    for path in sorted((shared_data / "pngsuite-lunapaint" / "png").glob("[!x]*.png")):
        pixels, _ = read(core, path)
        assert pixels is not None
        with Image.open(path, formats=("PNG",)) as image:
            if pixels.dtype == np.uint16 and image.mode != "I;16":
                continue
            if image.mode == "P":
                image = image.convert("RGBA" if "transparency" in image.info else "RGB")
            expected = np.asarray(image.convert("L") if image.mode == "1" else image)
        np.testing.assert_array_equal(pixels.reshape(expected.shape), expected, err_msg=path.stem)


JPEG_FILES = ("libjpeg-turbo/testimages/*.jpg", "exif-orientation/*.jpg", "human-seg/*/*.jpg", "pillow-broken/*.jpg")


@pytest.mark.parametrize("pattern", JPEG_FILES)
def test_jpeg_files_give_pillows_pixels(core: Any, shared_data: Path, pattern: str) -> None:
    paths = sorted(shared_data.glob(pattern))
    assert paths
    for path in paths[::3] if len(paths) > 100 else paths:
        pixels, kind = read(core, path)
        try:
            with Image.open(path, formats=("JPEG",)) as image:
                expected = np.asarray(image)
        except OSError:
            assert pixels is None and kind in ("corrupt", "unsupported"), path
            continue
        assert pixels is not None, (path, kind)
        np.testing.assert_array_equal(pixels.reshape(expected.shape), expected, err_msg=str(path))


@pytest.mark.parametrize("pattern", ["kodak24/*/*.png", "human-seg/*/*.png", "libjpeg-turbo/testimages/*.png"])
def test_png_files_give_pillows_pixels(core: Any, shared_data: Path, pattern: str) -> None:
    paths = sorted(shared_data.glob(pattern))
    assert paths
    for path in paths[::4]:
        pixels, kind = read(core, path)
        assert pixels is not None, (path, kind)
        with Image.open(path, formats=("PNG",)) as image:
            plain = {"P": "RGB", "1": "L"}.get(image.mode, image.mode)
            expected = np.asarray(image.convert(plain))
        if pixels.dtype == np.uint16:
            np.testing.assert_array_equal(pixels.reshape(expected.shape) >> 8, expected, err_msg=str(path))
        else:
            np.testing.assert_array_equal(pixels.reshape(expected.shape), expected, err_msg=str(path))


BROKEN = {
    "pillow-broken/broken.png": "corrupt",
    "pillow-broken/broken_data_stream.png": "corrupt",
    "pillow-broken/truncated_end_chunk.png": "corrupt",
    "pillow-broken/truncated_image.png": "corrupt",
    "pillow-broken/truncated_jpeg.jpg": "corrupt",
    "malicious/jpeg-bomb-lottapixel/lottapixel.jpg": "limit",
    "malicious/jpeg-bomb-lottapixel/polyglot.jpg": "other",
    "libjpeg-turbo/testimages/monkey12.jpg": "unsupported",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_fail_with_their_kind(core: Any, shared_data: Path, name: str) -> None:
    assert read(core, shared_data / name) == (None, BROKEN[name])


REASONS = {
    "pillow-broken/decompression_bomb.gif": "pixels",
    "pillow-broken/decompression_bomb.ico": "icon file",
    "malicious/pickles/malicious0.pkl": "not an image",
    "malicious/zip-slip/archives/zip-slip.zip": "ZIP archive",
    "badinput-lfs-pointers/UCMerced_LandUse/Images/agricultural/agricultural00.tif": "git lfs pull",
    "badinput-lfs-pointers/data.mdb": "git lfs pull",
    "libjpeg-turbo/testimages/test.scan": "not an image",
    "libjpeg-turbo/testimages/LICENSE.txt": "not an image",
}


@pytest.mark.parametrize("name", [*BROKEN, *REASONS])
def test_every_broken_file_is_named_with_its_reason(shared_data: Path, name: str) -> None:
    zero = np.zeros(1, np.int64)
    place = Extents([str(shared_data / name)], np.zeros(1, np.uint32), zero, zero + WHOLE_FILE)
    records = Records(place, [Format(None, None, None)], np.zeros(1, np.int32), lambda row: (row, "a key", name))
    with pytest.raises(RecordError) as caught:
        codec.decode(records)
    assert REASONS.get(name, "") in str(caught.value)
    assert caught.value.bad_rows[0].place == name


@pytest.mark.parametrize("name", ["shira_bird8.bmp", "vgl_6434_0018a.bmp", "testorig.ppm", "monkey16.pgm"])
def test_other_formats_give_pillows_pixels(shared_data: Path, name: str) -> None:
    path = shared_data / "libjpeg-turbo" / "testimages" / name
    found = codec.describe_encoded([path.read_bytes()])[0]
    records = Records([path.read_bytes()], [found], np.zeros(1, np.int32), lambda row: (row, name, name))
    with Image.open(path) as image:
        expected = np.asarray(image)
    np.testing.assert_array_equal(codec.decode(records)[0], expected)
