"""`pixstore --version`: what a report of a fault should say about libraries, core, SIMD and CPUs."""

from __future__ import annotations

from pathlib import Path

from pixstore.bench import machine
from pixstore.cli.words import as_count, printable


def describe() -> str:
    """Return the versions of everything that takes part, one per line, pixstore's own first."""
    found = machine.describe(Path())
    core = found["core_info"]
    versions = dict(found["versions"])
    lines = [
        f"pixstore {versions.pop('pixstore', 'not installed')}",
        f"core: {found['core']} {core['version']}, {core['profile']}, SIMD {core['simd'] or 'none'}, {as_count(found['cpus'], 'CPU')}",
        f"Python {found['python']}, {found['system']} {found['machine']}, {found['cpu']}",
    ]
    libraries = {**versions, **core["libraries"]}
    lines += [f"{name} {number}" for name, number in libraries.items()]
    return "\n".join(printable(line) for line in lines)
