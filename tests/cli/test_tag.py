"""`pixstore tag`: names given and taken away."""

from __future__ import annotations

from pathlib import Path

from pixstore.manifest import load


def test_name_is_given_moved_and_taken_away(pixstore, store: Path) -> None:
    assert pixstore("tag", store, "good").out == f"{store}: version 2 is tagged good\n"
    refused = pixstore("tag", store, "good", "--version", "1")
    assert refused.status == 2 and "version 2 is tagged 'good' already" in refused.err
    assert pixstore("tag", store, "good", "--version", "1", "--replace").status == 0 and load(store).tags == {"good": 1}
    assert pixstore("tag", store, "good", "--remove").out == f"{store}: version 1 is no longer tagged good\n" and load(store).tags == {}


def test_contradictions_and_numbers_are_refused(pixstore, store: Path) -> None:
    assert pixstore("tag", store, "good", "--remove", "--version", "1").status == 2
    assert "put a letter into it" in pixstore("tag", store, "7").err
