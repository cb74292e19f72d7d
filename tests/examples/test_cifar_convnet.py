"""The CIFAR-10 example: learns from any store; on the real images it reaches its figure in its time from each engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore.writer import Writer

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "cifar_convnet.py"
SAID = re.compile(r"^(?P<percent>[\d.]+)% of (?P<count>[\d,]+) test images are right, after (?P<seconds>\d+) s$", re.M)


def run(source: Path, *options: str) -> tuple[float, int, int]:
    """Run the example as a user does; return percent right, how many test images, seconds."""
    done = subprocess.run([sys.executable, str(EXAMPLE), str(source), *options], capture_output=True, text=True, timeout=590, check=False)
    assert done.returncode == 0, done.stderr
    said = SAID.search(done.stdout)
    assert said is not None, done.stdout
    return float(said["percent"]), int(said["count"].replace(",", "")), int(said["seconds"])


def test_it_learns_ten_colours_in_two_epochs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    label = np.arange(1000) % 10
    colours = rng.integers(0, 256, (10, 3))
    images = np.clip(colours[label][:, None, None, :] + rng.normal(0, 30, (1000, 32, 32, 3)), 0, 255).astype(np.uint8)
    with Writer(tmp_path / "s", codec="png", durability="process") as writer:
        writer.add_batch(images, label=label, split=["train"] * 800 + ["test"] * 200)
    percent, count, _ = run(tmp_path / "s", "--epochs", "2", "--batch-size", "32")
    assert percent > 60 and count == 200


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "codec"), [("files", "png"), ("lmdb", "keep"), ("hdf5", "keep")])
def test_sixty_percent_of_the_real_test_images_within_five_minutes(shared_data: Path, tmp_path: Path, engine: str, codec: str) -> None:
    store = tmp_path / "cifar10.pixstore"
    pixstore.convert(shared_data / "cifar10" / "cifar-10-batches-py.tar.xz", store, engine=engine, codec=codec)
    percent, count, seconds = run(store)
    print(f"{engine}, {codec}: {percent} % of {count} in {seconds} s")
    assert percent >= 60 and count == 10_000 and seconds <= 300
