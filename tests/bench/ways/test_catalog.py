from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.check import difference
from pixstore.bench.images import from_source
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Way, Work
from pixstore.bench.ways.source import SourceWay
from pixstore.errors import InvalidInputError

OURS = ("packed/png", "files/png", "lmdb/raw", "hdf5/raw")
ROWS = ([0, 1, 2, 3, 4, 5], [5, 0, 3, 3, 0], [2], [3, 4], [5, 4, 3, 2, 1, 0], [])


def test_defaults_fit_the_images_and_show_one_thread() -> None:
    first_look = catalog.default_names(is_built_in=True, is_encoded=False)
    arrays = catalog.default_names(is_built_in=False, is_encoded=False)
    encoded = catalog.default_names(is_built_in=False, is_encoded=True)
    engines = ("packed", "files", "lmdb", "hdf5")
    assert {f"{engine}/{codec}" for engine in engines for codec in ("raw", "png")} <= set(arrays)
    assert {"source", *(f"{engine}/keep" for engine in engines)} <= set(encoded)
    for names in (first_look, arrays, encoded):
        assert set(catalog.TUTORIAL) <= set(names)
        assert any("@1thread" in name for name in names)
        catalog.check(names, has_source=True)
        assert [catalog.find(name, catalog.TUTORIAL["tutorial-png"], 2) for name in names]


@pytest.mark.parametrize("name", [*catalog.TUTORIAL, *catalog.BY_HAND, *OURS])
def test_every_reader_gives_any_rows_in_any_order_and_again(work: Work, tmp_path: Path, name: str) -> None:
    way = catalog.find(name, None, 2)
    way.store_many(tmp_path, work)
    assert_reads(way, tmp_path, work)


@pytest.mark.parametrize("name", [*catalog.TUTORIAL, "hand-files", "hand-lmdb", "packed/raw"])
def test_readers_give_images_of_several_sizes(mixed_work: Work, tmp_path: Path, name: str) -> None:
    way = catalog.find(name, None, 2)
    way.store_many(tmp_path, mixed_work)
    assert_reads(way, tmp_path, mixed_work)


@pytest.mark.parametrize("name", ["source", "hand-files", "hand-lmdb", "hand-hdf5", "packed/keep"])
def test_readers_give_encoded_images_decoded(photos: Path, tmp_path: Path, name: str) -> None:
    sample = from_source(photos, 8)
    assert sample.dataset is not None
    way, work = catalog.find(name, SourceWay(sample.dataset, sample.image_field, 2), 2), sample.work(8)
    if way.stores:
        way.store_many(tmp_path, work)
    assert_reads(way, tmp_path, work)
    sample.close()


@pytest.mark.parametrize("name", ["hand-lmdb", "hand-hdf5", "hand-hdf5-chunked", "hand-hdf5-gzip", "hand-memmap", "packed/raw"])
def test_readers_give_sixteen_bits_and_large_labels(tmp_path: Path, name: str) -> None:
    pixels = np.random.default_rng(3).integers(0, 1 << 16, (6, 5, 4, 3), np.uint16)
    work = Work(pixels, np.array([-1, 1 << 40, 0, 300, 5, 6]))
    way = catalog.find(name, None, 2)
    way.store_many(tmp_path, work)
    reader = way.reader(tmp_path, work)
    assert np.asarray(reader.read(np.arange(2)).images).dtype == np.uint16
    reader.close()
    assert_reads(way, tmp_path, work)


@pytest.mark.parametrize("name", [*catalog.TUTORIAL, *catalog.BY_HAND, *OURS])
def test_a_reader_may_be_used_by_several_threads_at_once(work: Work, tmp_path: Path, name: str) -> None:
    way = catalog.find(name, None, 1)
    way.store_many(tmp_path, work)
    reader = way.reader(tmp_path, work)
    rows = np.array([4, 1, 5, 0])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: reader.read(rows), range(40)))
    reader.close()
    assert [difference(each, work, rows) for each in found] == [None] * 40


@pytest.mark.parametrize("name", [*catalog.TUTORIAL, *catalog.BY_HAND, *OURS])
def test_every_way_stores_and_reads_a_single_image(work: Work, tmp_path: Path, name: str) -> None:
    way = catalog.find(name, None, 1)
    way.store_one(tmp_path, work)
    first = replace(work, images=work.images[:1], labels=work.labels[:1])
    assert difference(way.read_one(tmp_path, first), first, np.arange(1)) is None


@pytest.mark.parametrize("is_encoded", [True, False])
@pytest.mark.parametrize("is_uniform", [True, False])
def test_the_lab_compares_by_hand_what_the_images_fit(is_encoded: bool, is_uniform: bool) -> None:
    names = catalog.lab_names(is_built_in=False, is_encoded=is_encoded, is_uniform=is_uniform)
    catalog.check(names, has_source=True)
    assert {*catalog.TUTORIAL, "hand-files", "hand-lmdb"} <= set(names)
    assert ("hand-memmap" in names) == is_uniform
    assert ("hand-hdf5" in names) == (is_uniform or is_encoded)


def assert_reads(way: Way, folder: Path, work: Work) -> None:
    reader = way.reader(folder, work)
    for rows in ROWS:
        wanted = np.array([row for row in rows if row < len(work)], dtype=np.int64)
        assert difference(reader.read(wanted), work, wanted) is None, rows
    reader.close()
    assert difference(way.read_many(folder, work), work, np.arange(len(work))) is None
    assert difference(way.read_shuffled(folder, work), work, work.order) is None


UNKNOWN = [
    ([], "name some"),
    (["packed/png"] * 2, "twice"),
    (["nothing/png"], "no engine 'nothing'"),
    (["png"], "no way 'png'"),
]


@pytest.mark.parametrize(("names", "match"), UNKNOWN)
def test_unknown_and_double_names_are_refused(names: list[str], match: str) -> None:
    with pytest.raises(InvalidInputError, match=match):
        catalog.check(names, has_source=True)


def test_the_source_needs_a_source() -> None:
    with pytest.raises(InvalidInputError, match="needs a SOURCE"):
        catalog.check(["source"], has_source=False)
