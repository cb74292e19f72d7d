"""`pixstore rollback`: forward to what was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pixstore as library


@pytest.mark.parametrize("version", ["1", "first"])
def test_store_holds_what_the_version_held(pixstore, store: Path, version: str) -> None:
    pixstore("tag", store, "first", "--version", 1)
    done = pixstore("rollback", store, version, "--json", "-")
    assert json.loads(done.out) == {"store": str(store), "version": 3, "of": version, "rows": 3}
    assert len(library.open(store)) == 3 and len(library.open(store, version=2)) == 2


def test_unknown_version_is_told_with_those_that_are_kept(pixstore, store: Path) -> None:
    done = pixstore("rollback", store, 9)
    assert done.status == 2 and "those that are: 1, 2" in done.err and len(library.open(store)) == 2
