"""Formats found in headers: shapes, depths, and what is no image."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixstore.errors import CorruptRecordError, RecordError
from pixstore.probing import describe_encoded, orientations, probe, probe_masked
from pixstore.rows import WHOLE_FILE, Extents, Records
from pixstore.schema import Format

UNKNOWN = Format(None, None, None)


def name(index: int) -> tuple[int, str, str]:
    return index, f"key-{index}", ""


def saved(shape: tuple[int, ...], kind: str = "PNG", dtype: str = "uint8") -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.full(shape, 9, dtype)).save(target, kind)
    return target.getvalue()


def claims(height: int, width: int, kept: int) -> bytes:
    """Return a PNG whose header claims this size while `kept` bytes of compressed zeros follow."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(kept), 0)), (b"IEND", b"")]
    packed = [struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_grey_has_two_axes_and_colour_three() -> None:
    found = describe_encoded(
        [saved((4, 5)), saved((4, 5, 3)), saved((4, 5, 4)), saved((4, 5), dtype="uint16"), saved((8, 9), "JPEG"), saved((8, 9, 3), "JPEG")]
    )
    assert found == [
        Format("png", (4, 5), "uint8"), Format("png", (4, 5, 3), "uint8"), Format("png", (4, 5, 4), "uint8"),
        Format("png", (4, 5), "uint16"), Format("jpeg", (8, 9), "uint8"), Format("jpeg", (8, 9, 3), "uint8"),
    ]  # fmt: skip


def test_formats_are_shared_by_the_records_that_have_them() -> None:
    data = [saved((4, 5)), saved((6, 5), "BMP"), saved((4, 5)), saved((6, 5), "BMP"), saved((5, 4))]
    probed = probe(Records([*data], (UNKNOWN,), np.zeros(5, np.int32), name))
    chosen = probed.format.tolist()
    assert chosen[0] == chosen[2] and chosen[1] == chosen[3] and len(set(chosen)) == 3
    assert probed.format.dtype == np.int32


def test_known_formats_are_left_alone_and_their_bytes_not_read() -> None:
    known = Format("raw", (2,), "uint8")
    records = Records([b"ab", saved((4, 5)), b"cd"], (known, UNKNOWN), np.array([0, 1, 0], np.int32), name)
    probed = probe(records)
    assert [probed.formats[number] for number in probed.format.tolist()] == [known, Format("png", (4, 5), "uint8"), known]
    all_known = Records([b""], (known,), np.zeros(1, np.int32), name)
    assert probe(all_known) is all_known


def test_what_is_no_image_raises_or_is_kept_unknown_or_masked() -> None:
    records = Records([saved((4, 5)), b"hello", b""], (UNKNOWN,), np.zeros(3, np.int32), name)
    with pytest.raises(CorruptRecordError, match=r"2 of 3.*'key-1' .*starts with 'hello'.*'key-2' .*is empty"):
        probe(records)
    kept = probe(records, on_error="keep")
    assert [kept.formats[number].is_known for number in kept.format.tolist()] == [True, False, False]
    masked, good, bad = probe_masked(records)
    assert good.tolist() == [True, False, False] and [each.key for each in bad] == ["key-1", "key-2"]
    assert masked.formats[masked.format[0]] == Format("png", (4, 5), "uint8")


def test_more_records_of_other_formats_than_are_fetched_at_once() -> None:
    data = [saved((3, 3 + number % 2), "BMP") for number in range(150)]
    assert describe_encoded(data) == [Format("bmp", (3, 3 + number % 2), "uint8") for number in range(150)]


@pytest.mark.parametrize("whole_file", [False, True])
def test_a_png_too_short_for_its_pixels_is_refused_by_its_header(whole_file: bool, tmp_path: Path) -> None:
    data = claims(12_000, 12_000, 100)
    path = tmp_path / "bomb.png"
    path.write_bytes(data)
    zero = np.zeros(1, np.int64)
    place = Extents([str(path)], np.zeros(1, np.uint32), zero, zero + (WHOLE_FILE if whole_file else len(data)))
    with pytest.raises(CorruptRecordError, match=r"cannot hold 12000 . 12000 pixels"):
        probe(Records(place, (UNKNOWN,), np.zeros(1, np.int32), name))
    with pytest.raises(CorruptRecordError, match="cannot hold"):
        describe_encoded([data])


def test_describe_encoded_names_the_images_by_their_number() -> None:
    with pytest.raises(RecordError, match="'image 1'"):
        describe_encoded([saved((2, 2)), b"hello"])


def test_missing_files_are_named(tmp_path: Path) -> None:
    zero = np.zeros(1, np.int64)
    place = Extents([str(tmp_path / "absent.png")], np.zeros(1, np.uint32), zero, zero + WHOLE_FILE)
    with pytest.raises(RecordError, match="key-0"):
        probe(Records(place, (UNKNOWN,), np.zeros(1, np.int32), name))


def with_orientation(kind: str, code: int) -> bytes:
    target, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = code
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(target, kind, exif=exif)
    return target.getvalue()


def test_orientations_are_found_in_every_format_that_keeps_them() -> None:
    data = [with_orientation(kind, code) for kind in ("JPEG", "PNG", "WEBP", "AVIF") for code in (6, 3, 9)]
    data += [saved((4, 5, 3), "BMP"), with_orientation("TIFF", 6), b"raw bytes that nobody reads"]
    formats = [UNKNOWN] * (len(data) - 1) + [Format("raw", (27,), "uint8")]
    probed = probe(Records([*data], formats, np.arange(len(data), dtype=np.int32), name))
    # Pillow decodes a TIFF upright: nothing is left to do.
    assert orientations(probed).tolist() == [6, 3, 1] * 4 + [1, 1, 1]
    assert orientations(Records([data[0]] * 3, (Format("jpeg", (4, 5, 3), "uint8"),), np.zeros(3, np.int32), name)).tolist() == [6] * 3


def test_orientations_of_what_cannot_be_read_are_1() -> None:
    formats = [Format(each, (4, 5, 3), "uint8") for each in ("jpeg", "png", "webp", "jpeg")]
    damaged = [with_orientation("JPEG", 6)[:30], b"hello", with_orientation("WEBP", 6)[:20], with_orientation("JPEG", 8)]
    assert orientations(Records(damaged, formats, np.arange(4, dtype=np.int32), name)).tolist() == [1, 1, 1, 8]
    assert orientations(Records([], formats, np.zeros(0, np.int32), name)).tolist() == []
