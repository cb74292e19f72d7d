"""The contract for sources, as every built-in one keeps it: it looks before it opens, and never raises while it looks."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from pixstore import registry
from pixstore.source import Source, SourceOptions, SourceReport

SOURCES = [importlib.import_module(f"pixstore.sources.{name}").SOURCE for name in registry.SOURCES]
CONTENTS = [b"", b"\x00" * 100, b"words", b"\x80\x04.", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b\x08", b"\xfd7zXZ\x00", bytes(range(256)) * 4]


def test_contract_cannot_be_used_half_implemented() -> None:
    class Half(Source):
        name = "half"

    with pytest.raises(TypeError, match="abstract"):
        Half()  # type: ignore[abstract]


def test_reports_share_nothing() -> None:
    first, second = SourceReport(), SourceReport()
    first.notes.append("a")
    assert second.notes == [] and second.skipped == []


def test_nothing_is_stated_by_default() -> None:
    assert SourceOptions().label_from is None


@pytest.mark.parametrize("source", SOURCES, ids=registry.SOURCES)
def test_source_has_a_name_that_people_use(source: type[Source]) -> None:
    assert issubclass(source, Source)
    assert source.name and "_" not in re.sub(r"\bmeta_info\b", "", source.name)


@pytest.mark.parametrize("source", SOURCES, ids=registry.SOURCES)
@pytest.mark.parametrize("content", CONTENTS, ids=range(len(CONTENTS)))
@pytest.mark.parametrize("name", ["data_batch_1", "data.mdb", "a.h5", "a.tar.gz", "a.bin", "a.png"])
def test_looking_never_raises_and_creates_nothing(source: type[Source], content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    for path in (tmp_path, tmp_path / name, tmp_path / "nowhere"):
        assert source.recognises(path) in (True, False)
    assert [path.name for path in tmp_path.iterdir()] == [name]
