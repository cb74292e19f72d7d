"""Records taken in for a store: formats, checksums and failures of one pass."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from pixstore import codec
from pixstore.rows import Extents, JoinedPaths, Records, Slices
from pixstore.schema import Format

UNKNOWN = Format(None, None, None)


def picture(kind: str, mode: str = "RGB", seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, len(mode)), np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(target, kind)
    return target.getvalue()


def in_files(folder: Path, contents: list[bytes]) -> Records:
    for index, content in enumerate(contents):
        (folder / f"{index}.img").write_bytes(content)
    count = len(contents)
    paths = JoinedPaths(f"{folder}/", pa.array([f"{index}.img" for index in range(count)]))
    place = Extents(paths, np.arange(count, dtype=np.uint32), np.zeros(count, np.int64), np.full(count, -1))
    return Records(place, [UNKNOWN], np.zeros(count, np.int32), lambda row: (row, f"key {row}", f"file {row}"))


def in_memory(contents: list[bytes], formats: list[Format], seeds: np.ndarray | None = None) -> Records:
    place = Slices.end_to_end(b"".join(contents), np.array([len(each) for each in contents]))
    number = np.arange(len(contents), dtype=np.int32)
    checksum = None if seeds is None else codec.checksums(place, seeds)
    return Records(place, formats, number, lambda row: (row, f"key {row}", "memory"), checksum, seeds)


def test_every_format_is_found_and_every_byte_kept(tmp_path: Path) -> None:
    contents = [picture("PNG"), picture("JPEG"), picture("WEBP"), picture("PNG", "L"), picture("BMP")]
    seeds = codec.seeds("image", pa.array([f"key {row}" for row in range(5)]))
    taken = codec.ingest(in_files(tmp_path, contents), seeds=seeds)
    assert taken.good.all()
    assert [bytes(each) for each in taken.slices.views() if each is not None] == contents
    assert [taken.records.formats[number].codec for number in taken.records.format] == ["png", "jpeg", "webp", "png", "bmp"]
    assert taken.records.formats[taken.records.format[3]].shape == (6, 8)
    assert taken.records.checksum is not None
    np.testing.assert_array_equal(taken.records.checksum, codec.checksums(taken.slices, seeds))


def test_what_is_no_whole_image_is_named_with_its_reason(tmp_path: Path) -> None:
    contents = [b"", b"hello there", b"<html>404</html>", picture("JPEG")[:-2], picture("PNG")[:40], picture("PNG")]
    taken = codec.ingest(in_files(tmp_path, contents))
    assert taken.good.tolist() == [False] * 5 + [True]
    assert [each.row for each in taken.bad_rows] == [0, 1, 2, 3, 4]
    reasons = [each.reason for each in taken.bad_rows]
    for reason, words in zip(
        reasons, ["empty (0 bytes)", "hello there", "HTML page", f"{len(contents[3])} bytes", "40 bytes"], strict=True
    ):
        assert words in reason
    assert [length >= 0 for length in taken.slices.length.tolist()] == taken.good.tolist()


def test_trailing_bytes_are_kept_and_counted(tmp_path: Path) -> None:
    taken = codec.ingest(in_files(tmp_path, [picture("JPEG") + bytes(1000), picture("PNG")]))
    assert (taken.trailing.tolist(), taken.good.tolist()) == ([1000, 0], [True, True])


def test_a_file_that_changed_since_it_was_listed_is_bad(tmp_path: Path) -> None:
    records = in_files(tmp_path, [picture("PNG"), picture("PNG", seed=1)])
    assert isinstance(records.place, Extents)
    size, time, _ = codec.stat_files(records.place.paths)
    (tmp_path / "1.img").write_bytes(picture("PNG", seed=2))
    taken = codec.ingest(records, stamps=(size, time))
    assert [(row, kind) for row, kind, _ in taken.failures] == [(1, "changed")]


def test_records_of_a_store_are_compared_with_their_checksums() -> None:
    known = [Format("png", (6, 8, 3), "uint8"), Format("raw", (4,), "uint8")]
    seeds = np.array([3, 4], np.uint64)
    records = in_memory([picture("PNG"), b"\xff\xd8\xff\0"], known, seeds)
    taken = codec.ingest(records, seeds=seeds)
    assert taken.good.all()
    assert records.checksum is not None
    records.checksum[1] ^= np.uint64(1)
    taken = codec.ingest(records, seeds=seeds)
    assert [(row, kind) for row, kind, _ in taken.failures] == [(1, "checksum")]


def test_checksums_are_made_anew_for_another_key() -> None:
    records = in_memory([b"abc", b"defg"], [Format("raw", (3,), "uint8"), Format("raw", (4,), "uint8")], np.array([3, 4], np.uint64))
    other = np.array([8, 9], np.uint64)
    taken = codec.ingest(records, seeds=other)
    assert taken.records.checksum is not None
    assert taken.records.checksum.tolist() == [codec.hash_bytes(b"abc", 8), codec.hash_bytes(b"defg", 9)]
    assert taken.records.seed is other


def test_formats_known_and_unknown_may_be_mixed() -> None:
    records = in_memory([picture("PNG"), b"\xff\xd8\xff\0"], [UNKNOWN, Format("raw", (4,), "uint8")])
    taken = codec.ingest(records)
    assert taken.good.all()
    assert [taken.records.formats[number].codec for number in taken.records.format] == ["png", "raw"]


@pytest.mark.parametrize("check", ["header", "structure"])
def test_a_header_may_be_enough(tmp_path: Path, check: str) -> None:
    taken = codec.ingest(in_files(tmp_path, [picture("PNG")[:-4]]), check=check)  # type: ignore[arg-type]
    assert taken.good.tolist() == [check == "header"]
