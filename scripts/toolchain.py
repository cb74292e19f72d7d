"""What the project's scripts share: where things are, one log of all that is run, and the tools that the native core is built with."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NATIVE = ROOT / "native"
LOCK = ROOT / "requirements.lock"
UV = VENV / "uv" / "bin" / "uv"
LOG = VENV / "prepare.log"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
SHOWN_LINES = 15


class SetupError(Exception):
    """The setup cannot go on; the message is one line for the user."""


def environment() -> dict[str, str]:
    """Return the environment for child processes: tools of .venv first, caches where they can be written."""
    found = dict(os.environ)
    found.pop("PYTHONPATH", None)
    found.pop("PYTHONHOME", None)
    home = Path(found.get("HOME", "/"))
    nasm = VENV / "nasm" / "usr" / "bin"
    found["PATH"] = os.pathsep.join([str(VENV / "bin"), str(nasm), found.get("PATH", ""), str(home / ".cargo" / "bin")])
    found["VIRTUAL_ENV"] = str(VENV)
    found["CARGO_TARGET_DIR"] = str(NATIVE / "target")
    found["UV_LINK_MODE"] = "copy"
    # Networks with an authority of their own have it in the system's store, which uv does not look into unasked.
    if AUTHORITIES.exists():
        found.setdefault("UV_SYSTEM_CERTS", "true")
    if not os.access(home, os.W_OK):
        found.setdefault("UV_CACHE_DIR", str(VENV / "cache" / "uv"))
        found.setdefault("PIP_CACHE_DIR", str(VENV / "cache" / "pip"))
        found.setdefault("CARGO_HOME", str(VENV / "cache" / "cargo"))
    return found


def succeeds(command: Sequence[object], *, cwd: Path = ROOT, extra: Mapping[str, str] | None = None) -> bool:
    """Run a command with its output in the log; return whether it ended well. A missing program is a failure."""
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("ab") as log:
        log.write(f"\n$ {' '.join(map(str, command))}\n".encode())
        log.flush()
        try:
            done = subprocess.run(
                [str(part) for part in command],
                cwd=cwd,
                env={**environment(), **(extra or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except OSError as error:
            log.write(f"{error}\n".encode())
            return False
    return done.returncode == 0


def require(command: Sequence[object], failure: str, *, cwd: Path = ROOT, extra: Mapping[str, str] | None = None) -> None:
    """Run a command; where it fails raise SetupError with the last lines of its output."""
    start = LOG.stat().st_size if LOG.exists() else 0
    if succeeds(command, cwd=cwd, extra=extra):
        return
    with LOG.open("rb") as log:
        log.seek(start)
        lines = log.read().decode(errors="replace").strip().splitlines()[-SHOWN_LINES:]
    raise SetupError("\n".join([*lines, f"{failure} (the whole log: {LOG.relative_to(ROOT)})"]))


def output(command: Sequence[object]) -> str | None:
    """Return what a command prints, None where it is missing or fails."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def find(program: str) -> str | None:
    """Return the path of a program, seen from the environment of child processes."""
    return shutil.which(program, path=environment()["PATH"])


def is_root() -> bool:
    """Return whether this process may install system packages."""
    return os.geteuid() == 0


def apt_install(package: str) -> bool:
    """Install a system package where this is root on an apt system; return whether that worked."""
    if not is_root() or find("apt-get") is None:
        return False
    install = ["apt-get", "install", "-y", "--no-install-recommends", package]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    return succeeds(install, extra=quiet) or (succeeds(["apt-get", "update"], extra=quiet) and succeeds(install, extra=quiet))


def apt_unpack(package: str, folder: Path) -> bool:
    """Unpack a system package into a folder without installing it; return whether that worked."""
    if find("apt-get") is None or find("dpkg") is None:
        return False
    with tempfile.TemporaryDirectory() as download:
        if not succeeds(["apt-get", "download", package], cwd=Path(download)):
            return False
        return all(succeeds(["dpkg", "-x", archive, folder]) for archive in Path(download).glob("*.deb"))


def native_forced() -> bool:
    """Return whether PIXSTORE_CORE asks for the native core, so that doing without it is a failure."""
    return os.environ.get("PIXSTORE_CORE") == "native"


def native_obstacle() -> str | None:
    """Return why the native core cannot be built here, None where it can. Brings nasm where it can."""
    if find("cargo") is None or find("rustc") is None:
        return f"no cargo on PATH; install Rust {rust_version()} or newer"
    found = re.match(r"rustc (\d+\.\d+)", output(["rustc", "--version"]) or "")
    if found is None:
        return "rustc does not run"
    if as_numbers(found[1]) < as_numbers(rust_version()):
        return f"rustc is {found[1]}; install Rust {rust_version()} or newer"
    if find("cc") is None:
        return "no C compiler; install gcc"
    if platform.machine() in ("x86_64", "AMD64") and not bring_nasm():
        return "no nasm, which the SIMD code of the JPEG decoder needs; install the package nasm"
    if not succeeds(["cargo", "fetch", "--locked"], cwd=NATIVE):
        return "its crates cannot be fetched; is there a network?"
    return None


def bring_nasm() -> bool:
    """Return whether nasm is here: from the system, installed as root, or unpacked into .venv."""
    return find("nasm") is not None or apt_install("nasm") or (apt_unpack("nasm", VENV / "nasm") and find("nasm") is not None)


def rust_version() -> str:
    """Return the oldest Rust that builds the core, as its Cargo.toml says."""
    with (NATIVE / "Cargo.toml").open("rb") as file:
        manifest = tomllib.load(file)
    package = manifest.get("workspace", manifest).get("package", {})
    return str(package["rust-version"])


def as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def stop(message: object) -> int:
    """Print why a script ends and return its exit status."""
    print(message, file=sys.stderr)
    return 1
