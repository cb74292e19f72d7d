"""docs/guides/training.md, followed word for word in an empty environment made from the wheels."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROJECT = Path(__file__).resolve().parents[1]
GUIDE = PROJECT / "docs" / "guides" / "training.md"
BLOCK = re.compile(r"^```(?P<kind>sh|python file=(?P<file>[\w.]+))\n(?P<text>.*?)^```$", re.M | re.S)
UV = PROJECT / ".venv" / "bin" / "uv"
# The same commands through uv, whose cache has torch's gigabytes already.
QUICKER = (
    ("python3 -m venv training", f"{UV} venv --quiet training"),
    ("training/bin/pip install", f"{UV} pip install --quiet --python training"),
)


def photos(folder: Path) -> None:
    """Make two classes of photos that a small network tells apart, and a file that is none."""
    rng = np.random.default_rng(0)
    for label, level in (("day", 190), ("night", 60)):
        (folder / label).mkdir(parents=True)
        for number in range(30):
            height, width = rng.integers(80, 160, 2)
            pixels = np.clip(rng.normal(level, 30, (height, width, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.jpg", quality=90)
    (folder / "notes.txt").write_text("not an image")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Follow the guide; return everything that its commands print."""
    work = tmp_path_factory.mktemp("guide")
    photos(work / "photos")
    run(["make", "wheel"], PROJECT)
    (work / "dist").symlink_to(PROJECT / "dist")
    printed = []
    for block in BLOCK.finditer(GUIDE.read_text(encoding="utf-8")):
        if block["file"]:
            (work / block["file"]).write_text(block["text"])
            continue
        for line in block["text"].splitlines():
            for asked, done in QUICKER:
                line = line.replace(asked, done)
            printed.append(run(["sh", "-c", line], work))
    return "".join(printed)


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def test_guide_leads_to_a_network_that_tells_the_classes_apart(said: str) -> None:
    right = [int(each) for each in re.findall(r"epoch 2: .* (\d+) of 12 right", said)]
    assert len(right) == 2 and min(right) >= 9, said


def test_guide_shows_what_is_in_the_folder(said: str) -> None:
    assert "60" in said and "day" in said and "notes.txt" in said
