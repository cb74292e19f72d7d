"""Every layout that people have × every engine: opened in place, converted, exported again, and nothing was lost that was not named.

The pairs are made from the registries: a source, an engine or a layout that is registered is in here, and a source without a maker in
tests/sources/conftest.py fails.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import lmdb
import pytest
from PIL import Image

import pixstore
from pixstore import registry
from pixstore.errors import InvalidInputError
from pixstore.layouts import catalog
from pixstore.source import Source
from pixstore.sources import lmdb_databases

sys.path.append(str(Path(__file__).parent))
contents = importlib.import_module("contents")
SOURCE_TESTS = Path(__file__).parent / "sources"
FOLDER = "folder"


def load_makers() -> ModuleType:
    """Return tests/sources/conftest.py, which makes one example of every foreign layout with the tools of others."""
    if str(SOURCE_TESTS) not in sys.path:
        sys.path.append(str(SOURCE_TESTS))
    specification = importlib.util.spec_from_file_location("made_by_others", SOURCE_TESTS / "conftest.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["made_by_others"] = module
    specification.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Example:
    """One layout on disk: the class of its source (None where several are joined), and what `pixstore.open` takes."""

    source: type[Source] | None
    where: Any


def of_path(make: Callable[[Path], Any]) -> Callable[[Path], Example]:
    """Return a maker of examples for one that makes a path."""

    def made(folder: Path) -> Example:
        found = make(folder)
        return Example(found.source, found.path)

    return made


def named_database(folder: Path) -> Example:
    """Encoded images in one of two databases of an LMDB file."""
    with lmdb.open(str(folder / "sets.lmdb"), max_dbs=2, subdir=False, lock=False) as environment:
        for name in ("train", "other"):
            with environment.begin(write=True, db=environment.open_db(name.encode())) as transaction:
                for number in range(4):
                    transaction.put(f"{name}-{number}".encode(), png(number))
    return Example(lmdb_databases.SOURCE, f"{folder / 'sets.lmdb'}::train")


def image_and_mask(folder: Path) -> Example:
    """Images and masks in two folders, joined by stem."""
    for name, mode in (("photos", "RGB"), ("masks", "L")):
        (folder / name).mkdir()
        for number in range(4):
            (folder / name / f"{number}.png").write_bytes(png(number, mode))
    return Example(None, {"image": folder / "photos", "mask": folder / "masks"})


def png(number: int, mode: str = "RGB") -> bytes:
    data = io.BytesIO()
    Image.effect_noise((7 + number, 6), 80).convert(mode).save(data, "png")
    return data.getvalue()


MAKERS: dict[str, Callable[[Path], Example]] = {
    **{name: of_path(make) for name, make in load_makers().LAYOUTS.items()},
    "lmdb-named-database": named_database,
    "image-and-mask": image_and_mask,
}
TIMES = max(len(registry.ENGINES), len(catalog.ALL))
PAIRS = [
    (maker, registry.ENGINES[turn % len(registry.ENGINES)], catalog.ALL[(turn + number) % len(catalog.ALL)].name)
    for number, maker in enumerate(sorted(MAKERS))
    for turn in range(TIMES)
]
"""Maker, engine, layout: each maker meets every engine, and every layout."""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Return what each maker makes, opened in place; made once."""

    @cache
    def open_made(maker: str) -> Any:
        return contents.Contents.of(pixstore.open(MAKERS[maker](tmp_path_factory.mktemp("made")).where))

    return open_made


@pytest.mark.parametrize(("maker", "engine", "layout"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_nothing_is_lost_that_is_not_named(maker: str, engine: str, layout: str, opened: Callable[[str], Any], tmp_path: Path) -> None:
    source = opened(maker)
    pixstore.convert(source.dataset, tmp_path / "s", engine=engine, durability="process", workers=1, threads=1)
    with pixstore.open(tmp_path / "s") as dataset:
        store = contents.Contents.of(dataset)
        contents.require_same(source, store)
        name, lost = exported(dataset, layout, tmp_path / "out")
        with pixstore.open(place_of(store, name, tmp_path / "out")) as found:
            contents.require_kept(store, contents.Contents.of(found), lost, is_folder=name == FOLDER)


def place_of(store: Any, name: str, parent: Path) -> Any:
    """Return what opens an export again: of folders those of all fields that are image files."""
    fields = [each.name for each in store.dataset.schema.fields if not each.is_stack]
    return {field: parent / name / field for field in fields} if name == FOLDER and len(fields) > 1 else parent / name


def exported(dataset: pixstore.Dataset, first: str, parent: Path) -> tuple[str, set[str]]:
    """Export to this layout, or to the next one that holds such images at all; return its name and what was lost."""
    start = [each.name for each in catalog.ALL].index(first)
    for layout in [*catalog.ALL[start:], *catalog.ALL[:start]]:
        try:
            report = pixstore.export(dataset, parent / layout.name, to=layout.name, accept="all", threads=1)
        except InvalidInputError as error:
            assert layout.name in str(error), "a refusal names the layout"
            continue
        return layout.name, {loss.name for loss in report.losses}
    raise AssertionError("no layout holds it")


def test_there_are_pairs_enough() -> None:
    assert len({(maker, engine) for maker, engine, _ in PAIRS}) == len(MAKERS) * len(registry.ENGINES) >= 100
    assert len({(maker, layout) for maker, _, layout in PAIRS}) == len(MAKERS) * len(catalog.ALL)


def test_every_source_that_is_registered_has_a_maker(tmp_path: Path) -> None:
    registered = {name: importlib.import_module(f"pixstore.sources.{name}").SOURCE for name in registry.SOURCES}
    made = set()
    for number, make in enumerate(MAKERS.values()):
        (tmp_path / str(number)).mkdir()
        made.add(make(tmp_path / str(number)).source)
    assert [name for name, source in registered.items() if source not in made] == []
