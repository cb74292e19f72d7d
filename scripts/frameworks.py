"""Makes .venv-frameworks, where the gigabytes of PyTorch, TensorFlow, JAX, Keras and Ray lie, and runs the tests that need them.

A test that is skipped there is a failure. Each framework has a process of its own: none is to depend on what another one sets up.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import prepare
import toolchain
from toolchain import ROOT, UV, SetupError, require

VENV = ROOT / ".venv-frameworks"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements-frameworks.lock"
DONE = VENV / "prepared.txt"
NEEDED_BYTES = 16_000_000_000
"""7.5 GB unpacked, as much again where uv's cache is on another file system."""
# Gigabytes are linked from uv's cache where they can be; a file of half a gigabyte may take its time.
LINKS = {"UV_LINK_MODE": "hardlink", "UV_HTTP_TIMEOUT": "600"}


@dataclass(frozen=True)
class Round:
    """Tests of one process, and after how many seconds one of them counts as hanging."""

    paths: Sequence[str]
    watchdog_seconds: int
    marks: str = "not slow"


ROUNDS = (
    *(Round([f"tests/test_{name}.py"], 60) for name in ("torch", "tensorflow", "jax", "keras")),
    Round(["tests/test_foreign_readers.py", "tests/layouts/test_mds_streaming.py"], 120),
    Round(["tests/executors/test_ray_cluster.py"], 300),
    Round(["tests/test_guide.py"], 900),
    Round(["tests/examples"], 180),
    Round(["tests/examples"], 600, "slow"),
)


def main() -> int:
    try:
        make_environment()
    except SetupError as error:
        return toolchain.stop(error)
    return run_tests()


def make_environment() -> None:
    """Install what requirements-frameworks.lock pins, unless it is there, and the native core and pixstore as .venv has them."""
    pinned = prepare.BASE + prepare.digest([LOCK])
    if not DONE.exists() or DONE.read_text() != pinned:
        require_space()
        print("frameworks: libraries, as requirements-frameworks.lock pins them (3.5 GB to download) ", end="", flush=True)
        start = time.monotonic()
        install_libraries()
        DONE.write_text(pinned)
        print(f"({time.monotonic() - start:.0f} s)", flush=True)
    install = [UV, "pip", "install", "--no-deps", "--python", PYTHON]
    require([*install, "--no-build-isolation", "--editable", ROOT], "pixstore could not be installed into .venv-frameworks")
    wheels = sorted(prepare.WHEELS.glob("*.whl"))
    if wheels and os.environ.get("PIXSTORE_CORE") != "reference":
        require([*install, "--reinstall", *wheels], "the native core could not be installed into .venv-frameworks")
    elif toolchain.native_forced():
        raise SetupError("PIXSTORE_CORE=native asks for the native core, which .venv does not have: run make setup")


def require_space() -> None:
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES:
        raise SetupError(
            f"the frameworks need {NEEDED_BYTES / 1e9:.0f} GB of free disk in {ROOT}, which has {free / 1e9:.1f}: make room, then repeat"
        )


def install_libraries() -> None:
    DONE.unlink(missing_ok=True)
    require([UV, "venv", "--clear", "--python", sys.executable, VENV], "the environment .venv-frameworks could not be made")
    options = ["--require-hashes", "--only-binary", ":all:", "--python", PYTHON]
    require([UV, "pip", "sync", *options, LOCK], "the frameworks could not be installed; is there a network?", extra=LINKS)


def run_tests() -> int:
    """Run every round; return 1 where a test failed or was skipped, or a round had none."""
    failed = 0
    for each in ROUNDS:
        report = VENV / "report.xml"
        report.unlink(missing_ok=True)
        options = ["-q", "-rs", "-m", each.marks, "-o", f"faulthandler_timeout={each.watchdog_seconds}", f"--junitxml={report}"]
        print(f"frameworks: {' '.join(each.paths)} ({each.marks})", flush=True)
        command = [str(PYTHON), "-m", "pytest", *options, *each.paths]
        done = subprocess.run(command, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, check=False)
        skipped = skipped_tests(report)
        if skipped:
            print(f"frameworks: {skipped} skipped, which here is a failure", flush=True)
        failed |= done.returncode != 0 or skipped > 0
    return int(failed)


def environment() -> dict[str, str]:
    """Return the environment of the tests: PIXSTORE_FRAMEWORKS has their files collected."""
    found = toolchain.environment()
    found["VIRTUAL_ENV"] = str(VENV)
    found["PATH"] = os.pathsep.join([str(VENV / "bin"), found["PATH"]])
    return {**found, **LINKS, "PIXSTORE_FRAMEWORKS": "1", "TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "jax"}


def skipped_tests(report: Path) -> int:
    """Return how many tests the report counts as skipped; none where pytest wrote no report."""
    if not report.exists():
        return 0
    return sum(int(suite.get("skipped", "0")) for suite in ElementTree.parse(report).iter("testsuite"))


if __name__ == "__main__":
    sys.exit(main())
