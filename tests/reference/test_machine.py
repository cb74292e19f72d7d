"""What the reference says of itself and of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixstore import reference
from pixstore.reference import machine


def test_usable_cpus_follow_the_quota_of_a_cgroup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(8)))
    for text, expected in (("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1), ("6400000 100000", 8), ("", 8)):
        monkeypatch.setattr(Path, "read_text", lambda *_, text=text, **__: text)
        assert machine.usable_cpus() == expected


def test_info_names_itself_and_its_libraries() -> None:
    found = machine.info()
    assert (found["version"], found["profile"]) == ("reference", "release")
    assert {"numpy", "pillow", "xxhash", "zlib"} == found["libraries"].keys()


def test_every_public_name_is_there() -> None:
    assert all(callable(getattr(reference, name)) for name in reference.__all__)
