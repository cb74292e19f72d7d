"""One suite for both cores: whole files and records, checked, stat'ed and taken in."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_parity import CORES, FORMS, JPEG, OTHER, PNG, photo, pillow_bytes, place_of

PIECE = 256 << 10
"""Records above this are hashed in pieces."""


@pytest.fixture(params=CORES, scope="module")
def core(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(request.param)


def noise(count: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(count)


def hashes(core: Any, records: list[bytes], seeds: np.ndarray) -> np.ndarray:
    return np.array([core.hash_bytes(each, int(seed)) for each, seed in zip(records, seeds, strict=True)], np.uint64)


def joined(prefix: str, names: list[str]) -> tuple[bytes, bytes, np.ndarray]:
    encoded = [os.fsencode(each) for each in names]
    return os.fsencode(prefix), b"".join(encoded), np.cumsum([0, *map(len, encoded)]).astype(np.int64)


# ---- check ----

SIZES = [0, 1, 100, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3_000_001, 7, 240, 241]


@pytest.mark.parametrize("io", ["map", "pread"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("form", FORMS)
def test_records_of_any_size_are_compared_with_their_checksums(core: Any, form: str, threads: int, io: str, tmp_path: Path) -> None:
    records = [noise(size, size) for size in SIZES]
    seeds = np.arange(len(records), dtype=np.uint64) * 77
    expected = hashes(core, records, seeds)
    place = place_of(records, form, tmp_path)
    assert core.check(place, checksums=expected, seeds=seeds, threads=threads, io=io) == []
    wrong = expected.copy()
    wrong[[1, 5, 7]] ^= np.uint64(1)
    found = core.check(place, checksums=wrong, seeds=seeds, threads=threads, io=io)
    assert [(index, kind) for index, kind, _ in found] == [(1, "checksum"), (5, "checksum"), (7, "checksum")]


@pytest.mark.parametrize("bit", [0, 8 * PIECE, 8 * (3 * PIECE - 1) + 7])
def test_one_flipped_bit_of_a_large_record_is_found(core: Any, bit: int, tmp_path: Path) -> None:
    record = bytearray(noise(3 * PIECE))
    seeds = np.array([5], np.uint64)
    expected = hashes(core, [bytes(record)], seeds)
    record[bit // 8] ^= 1 << bit % 8
    found = core.check(place_of([bytes(record)], "files", tmp_path), checksums=expected, seeds=seeds)
    assert [(index, kind) for index, kind, _ in found] == [(0, "checksum")]


def test_check_tells_missing_and_truncated_records_apart(core: Any, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"0123456789")
    paths = [str(tmp_path / "a.bin"), str(tmp_path / "none.bin")]
    place = paths, np.array([0, 1, 0, 0], np.uint32), np.array([0, 0, 5, -1]), np.array([10, 5, 6, 3])
    zeros = np.zeros(4, np.uint64)
    kinds = [(index, kind) for index, kind, _ in core.check(place, checksums=zeros, seeds=zeros)]
    assert kinds == [(0, "checksum"), (1, "missing"), (2, "truncated"), (3, "missing")]


# ---- tiles ----


@settings(max_examples=30)
@given(size=st.integers(0, 3000), tile=st.integers(1, 1000), threads=st.integers(1, 3))
def test_tiles_of_a_file_are_those_of_its_content(tmp_path_factory: pytest.TempPathFactory, size: int, tile: int, threads: int) -> None:
    path = tmp_path_factory.getbasetemp() / "tiles.bin"
    data = noise(size, tile)
    path.write_bytes(data)
    for name in CORES:
        core = importlib.import_module(name)
        np.testing.assert_array_equal(core.hash_file_tiles(str(path), tile, threads=threads), core.hash_tiles(data, tile))


def test_large_tiles_of_a_file_are_those_of_its_content(core: Any, tmp_path: Path) -> None:
    data = noise(5 * PIECE + 3)
    (tmp_path / "a.bin").write_bytes(data)
    for tile in (PIECE, 2 * PIECE - 1, 1 << 30):
        np.testing.assert_array_equal(core.hash_file_tiles(str(tmp_path / "a.bin"), tile), core.hash_tiles(data, tile))


def test_tiles_of_what_is_no_file_are_refused(core: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError, match="none"):
        core.hash_file_tiles(str(tmp_path / "none"), 10)
    for name in ("pipe", ""):
        with pytest.raises(OSError, match=r"regular"):
            core.hash_file_tiles(str(tmp_path / name), 10)
    with pytest.raises(ValueError, match="tile_bytes"):
        core.hash_file_tiles(str(tmp_path / "none"), 0)


@settings(max_examples=60)
@given(
    tile=st.sampled_from([1000, PIECE // 2, PIECE + 7, 3 * PIECE]),
    cuts=st.lists(st.integers(0, 5 * PIECE), min_size=1, max_size=12),
    chosen=st.sets(st.integers(0, 12)),
    threads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_tiles_and_records_are_checked_in_one_reading(
    tmp_path_factory: pytest.TempPathFactory, tile: int, cuts: list[int], chosen: set[int], threads: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    data = noise(5 * PIECE, 3)
    path = tmp_path_factory.getbasetemp() / "both.bin"
    path.write_bytes(data)
    # Records that follow each other in any order, some that overlap, some that end beyond the file or lie nowhere.
    edges = sorted({0, *cuts, len(data)})
    offset = np.array([*edges[:-1], 100, 0, len(data), len(data) - 5, -1, 7])
    length = np.array([*np.diff(edges), PIECE, 2 * PIECE, 0, 6, 3, -1])
    order = random.permutation(len(offset))
    offset, length = offset[order], length[order]
    seeds = random.integers(0, 2**63, len(offset)).astype(np.uint64)
    records = [data[start : start + size] if start >= 0 and size >= 0 else b"" for start, size in zip(offset, length, strict=True)]
    checksums = hashes(importlib.import_module(CORES[0]), records, seeds)
    checksums[random.integers(0, len(checksums), 2)] ^= np.uint64(1)
    tiles = np.array(sorted(chosen), np.int64)
    results = []
    for name in CORES:
        core = importlib.import_module(name)
        found, unread, failures = core.check_tiles(
            str(path), tile, tiles, offset=offset, length=length, checksums=checksums, seeds=seeds, threads=threads
        )
        assert unread == []
        np.testing.assert_array_equal(found, [core.hash_bytes(data[number * tile : (number + 1) * tile]) for number in tiles])
        results.append([(index, kind) for index, kind, _ in failures])
    assert results.count(results[0]) == len(results)


def test_tiles_of_a_missing_file_are_told_unread(core: Any, tmp_path: Path) -> None:
    one, zero = np.zeros(1, np.uint64), np.zeros(1, np.int64)
    tiles = np.arange(2)
    _, unread, failures = core.check_tiles(str(tmp_path / "a"), 9, tiles, offset=zero, length=zero, checksums=one, seeds=one)
    assert [(index, kind) for index, kind, _ in unread] == [(0, "missing"), (1, "missing")]
    assert [(index, kind) for index, kind, _ in failures] == [(0, "missing")]
    with pytest.raises(ValueError, match="ascending"):
        core.check_tiles(str(tmp_path / "a"), 9, np.array([1, 1]), offset=zero, length=zero, checksums=one, seeds=one)


# ---- stat_files ----


def test_files_are_told_by_size_and_time_and_links_are_followed(core: Any, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"12345")
    os.utime(tmp_path / "a.png", ns=(1, 1_700_000_000_123_456_789))
    (tmp_path / "é\udc80.png").write_bytes(b"")
    (tmp_path / "link").symlink_to("a.png")
    (tmp_path / "to nothing").symlink_to("b.png")
    os.mkfifo(tmp_path / "pipe")
    names = ["a.png", "link", "é\udc80.png", "none", "to nothing", "pipe", "a.png/x", "."]
    for paths in ([str(tmp_path / name) for name in names], joined(f"{tmp_path}/", names)):
        size, time, failures = core.stat_files(paths)
        assert size.tolist() == [5, 5, 0, -1, -1, -1, -1, -1]
        assert time[:2].tolist() == [1_700_000_000_123_456_789] * 2
        assert time[2] == (tmp_path / "é\udc80.png").stat().st_mtime_ns
        kinds = [(index, kind) for index, kind, _ in failures]
        assert kinds == [(3, "missing"), (4, "missing"), (5, "read"), (6, "missing"), (7, "read")]


def test_no_paths_are_no_files(core: Any) -> None:
    for paths in ([], (b"/", b"", np.zeros(1, np.int64)), (b"/", b"", np.zeros(0, np.int64))):
        size, time, failures = core.stat_files(paths)
        assert (len(size), len(time), failures) == (0, 0, [])


def test_records_are_read_from_paths_laid_end_to_end(core: Any, tmp_path: Path) -> None:
    for index in range(5):
        (tmp_path / f"{index}.bin").write_bytes(noise(index * 10))
    paths = joined(f"{tmp_path}/", [f"{index}.bin" for index in range(5)])
    file = np.array([4, 0, 2, 2], np.uint32)
    stored, failures = core.fetch((paths, file, np.zeros(4, np.int64), np.array([-1, -1, -1, 3])))
    assert failures == []
    assert stored == [noise(40), b"", noise(20), noise(20)[:3]]


# ---- ingest ----


def pictures() -> list[bytes]:
    return [pillow_bytes(photo(8, 9, 3, seed), kind) for seed in range(3) for kind in ("PNG", "JPEG")]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("reused", [False, True])
def test_records_are_taken_in_end_to_end_with_headers_and_checksums(core: Any, form: str, reused: bool, tmp_path: Path) -> None:
    records = [*pictures(), b"plain text", b""]
    seeds = np.arange(len(records), dtype=np.uint64)
    out = np.full(sum(map(len, records)) + 9, 7, np.uint8) if reused else None
    place = place_of(records, form, tmp_path)
    data, offset, length, checksums, headers, failures = core.ingest(place, seeds=seeds, out=out)
    assert failures == []
    assert out is None or data is out
    view = memoryview(data)
    assert [bytes(view[start : start + size]) for start, size in zip(offset.tolist(), length.tolist(), strict=True)] == records
    np.testing.assert_array_equal(checksums, hashes(core, records, seeds))
    assert headers[0].tolist() == [PNG, JPEG] * 3 + [OTHER, OTHER]
    for mine, probed in zip(headers, core.probe(records)[:4], strict=False):
        np.testing.assert_array_equal(mine, probed)


def test_what_cannot_be_taken_in_has_no_length_and_leaves_the_rest_whole(core: Any, tmp_path: Path) -> None:
    records = pictures()
    records[1] = records[1][:-2]
    records[4] = records[4][:-5]
    place = place_of(records, "files", tmp_path)
    (tmp_path / "2.png").unlink()
    data, offset, length, checksums, _, failures = core.ingest(place)
    assert [(index, kind) for index, kind, _ in failures] == [(1, "corrupt"), (2, "missing"), (4, "corrupt")]
    assert [row for row, size in enumerate(length.tolist()) if size < 0] == [1, 2, 4]
    assert checksums is None
    for row in (0, 3, 5):
        assert bytes(memoryview(data)[offset[row] : offset[row] + length[row]]) == records[row]


def test_a_header_alone_is_asked_for(core: Any) -> None:
    cut = pictures()[0][:-5]
    *_, headers, failures = core.ingest([cut], check="header")
    assert (failures, headers[0].tolist(), headers[4].tolist()) == ([], [PNG], [0])
    *_, headers, failures = core.ingest([cut], check="none")
    assert (failures, headers[0].tolist()) == ([], [OTHER])


def test_files_that_changed_since_they_were_listed_are_found(core: Any, tmp_path: Path) -> None:
    records = pictures()
    place = place_of(records, "files", tmp_path)
    size, time, _ = core.stat_files(place[0])
    (tmp_path / "0.png").write_bytes(records[0] + b"more")
    os.utime(tmp_path / "1.png", ns=(1, int(time[1]) + 1))
    (tmp_path / "2.png").unlink()
    (tmp_path / "3.png").write_bytes(records[3][:-9])
    *_, failures = core.ingest(place, size=size, mtime_ns=time)
    assert [(index, kind) for index, kind, _ in failures] == [(0, "changed"), (1, "changed"), (2, "missing"), (3, "changed")]
    details = {index: detail for index, _, detail in failures}
    assert f"{len(records[0]) + 4} bytes" in details[0]
    assert str(len(records[3])) in details[3]


def test_parts_of_files_are_taken_in_as_they_are_stated(core: Any, tmp_path: Path) -> None:
    place = place_of(pictures(), "extents", tmp_path)
    size, time, _ = core.stat_files([place[0][number] for number in place[1]])
    _, _, length, _, _, failures = core.ingest(place, size=size, mtime_ns=time)
    assert failures == []
    np.testing.assert_array_equal(length, place[3])
    *_, failures = core.ingest(place, size=size, mtime_ns=time - 1)
    assert {kind for _, kind, _ in failures} == {"changed"}


def test_limits_hold_before_memory_is_taken(core: Any, tmp_path: Path) -> None:
    with open(tmp_path / "0.png", "wb") as file:
        file.truncate(1 << 40)
    place = [str(tmp_path / "0.png")], np.zeros(1, np.uint32), np.zeros(1, np.int64), np.full(1, -1)
    *_, failures = core.ingest(place)
    assert [(index, kind) for index, kind, _ in failures] == [(0, "limit")]
    *_, failures = core.ingest([pictures()[0]], max_pixels=71)
    assert [(index, kind) for index, kind, _ in failures] == [(0, "limit")]


def test_arguments_that_do_not_fit_are_refused(core: Any) -> None:
    records = pictures()[:2]
    with pytest.raises(ValueError, match="mtime_ns"):
        core.ingest(records, size=np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="out"):
        core.ingest(records, out=np.zeros(10, np.uint8))
