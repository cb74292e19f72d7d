"""Cold and warm reads with their proof, from real files."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pixstore.bench.images import Sample, from_source
from pixstore.bench.lab.caching import COLD, WARM, CacheStateError, files_of, read_from
from pixstore.bench.lab.lab import Lab
from pixstore.bench.residency import make_cold

PAGES = 300


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that can leave memory; skip where that cannot be told or done."""
    path = tmp_path / "file"
    path.write_bytes(os.urandom(PAGES * mmap.PAGESIZE))
    found = make_cold([path])
    if not found.is_cold:
        pytest.skip(f"files of the tests cannot be made cold here: {found.stayed or found.method}")
    return path


def test_a_cold_read_is_proven_cold_and_comes_from_the_disk(file: Path) -> None:
    file.read_bytes()
    read = read_from(COLD, [str(file)], file.read_bytes, 0)
    assert read.result == file.read_bytes()
    assert read.proof["resident_before_pages"] == 0
    assert read.proof["resident_after_pages"] == read.proof["pages"] == PAGES
    assert read.proof["stayed"] == []
    if read.disk_bytes is not None:
        assert read.measures["disk_read_bytes"] >= PAGES * mmap.PAGESIZE


def test_a_warm_read_is_proven_warm_and_leaves_the_disk_alone(file: Path) -> None:
    read = read_from(WARM, [str(file)], file.read_bytes, 0)
    assert read.proof["resident_before_pages"] == read.proof["pages"] == PAGES
    assert read.disk_bytes in (0, None)


def test_a_read_that_was_not_cold_is_refused_and_names_the_file(file: Path) -> None:
    with open(file, "rb") as held, mmap.mmap(held.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert sum(mapped[:: mmap.PAGESIZE]) >= 0
        with pytest.raises(CacheStateError, match=rf"not cold: \d+ of {PAGES} pages stayed in memory; {file}: "):
            read_from(COLD, [str(file)], file.read_bytes, 0)


@pytest.mark.parametrize("cache", [COLD, WARM])
def test_without_files_nothing_is_cold_or_warm(cache: str, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(CacheStateError, match="no file holds these images"):
        read_from(cache, [str(tmp_path / "empty"), str(tmp_path / "absent")], list, 0)  # type: ignore[arg-type]


def test_the_files_of_a_store_and_of_the_source_are_those_that_hold_the_images(make_lab: Callable[..., Lab], photos: Path) -> None:
    lab = make_lab(from_source(photos, 8), ["source", "packed/keep"], 8)
    work = lab.work(8)
    source, store = lab.ways
    assert {Path(each) for each in files_of(lab, source, work)} == set(photos.rglob("*.jpg"))
    files = files_of(lab, store, work)
    assert files and all(Path(each).is_file() and Path(each).is_relative_to(lab.stored(store, work)) for each in files)


def test_ways_of_built_in_images_have_no_source_to_name(make_lab: Callable[..., Lab], photos: Path) -> None:
    sample = from_source(photos, 8)
    lab = make_lab(sample, ["source"], 8)
    lab.sample = Sample("without its dataset", "folder", 8, sample.images, sample.labels)
    with pytest.raises(CacheStateError, match="which files the source's images lie in cannot be told"):
        files_of(lab, lab.ways[0], lab.work(8))
