"""The package of docs/guides/plugins.md, installed as pip would: its engine passes the suite unchanged, its source is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixstore
from pixstore import registry
from pixstore.errors import InvalidInputError
from pixstore.testing import EngineConformance

PAGE = Path(__file__).resolve().parents[2] / "docs/guides/plugins.md"
MODULE = re.compile(r"^```python module=(\S+)\n(.*?)^```$", re.M | re.S)
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
SUITE = re.compile(r"^```python test\n(.*?)^```$", re.M | re.S)
ENTRIES = re.compile(r"^```toml\n(.*?)^```$", re.M | re.S)


def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def entry_points() -> str:
    """Return the page's entry points as an installer writes them, and one that is no engine."""
    found = ENTRIES.findall(page())[0].replace('[project.entry-points."', "[").replace('"]', "]").replace('"', "")
    return str(found).replace("[pixstore.engines]", "[pixstore.engines]\nbroken = pixstore_shelf:ShelfReader")


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    site = tmp_path_factory.mktemp("site")
    for name, code in MODULE.findall(page()):
        (site / name).write_text(code, encoding="utf-8")
    metadata = site / "pixstore_shelf-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pixstore-shelf\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points())
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        registry.engine.cache_clear()
        EngineFromEntryPoint.engine = registry.engine("shelf")
        yield
    registry.engine.cache_clear()


class EngineFromEntryPoint(EngineConformance):
    pass


class TestConformance(EngineFromEntryPoint):
    pass


def test_the_suite_of_the_page_is_the_one_that_runs_here() -> None:
    names: dict[str, Any] = {}
    exec(SUITE.findall(page())[0], names)
    assert issubclass(names["TestShelf"], EngineConformance) and names["TestShelf"].engine is registry.engine("shelf")


def test_the_example_of_the_page_converts_with_its_source_and_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for code in EXAMPLE.findall(page()):
        exec(code, {})
    assert pixstore.open("digits.strip")[1].image[0, 0] == 16
    assert next((tmp_path / "digits.pixstore/shards").glob("*.shelf")).is_dir()


def test_every_block_of_the_page_is_run() -> None:
    count = sum(len(kind.findall(page())) for kind in (MODULE, EXAMPLE, SUITE, ENTRIES))
    assert count == page().count("```") / 2 == 5


def test_a_store_is_written_changed_and_read_with_the_plugin(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), np.uint8)
    with pixstore.Writer(tmp_path / "a.pixstore", engine="shelf", codec="png") as writer:
        writer.add_batch(images)
    with pixstore.Writer(tmp_path / "a.pixstore", mode="a") as writer:
        writer.delete("00000001")
    dataset = pixstore.open(tmp_path / "a.pixstore")
    assert np.array_equal(dataset[[3, 0]]["image"], images[[4, 0]]) and pixstore.verify(tmp_path / "a.pixstore").ok


def test_the_plugin_is_listed() -> None:
    assert "shelf" in registry.engine_names()


def test_what_is_no_engine_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="broken"):
        registry.engine("broken")
