"""One environment per peer, made by uv from the versions pinned in its requirements.txt; they lie in .peers/."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PEERS = ROOT / ".peers"
LOGS = ROOT / "docs" / "peers"
UV = Path(sys.executable).with_name("uv")
PYTHON = "3.11"
FINGERPRINT = "requirements.sha256"
OURS = ("pixstore", "gather")
"""These run in pixstore's own environment."""


class NotInstalledError(Exception):
    """A peer could not be installed; its log says why."""


def python(peer: str) -> Path:
    """Return the interpreter of a peer's environment, made if it is not there or if its requirements changed.

    Raises NotInstalledError, and leaves docs/peers/PEER.log, where that fails.
    """
    if peer in OURS:
        return Path(sys.executable)
    requirements = HERE / peer / "requirements.txt"
    place = PEERS / peer
    interpreter = place / "bin" / "python"
    fingerprint = hashlib.sha256(requirements.read_bytes()).hexdigest()
    mark = place / FINGERPRINT
    if mark.exists() and mark.read_text() == fingerprint:
        return interpreter
    print(f"installing {peer}", flush=True)
    _run(peer, [str(UV), "venv", "--quiet", "--clear", "--python", PYTHON, str(place)])
    # --no-deps: the file names everything; FFCV asks for an OpenCV that needs a display, and gets one that does not.
    _run(peer, [str(UV), "pip", "install", "--quiet", "--no-deps", "--python", str(interpreter), "--requirement", str(requirements)])
    mark.write_text(fingerprint)
    (LOGS / f"{peer}.log").unlink(missing_ok=True)
    return interpreter


def _run(peer: str, command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode == 0:
        return
    LOGS.mkdir(parents=True, exist_ok=True)
    (LOGS / f"{peer}.log").write_text(_plain(done.stdout), encoding="utf-8")
    raise NotInstalledError(f"{peer} does not install: docs/peers/{peer}.log")


def _plain(text: str) -> str:
    """Return a log without what belongs to this machine alone: paths and addresses."""
    for path in (str(ROOT), str(Path.home()), os.path.realpath(sys.base_prefix)):
        text = text.replace(path, "…")
    return re.sub(r"https?://[^\s)`'\"]+", "(address)", text)
