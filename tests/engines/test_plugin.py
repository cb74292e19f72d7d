"""An engine that pixstore does not know, brought by another package's entry point, passes the suite unchanged."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore import registry
from pixstore.errors import InvalidInputError
from pixstore.testing import EngineConformance

SOURCE = Path(__file__).with_name("sqlite_engine.py")


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Install the engine as pip would: its module, and metadata that name the entry point."""
    site = tmp_path_factory.mktemp("site")
    shutil.copy(SOURCE, site / "pixstore_sqlite.py")
    metadata = site / "pixstore_sqlite-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pixstore-sqlite\nVersion: 1.0\n")
    entries = ["[pixstore.engines]", "sqlite = pixstore_sqlite:ENGINE", "broken = pixstore_sqlite:SqliteReader"]
    (metadata / "entry_points.txt").write_text("\n".join(entries))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        registry.engine.cache_clear()
        EngineFromEntryPoint.engine = registry.engine("sqlite")
        yield
    registry.engine.cache_clear()


class EngineFromEntryPoint(EngineConformance):
    pass


class TestConformance(EngineFromEntryPoint):
    pass


def test_a_store_is_written_and_read_with_the_plugin(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), np.uint8)
    with pixstore.Writer(tmp_path / "a.pixstore", engine="sqlite", codec="png") as writer:
        writer.add_batch(images)
    dataset = pixstore.open(tmp_path / "a.pixstore")
    assert np.array_equal(dataset[[4, 0]]["image"], images[[4, 0]])


def test_the_plugin_is_listed() -> None:
    assert "sqlite" in registry.engine_names()


def test_what_is_no_engine_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="broken"):
        registry.engine("broken")
