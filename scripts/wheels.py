"""Builds both wheels into dist/, installs them into an empty environment that sees no compiler, and writes and reads a store there."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import toolchain
from toolchain import LOCK, NATIVE, PYTHON, ROOT, UV, SetupError, require

DIST = ROOT / "dist"

TRIAL = """
import shutil, sys, numpy, pixstore
assert shutil.which("cc") is None and shutil.which("cargo") is None
images = numpy.random.default_rng(0).integers(0, 256, (20, 8, 9, 3), numpy.uint8)
for engine in ("packed", "files", "lmdb", "hdf5"):
    with pixstore.Writer(f"{sys.argv[1]}/{engine}", engine=engine, codec="png") as writer:
        writer.add_batch(images, label=list(range(20)))
    with pixstore.open(f"{sys.argv[1]}/{engine}") as dataset:
        assert (dataset[:]["image"] == images).all() and dataset[7]["label"] == 7
assert pixstore.codec.core_name() == sys.argv[2], pixstore.codec.core_name()
"""


def main() -> int:
    try:
        wheels, core = build()
        with tempfile.TemporaryDirectory() as folder:
            attempt(Path(folder), wheels, core)
    except SetupError as error:
        return toolchain.stop(error)
    for wheel in wheels:
        print(f"dist/{wheel.name} ({wheel.stat().st_size / 1e6:.1f} MB)")
    print(f"wheels: installed into an empty environment without compiler, wrote and read with each engine on the {core} core")
    return 0


def build() -> tuple[list[Path], str]:
    """Return the wheels, and the core that they bring: without Rust there is one wheel, and the reference path."""
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    package = ["build", "--wheel", "--no-build-isolation", "--python", PYTHON, "--out-dir", DIST]
    require([UV, *package, ROOT], "the wheel of pixstore could not be built")
    obstacle = toolchain.native_obstacle()
    if obstacle is None:
        core = ["build", "--release", "--locked", "--interpreter", PYTHON, "--out", DIST]
        require(["maturin", *core], "the wheel of pixstore-native could not be built", cwd=NATIVE / "python")
    elif toolchain.native_forced():
        raise SetupError(f"PIXSTORE_CORE=native asks for the native core, which cannot be built: {obstacle}")
    else:
        print(f"wheels: no wheel of pixstore-native: {obstacle}")
    return sorted(DIST.glob("*.whl")), "reference" if obstacle else "native"


def attempt(folder: Path, wheels: list[Path], core: str) -> None:
    """Install the wheels with their pinned libraries into an empty environment and use them there."""
    python = folder / "empty" / "bin" / "python"
    require([UV, "venv", "--python", PYTHON, folder / "empty"], "the empty environment could not be made")
    options = ["--only-binary", ":all:", "--constraint", without_hashes(folder), "--python", python]
    require([UV, "pip", "install", *options, *wheels], "the wheels could not be installed into an empty environment")
    nothing = folder / "nothing"
    nothing.mkdir()
    bare = {"PATH": str(nothing), "PIXSTORE_CORE": core, "PYTHONPATH": ""}
    require([python, "-c", TRIAL, folder, core], "the installed wheels do not work", cwd=folder, extra=bare)


def without_hashes(folder: Path) -> Path:
    """Return the locked versions as constraints; the two wheels themselves have no hash to require."""
    constraints = folder / "constraints.txt"
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    constraints.write_text("\n".join(line.removesuffix("\\") for line in lines if "==" in line and line[0].isalpha()) + "\n")
    return constraints


if __name__ == "__main__":
    sys.exit(main())
