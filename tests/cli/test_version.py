"""What `pixstore --version` tells."""

from __future__ import annotations

import pytest

from pixstore import codec
from pixstore.cli.version import describe


def test_first_lines_are_pixstore_core_and_machine() -> None:
    first, core, machine, *libraries = describe().splitlines()
    assert first.startswith("pixstore ")
    assert core.startswith(f"core: {codec.core_name()} ") and "SIMD" in core and "CPU" in core
    assert machine.startswith("Python 3.")
    assert len(libraries) == len(set(libraries)) >= 6


def test_missing_package_metadata_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixstore.bench.machine._versions", dict)
    assert describe().startswith("pixstore not installed\n")
