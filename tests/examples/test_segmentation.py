"""The segmentation example: photos and masks stay together through store, split and augmentation; on real photos it reaches its figure."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import pixstore

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "segmentation.py"
SAID = re.compile(r"^IoU (?P<overlap>[\d.]+) on (?P<count>\d+) photos that were not trained on, after (?P<seconds>\d+) s$", re.M)


def run(photos: Path, masks: Path, store: Path, *options: str) -> tuple[float, int]:
    """Run the example as a user does; return the overlap and how many photos it was measured on."""
    command = [sys.executable, str(EXAMPLE), str(photos), str(masks), str(store), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=590, check=False)
    assert done.returncode == 0, done.stderr
    said = SAID.search(done.stdout)
    assert said is not None, done.stdout
    print(done.stdout.splitlines()[-1])
    return float(said["overlap"]), int(said["count"])


def test_it_finds_bright_discs_whose_masks_have_other_sizes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    for number in range(60):
        width, height = (int(side) for side in rng.integers(60, 120, 2))
        left, top, side = (float(share) for share in rng.uniform((0.1, 0.1, 0.3), (0.5, 0.5, 0.5)))
        box = np.array([left, top, min(left + side, 1), min(top + side, 1)])
        photo = Image.fromarray(rng.integers(0, 100, (height, width, 3)).astype(np.uint8))
        ImageDraw.Draw(photo).ellipse(tuple(box * [width, height, width, height]), fill=(220, 200, 180))
        photo.save(tmp_path / "photos" / f"{number}.jpg", quality=95)
        # The mask of the same disc at half the size.
        mask = Image.new("L", (width // 2, height // 2))
        ImageDraw.Draw(mask).ellipse(tuple(box * [width // 2, height // 2, width // 2, height // 2]), fill=255)
        mask.save(tmp_path / "masks" / f"{number}.png")
    overlap, count = run(tmp_path / "photos", tmp_path / "masks", tmp_path / "s", "--epochs", "6")
    assert overlap > 0.7 and count == 12
    sample = pixstore.open(tmp_path / "s")["7"]
    assert sample["image"].shape[0] // 2 == sample["mask"].shape[0]


@pytest.mark.slow
def test_it_finds_the_people_in_real_photos(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "human-seg"
    overlap, count = run(folder / "Training_Images", folder / "Ground_Truth", tmp_path / "people.pixstore")
    assert overlap >= 0.65 and count == 58
