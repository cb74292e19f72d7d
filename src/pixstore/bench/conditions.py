"""What differs between two runs besides what they measured: the machine, its speed, the images, how it was measured."""

from __future__ import annotations

from typing import Any

from pixstore.bench import words
from pixstore.bench.measurements import Measurements

MACHINE = {
    "cpu": "CPU",
    "cpus": "CPUs in use",
    "memory_bytes": "memory",
    "system": "system",
    "machine": "kind of machine",
    "file_system": "file system",
    "python": "Python",
    "core": "core",
    "core_info": "build of the core",
}
SOURCE = {
    "name": "images",
    "images": "number of images",
    "sampled": "images sampled",
    "dtype": "sample type",
    "largest": "largest shape",
    "mean_bytes": "mean bytes of an image",
    "codec": "codec of the images",
}
RUN = {"repeats": "least repeats", "most_repeats": "most repeats", "budget_seconds": "budget in seconds", "interrupted": "interrupted"}
YARDSTICKS = {
    "copy": "copying memory",
    "gather": "gathering from memory",
    "inflate": "inflating",
    "decode": "decoding",
    "write": "writing",
    "write-synced": "writing to the disk",
}


def differences(new: Measurements, old: Measurements) -> list[str]:
    """Return every condition in which the runs differ, as "CPUs in use: 2 → 4"."""
    pairs = [(words_for, old.machine.get(name), new.machine.get(name)) for name, words_for in MACHINE.items()]
    before, after = _versions(old), _versions(new)
    pairs += [(f"version of {name}", before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after])]
    pairs += [(words_for, old.source.get(name), new.source.get(name)) for name, words_for in SOURCE.items()]
    pairs += [(words_for, old.run.get(name), new.run.get(name)) for name, words_for in RUN.items()]
    pairs.append(("images that the machine's own speed was measured with", _limit(old, "images"), _limit(new, "images")))
    pairs += [(f"threads of {way}", _threads(old, way), _threads(new, way)) for way in new.ways if way in old.ways]
    return [f"{what}: {_shown(was)} → {_shown(now)}" for what, was, now in pairs if was != now]


def yardsticks(new: Measurements, old: Measurements) -> dict[str, float]:
    """Return new ÷ old seconds of what the machine can do at best, by what it does; empty where they are not of the same images."""
    after, before = new.run.get("limits", {}), old.run.get("limits", {})
    if any(after.get(name) != before.get(name) for name in ("images", "bytes")):
        return {}
    return {what: after[name] / before[name] for name, what in YARDSTICKS.items() if after.get(name) and before.get(name)}


def _versions(run: Measurements) -> dict[str, Any]:
    found = run.machine.get("versions", {})
    return found if isinstance(found, dict) else {}


def _limit(run: Measurements, name: str) -> Any:
    return run.run.get("limits", {}).get(name)


def _threads(run: Measurements, way: str) -> Any:
    return run.run.get("ways", {}).get(way, {}).get("threads")


def _shown(value: Any) -> str:
    if value is None:
        return "not told"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return words.rounded(value) if isinstance(value, float) else str(value)
