"""Every snippet of docs/formats.md reads the image that was stored, without pixstore, in six lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixstore
from pixstore import registry

DOCUMENT = Path(__file__).resolve().parents[1] / "docs/formats.md"
SNIPPET = re.compile(r"^```python engine=(?P<engine>\w+) codec=(?P<codec>\w+)(?: after=(?P<after>\d+))?\n(?P<code>.*?)^```$", re.M | re.S)
MOST_LINES = 6


@dataclass(frozen=True)
class Snippet:
    engine: str
    codec: str
    code: str
    first: str
    """What the page has the reader run before: an earlier snippet, or nothing."""

    def __str__(self) -> str:
        return f"{self.engine}/{self.codec}"


def snippets() -> list[Snippet]:
    found = list(SNIPPET.finditer(DOCUMENT.read_text(encoding="utf-8")))
    return [
        Snippet(each["engine"], each["codec"], each["code"], found[int(each["after"])]["code"] if each["after"] else "") for each in found
    ]


def images() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (5, 12, 10, 3), np.uint8)


@pytest.mark.parametrize("snippet", snippets(), ids=str)
def test_a_snippet_reads_the_image_without_pixstore(snippet: Snippet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(snippet.code.splitlines()) <= MOST_LINES
    assert "pixstore" not in re.findall(r"[\w.]+", snippet.code.replace("cats.pixstore", ""))
    with pixstore.Writer(tmp_path / "cats.pixstore", engine=snippet.engine, codec=snippet.codec) as writer:
        writer.add_batch(images())
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(snippet.first + snippet.code, names)
    assert np.array_equal(np.asarray(names["image"]), images()[2])


def test_a_damaged_record_fails_the_checksum_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snippet = next(each for each in snippets() if "xxhash" in each.code)
    with pixstore.Writer(tmp_path / "cats.pixstore", engine=snippet.engine, codec=snippet.codec) as writer:
        writer.add_batch(images())
    pixels = next((tmp_path / "cats.pixstore/shards").glob("*.bin"))
    names: dict[str, Any] = {}
    monkeypatch.chdir(tmp_path)
    exec(snippet.first, names)
    offset = names["record"]["offset"]
    whole = bytearray(pixels.read_bytes())
    whole[offset + names["record"]["length"] - 1] ^= 1
    pixels.write_bytes(whole)
    with pytest.raises(AssertionError):
        exec(snippet.first + snippet.code, names)


def test_the_page_shows_every_engine() -> None:
    assert {each.engine for each in snippets()} == set(registry.ENGINES)
    assert len(snippets()) == DOCUMENT.read_text(encoding="utf-8").count("```python")
