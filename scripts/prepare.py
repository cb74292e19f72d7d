"""Makes .venv: pinned libraries, the native core where Rust is at hand, pixstore itself.

A step whose inputs did not change is not run again.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import toolchain
from toolchain import LOCK, LOG, NATIVE, PYTHON, ROOT, UV, VENV, SetupError, require, succeeds

STATE = VENV / "prepared.json"
WHEELS = VENV / "wheels"
BASE = f"{sys.hexversion} {sys.base_prefix}"
"""Which Python this is; .venv is made again for another."""


def main() -> int:
    os.chdir(ROOT)
    done = read_state()
    try:
        title = "Python {}.{}.{} and uv in .venv".format(*sys.version_info)
        before = step(done, "environment", f"{BASE} {VENV}", title, make_environment)
        before = step(done, "libraries", before + digest([LOCK]), "libraries, as requirements.lock pins them", install_libraries)
        prepare_core(done, before)
        step(done, "package", before + digest([ROOT / "pyproject.toml"]), "pixstore, editable", install_package)
    except SetupError as error:
        return toolchain.stop(error)
    return 0


def read_state() -> dict[str, str]:
    """Return the fingerprint of each step that was done in this .venv; nothing where it does not work."""
    if not STATE.exists() or toolchain.output([PYTHON, "-c", "import sys"]) is None:
        return {}
    return {str(name): str(value) for name, value in json.loads(STATE.read_text()).items()}


def step(done: dict[str, str], name: str, fingerprint: str, title: str, run: Callable[[], None]) -> str:
    """Run a step unless its fingerprint is the one it was last done with; return the fingerprint."""
    if done.get(name) == fingerprint:
        return fingerprint
    print(f"setup: {title} ", end="", flush=True)
    start = time.monotonic()
    try:
        run()
    except SetupError:
        print("failed", flush=True)
        raise
    print(f"({time.monotonic() - start:.0f} s)", flush=True)
    done[name] = fingerprint
    STATE.write_text(json.dumps(done))
    return fingerprint


def digest(paths: Iterable[Path]) -> str:
    """Return a digest of these files' names and contents."""
    found = hashlib.sha256()
    for path in sorted(paths):
        found.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def make_environment() -> None:
    """Make .venv and bring the pinned uv from PyPI into it, whatever this Python lacks."""
    if VENV.exists() and toolchain.output([PYTHON, "-c", "import sys; print(sys.hexversion, sys.base_prefix)"]) != BASE:
        # Another Python, or one that no longer runs: its libraries are of no use.
        shutil.rmtree(VENV)
    if importlib.util.find_spec("venv") is None or (importlib.util.find_spec("ensurepip") is None and not has_pip()):
        bring_venv()
    require([sys.executable, "-m", "venv", "--without-pip", VENV], "the environment .venv could not be made")
    pinned = VENV / "uv.txt"
    pinned.write_text(locked("uv"))
    options = ["--quiet", "--require-hashes", "--only-binary", ":all:", "--upgrade", "--target", VENV / "uv"]
    require([*pip(), "install", *options, "--requirement", pinned], "uv could not be installed from PyPI; is there a network?")


def has_pip() -> bool:
    return importlib.util.find_spec("pip") is not None


def bring_venv() -> None:
    """Install what Debian leaves out of python3, where this is root; else a pip for this one use will do."""
    exact = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if toolchain.apt_install(exact) or toolchain.apt_install("python3-venv"):
        importlib.invalidate_caches()


def pip() -> list[object]:
    """Return the command of a pip that runs on this Python: its own, the one in ensurepip, or one unpacked from a system package."""
    if has_pip():
        return [sys.executable, "-m", "pip"]
    if importlib.util.find_spec("ensurepip") is not None:
        require([PYTHON, "-m", "ensurepip"], "pip could not be put into .venv")
        return [PYTHON, "-m", "pip"]
    if toolchain.apt_unpack("python3-pip-whl", VENV / "pip"):
        wheels = sorted((VENV / "pip").rglob("pip-*.whl"))
        if wheels:
            # A wheel is a zip archive that Python imports from.
            return [PYTHON, wheels[-1] / "pip"]
    raise SetupError(
        f"{sys.executable} has neither ensurepip nor pip: "
        "install the package python3-venv (Debian, Ubuntu) or python3-pip (Fedora), then repeat"
    )


def locked(name: str) -> str:
    """Return the entry of one package, hashes and all, from requirements.lock."""
    found = re.search(rf"^{re.escape(name)}==.*?(?=^\S)", LOCK.read_text() + "end", re.MULTILINE | re.DOTALL)
    if found is None:
        raise SetupError(f"requirements.lock does not pin {name}; run make lock")
    return found[0]


def install_libraries() -> None:
    options = ["--require-hashes", "--only-binary", ":all:", "--python", PYTHON]
    require([UV, "pip", "sync", *options, LOCK], "the libraries could not be installed; is there a network?")


def install_package() -> None:
    options = ["--no-deps", "--no-build-isolation", "--python", PYTHON, "--editable", ROOT]
    require([UV, "pip", "install", *options], "pixstore could not be installed into .venv")


def prepare_core(done: dict[str, str], before: str) -> None:
    """Build and install the native core, or say in one line why not and what is lost."""
    if os.environ.get("PIXSTORE_CORE") == "reference":
        return
    fingerprint = before + digest(native_sources())
    if done.get("core") == fingerprint:
        return
    obstacle = toolchain.native_obstacle()
    if obstacle is None:
        step(done, "core", fingerprint, "native core, compiled by cargo (takes a few minutes)", build_core)
        return
    if toolchain.native_forced():
        raise SetupError(f"PIXSTORE_CORE=native asks for the native core, which cannot be built: {obstacle}")
    # A core of other sources would be worse than none.
    succeeds([UV, "pip", "uninstall", "--python", PYTHON, "pixstore-native"])
    done.pop("core", None)
    print(f"setup: no native core: {obstacle}. The reference path gives the same results on one thread, many times slower.", flush=True)


def native_sources() -> list[Path]:
    wanted = (".rs", ".toml", ".lock", ".pyi", ".c", ".h")
    target = NATIVE / "target"
    return [path for path in NATIVE.rglob("*") if path.suffix in wanted and target not in path.parents and path.is_file()]


def build_core() -> None:
    shutil.rmtree(WHEELS, ignore_errors=True)
    build = ["maturin", "build", "--release", "--locked", "--interpreter", PYTHON, "--out", WHEELS]
    require(build, "the native core did not build; PIXSTORE_CORE=reference does without it", cwd=NATIVE / "python")
    install = [UV, "pip", "install", "--no-deps", "--reinstall", "--python", PYTHON, *WHEELS.glob("*.whl")]
    require(install, "the native core could not be installed into .venv")
    profile = toolchain.output([PYTHON, "-c", "import pixstore_native; print(pixstore_native.info()['profile'])"])
    if profile != "release":
        raise SetupError(f"the native core that was built does not run as a release build (it says {profile}); see {LOG.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
