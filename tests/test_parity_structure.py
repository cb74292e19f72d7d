"""One suite for both cores: images that are not whole are found without decoding them."""

from __future__ import annotations

import importlib
import io
import itertools
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.test_parity import CORES, JPEG, OTHER, PNG, SIGNATURE, chunk, header, photo, pillow_bytes

MARKER = b"\xff"
SOI, EOI = b"\xff\xd8", b"\xff\xd9"


@pytest.fixture(params=CORES, scope="module")
def core(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(request.param)


def failures_of(core: Any, records: list[bytes]) -> dict[int, tuple[str, str]]:
    """Return kind and detail of each record whose structure is not sound."""
    *_, failures = core.probe(records, check="structure")
    return {index: (kind, detail) for index, kind, detail in failures}


def trailing_of(core: Any, record: bytes) -> int:
    *_, headers, failures = core.ingest([record])
    assert failures == []
    return int(headers[4][0])


def small_png(*, parts: int = 2, extra: bytes = b"", between: bytes = b"", after: bytes = b"") -> bytes:
    """Return a PNG whose image data lie in so many chunks, with other chunks before, between and after them."""
    pixels = photo(6, 9, 3)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    cuts = [len(data) * part // parts for part in range(parts + 1)]
    pieces = [chunk(b"IDAT", data[start:stop]) for start, stop in itertools.pairwise(cuts)]
    return b"".join([SIGNATURE, header(9, 6), extra, between.join(pieces), after, chunk(b"IEND", b"")])


def jpeg(**options: Any) -> bytes:
    return pillow_bytes(photo(24, 40, 3), "JPEG", **options)


def segment(code: int, data: bytes) -> bytes:
    return MARKER + bytes([code]) + struct.pack(">H", len(data) + 2) + data


def exif_with_thumbnail() -> bytes:
    return segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0" + jpeg())


PNGS = {
    "one chunk": small_png(parts=1),
    "many chunks": small_png(parts=5, extra=chunk(b"gAMA", b"\0\0\xb1\x8f"), after=chunk(b"tEXt", b"Title\0cat")),
    "Pillow": pillow_bytes(photo(7, 11, 3), "PNG"),
}
JPEGS = {
    "baseline": jpeg(),
    "progressive": jpeg(progressive=True),
    "restarts": jpeg(restart_marker_blocks=1),
    "thumbnail": SOI + exif_with_thumbnail() + jpeg()[2:],
    "filled": jpeg().replace(b"\xff\xda", b"\xff\xff\xff\xff\xda").replace(EOI, b"\xff\xff\xd9"),
    "grey": pillow_bytes(photo(9, 9, 1), "JPEG", quality=100),
}


@pytest.mark.parametrize("name", PNGS)
def test_whole_pngs_are_sound(core: Any, name: str) -> None:
    codecs, shapes, *_, failures = core.probe([PNGS[name]], check="structure")
    assert (failures, codecs.tolist()) == ([], [PNG])
    assert shapes.tolist() == [list(np.asarray(Image.open(io.BytesIO(PNGS[name]))).shape)]


@pytest.mark.parametrize("name", JPEGS)
def test_whole_jpegs_are_sound(core: Any, name: str) -> None:
    codecs, *_, failures = core.probe([JPEGS[name]], check="structure")
    assert (failures, codecs.tolist()) == ([], [JPEG])


@pytest.mark.parametrize("name", PNGS)
def test_every_truncation_of_a_png_is_found_and_says_how_many_bytes_there_are(core: Any, name: str) -> None:
    whole = PNGS[name]
    cuts = range(len(SIGNATURE), len(whole))
    found = failures_of(core, [whole[:cut] for cut in cuts])
    assert [index for index, cut in enumerate(cuts) if index not in found or str(cut) not in found[index][1]] == []
    assert {kind for kind, _ in found.values()} == {"corrupt"}


@pytest.mark.parametrize("name", JPEGS)
def test_every_truncation_of_a_jpeg_is_found_and_says_how_many_bytes_there_are(core: Any, name: str) -> None:
    whole = JPEGS[name]
    cuts = range(3, len(whole))
    found = failures_of(core, [whole[:cut] for cut in cuts])
    assert [index for index, cut in enumerate(cuts) if index not in found or str(cut) not in found[index][1]] == []
    assert {kind for kind, _ in found.values()} == {"corrupt"}


@pytest.mark.parametrize("name", PNGS)
def test_every_flipped_bit_in_the_chunks_of_a_png_is_found(core: Any, name: str) -> None:
    whole = PNGS[name]
    bits = range(8 * len(SIGNATURE), 8 * len(whole))
    flipped = []
    for bit in bits:
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        flipped.append(bytes(damaged))
    assert sorted(failures_of(core, flipped)) == list(range(len(bits)))


def test_a_png_says_which_chunk_is_damaged(core: Any) -> None:
    damaged = bytearray(PNGS["one chunk"])
    at = damaged.index(b"IDAT")
    damaged[at + 10] ^= 4
    (kind, detail) = failures_of(core, [bytes(damaged)])[0]
    assert kind == "corrupt"
    assert "IDAT" in detail
    assert f"byte {at - 4}" in detail


def test_image_data_of_a_png_in_two_places_are_refused(core: Any) -> None:
    found = failures_of(core, [small_png(parts=2, between=chunk(b"tEXt", b"a\0b"))])
    assert found[0][0] == "corrupt"
    assert "image data" in found[0][1]


@pytest.mark.parametrize("whole", [PNGS["one chunk"], JPEGS["baseline"], JPEGS["progressive"]])
def test_bytes_after_the_end_are_accepted_and_counted(core: Any, whole: bytes) -> None:
    assert [trailing_of(core, whole + extra) for extra in (b"", b"\0", b"\0" * 1000, whole)] == [0, 1, 1000, len(whole)]


def test_other_bytes_are_not_looked_at(core: Any) -> None:
    codecs, *_, failures = core.probe([b"", b"hello", SIGNATURE[:7], SOI], check="structure")
    assert (codecs.tolist(), failures) == ([OTHER] * 4, [])


def without_segments(whole: bytes, *codes: int) -> bytes:
    """Return a JPEG without its segments of these codes before the first scan."""
    position, kept = 2, [SOI]
    while True:
        length = struct.unpack_from(">H", whole, position + 2)[0]
        code = whole[position + 1]
        if code == 0xDA:
            return b"".join([*kept, whole[position:]])
        if code not in codes:
            kept.append(whole[position : position + 2 + length])
        position += 2 + length


def scan_of(whole: bytes) -> bytes:
    """Return the first scan of a JPEG, without what follows it."""
    return whole[whole.index(b"\xff\xda") : -2]


@pytest.mark.parametrize(
    ("damaged", "kind"),
    [
        (without_segments(jpeg(), 0xC0), "corrupt"),
        (jpeg()[: jpeg().index(b"\xff\xda")] + EOI, "corrupt"),
        (jpeg()[:-2] + jpeg(), "corrupt"),
        (jpeg()[:-2] + segment(0xC0, b"\x08\0\x08\0\x08\x01\x01\x11\0") + EOI, "corrupt"),
        (SOI + MARKER + b"\xe0\0\1" + jpeg()[2:], "corrupt"),
        (SOI + MARKER + b"\xe0\0\0" + jpeg()[2:], "corrupt"),
        (jpeg()[:-2] + scan_of(jpeg()) * 100 + EOI, "limit"),
    ],
    ids=["no frame", "no scan", "another image", "two frames", "length 1", "length 0", "101 scans"],
)
def test_a_jpeg_whose_segments_make_no_image_is_refused(core: Any, damaged: bytes, kind: str) -> None:
    assert failures_of(core, [damaged])[0][0] == kind


def test_stray_bytes_between_segments_are_passed_over_as_by_the_decoder(core: Any) -> None:
    whole = jpeg()
    first = 2 + 2 + struct.unpack_from(">H", whole, 4)[0]
    assert failures_of(core, [whole[:first] + b"\0stray\xff\0" + whole[first:]]) == {}


@settings(max_examples=60)
@given(
    whole=st.sampled_from([*PNGS.values(), *JPEGS.values()]),
    changes=st.lists(st.tuples(st.integers(8, 10_000), st.integers(0, 255)), min_size=1, max_size=4),
    removed=st.tuples(st.integers(8, 10_000), st.integers(0, 40)),
)
def test_both_cores_find_the_same_images_damaged(whole: bytes, changes: list[tuple[int, int]], removed: tuple[int, int]) -> None:
    damaged = bytearray(whole)
    for place, value in changes:
        damaged[8 + place % (len(damaged) - 8)] = value
    start = 8 + removed[0] % (len(damaged) - 8)
    del damaged[start : start + removed[1]]
    verdicts = [sorted(failures_of(importlib.import_module(name), [bytes(damaged)])) for name in CORES]
    assert verdicts.count(verdicts[0]) == len(verdicts)


def test_an_unknown_depth_of_looking_is_refused(core: Any) -> None:
    with pytest.raises(ValueError, match="pixels"):
        core.probe([b""], check="pixels")
    with pytest.raises(ValueError, match="pixels"):
        core.ingest([b""], check="pixels")
