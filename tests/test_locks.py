"""The committed locks pin everything by hash and name no place: no URL, no local path, no registry but crates.io's own name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
REQUIREMENTS = PROJECT / "requirements.lock"
LOCKS = (REQUIREMENTS, PROJECT / "requirements-frameworks.lock")
CRATES = PROJECT / "native" / "Cargo.lock"

# How cargo writes "from crates.io" into every lock; it is a name, mirrors replace it.
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"

PLACE = re.compile(r"[a-z+]+://|file:|git\+|(^|[\s=@])(/|\./|\.\./|~/)|^-|\bpypi\.|\.org\b|\.com\b|\.io\b|\blocalhost\b", re.IGNORECASE)
PINNED = re.compile(r"^[a-z0-9][a-z0-9-]*==[\w.+!-]+( ; .+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
ORIGIN = re.compile(r"^    # +(via|pixstore|[a-z0-9-]+|.*\(pyproject\.toml.*\))")


def faults_of_requirements(text: str) -> list[str]:
    """Return the lines that are neither a pinned package, nor a hash, nor the word on who asked for it; and those without a hash."""
    lines = text.splitlines()
    faults = [
        line
        for line in lines
        if PLACE.search(line.partition(" ; ")[0]) or not (PINNED.match(line) or HASH.match(line) or ORIGIN.match(line))
    ]
    for number, line in enumerate(lines):
        if PINNED.match(line) and not (number + 1 < len(lines) and HASH.match(lines[number + 1])):
            faults.append(f"{line}: no hash")
    return faults


def faults_of_crates(text: str) -> list[str]:
    """Return the packages that come neither from crates.io with a checksum nor from this workspace, and lines that name a place."""
    faults = [line for line in text.splitlines() if PLACE.search(line.replace(CRATES_IO, "").replace("# It is not", ""))]
    for package in tomllib.loads(text)["package"]:
        source = package.get("source")
        if source is None and not package["name"].startswith("pixstore-"):
            faults.append(f"{package['name']}: no source")
        if source is not None and (source != CRATES_IO or not re.fullmatch("[0-9a-f]{64}", package.get("checksum", ""))):
            faults.append(f"{package['name']}: {source} without checksum, or not crates.io")
    return faults


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_requirements_are_pinned_by_hash_and_name_no_place(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert faults_of_requirements(text) == []
    assert len(re.findall(r"^\S+==", text, re.MULTILINE)) > 20


def test_crates_are_pinned_by_checksum_and_name_no_place() -> None:
    assert faults_of_crates(CRATES.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "name",
    ["numpy", "pyarrow", "lmdb", "h5py", "pillow", "xxhash", "typer", "rich", "matplotlib", "pytest", "ruff", "mypy", "maturin", "uv"],
)
def test_requirements_hold_what_the_project_needs(name: str) -> None:
    assert re.search(rf"^{name}==", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.invalid/simple",
        "--find-links /opt/wheels",
        "numpy @ file:///tmp/numpy.whl",
        "-e .",
        "./native",
        "numpy>=2",
        "    # from https://example.invalid",
        "numpy==2.4.6 \\\n    # via pixstore (pyproject.toml)",
    ],
)
def test_fault_in_requirements_is_found(line: str) -> None:
    sound = f"rich==15.0.0 \\\n    --hash=sha256:{'0' * 64}\n    # via pixstore (pyproject.toml)\n"
    assert faults_of_requirements(sound) == []
    assert faults_of_requirements(sound + line + "\n") != []


@pytest.mark.parametrize(
    "entry",
    [
        'name = "a"\nversion = "1.0.0"\n',
        f'name = "a"\nversion = "1.0.0"\nsource = "{CRATES_IO}"\n',
        f'name = "a"\nversion = "1.0.0"\nsource = "git+https://example.invalid/a"\nchecksum = "{"0" * 64}"\n',
    ],
)
def test_fault_in_crates_is_found(entry: str) -> None:
    sound = f'[[package]]\nname = "png"\nversion = "1.0.0"\nsource = "{CRATES_IO}"\nchecksum = "{"0" * 64}"\n'
    assert faults_of_crates(sound) == []
    assert faults_of_crates(f"{sound}\n[[package]]\n{entry}") != []
