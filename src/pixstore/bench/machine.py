"""What a run was measured on: CPUs, memory, file system, versions. Nothing that names the user, the host or a path."""

from __future__ import annotations

import os
import platform
import re
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from PIL import features

from pixstore import codec, core
from pixstore.bench.ways import tutorial_hdf5, tutorial_lmdb

PACKAGES = ("pixstore", "pixstore-native", "numpy", "pillow", "lmdb", "h5py", "pyarrow")


def describe(folder: Path) -> dict[str, Any]:
    """Return the machine's description as results.json keeps it; `folder` is where the stores are written."""
    return {
        "cpu": _cpu(),
        "cpus": usable_cpus(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "file_system": file_system(folder),
        "free_bytes": shutil.disk_usage(folder).free,
        "python": platform.python_version(),
        "core": codec.core_name(),
        "core_info": codec.core_info(),
        "versions": _versions(),
    }


def usable_cpus() -> int:
    """Return how many CPUs our ways use."""
    return int(core.core().usable_cpus())


def file_system(folder: Path) -> str:
    """Return the type of the file system that holds this folder ("ext4"), "unknown" where the system does not tell."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown"
    best = ("", "unknown")
    place = os.path.realpath(folder)
    for line in mounts:
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        mount = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), parts[1])
        inside = place == mount or place.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best[0]):
            best = (mount, parts[2])
    return best[1]


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    found["HDF5"] = tutorial_hdf5.LIBRARY_VERSION
    found["LMDB"] = tutorial_lmdb.LIBRARY_VERSION
    for name in ("zlib", "zlib_ng", "libjpeg_turbo"):
        number = features.version(name)
        if number:
            found[f"Pillow's {name}"] = number
    return found
