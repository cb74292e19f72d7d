"""`pixstore versions`: number, time, samples, new bytes, tags."""

from __future__ import annotations

import json
from pathlib import Path


def test_each_version_is_a_line(pixstore, store: Path) -> None:
    assert pixstore("tag", store, "first", "--version", 1).status == 0
    done = pixstore("versions", store)
    first, second = done.out.splitlines()
    assert done.status == 0 and "3 samples" in first and "[first]" in first and "(current)" not in first
    assert "2 samples" in second and "(current)" in second and "packed, process" in second


def test_json_has_all_that_is_known(pixstore, store: Path) -> None:
    found = json.loads(pixstore("versions", store, "--json", "-").out)["versions"]
    assert [(each["number"], each["rows"], each["is_current"]) for each in found] == [(1, 3, False), (2, 2, True)]
    assert found[0]["new_bytes"] > found[1]["new_bytes"] == 0


def test_damaged_version_is_told_among_the_others(pixstore, store: Path) -> None:
    (store / "versions" / "00000001.json").write_text("\x1b[31m")
    done = pixstore("versions", store)
    assert done.status == 0 and "damaged" in done.out.splitlines()[0] and "\x1b" not in done.out


def test_what_is_no_store_is_refused(pixstore, photos: Path) -> None:
    done = pixstore("versions", photos)
    assert done.status == 2 and "not a pixstore store" in done.err and done.out == ""
