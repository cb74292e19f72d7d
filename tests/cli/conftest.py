"""What the tests of the command line share: the program run in this process, and small folders of images."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore as library
from pixstore.cli.main import STOPS, main


@dataclass(frozen=True)
class Done:
    """How a run of the program ended and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def pixstore(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Done]]:
    """Return the program as a function of its arguments; it leaves this process as it found it."""
    shown, handlers = warnings.showwarning, {number: signal.getsignal(number) for number in STOPS}

    def run(*arguments: object) -> Done:
        capfd.readouterr()
        status = main([str(each) for each in arguments])
        return Done(status, *capfd.readouterr())

    yield run
    warnings.showwarning = shown
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder with cats/a.png, cats/b.png, dogs/c.jpg (9 by 12 pixels) and a file of junk."""
    folder = tmp_path / "photos"
    pixels = np.random.default_rng(0).integers(0, 256, (3, 9, 12, 3), np.uint8)
    for name, image in zip(("cats/a.png", "cats/b.png", "dogs/c.jpg"), pixels, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture
def store(tmp_path: Path, photos: Path) -> Path:
    """Return a store of `photos` with two versions: all three samples, then without cats/b.png."""
    library.convert(photos, tmp_path / "store", durability="process")
    with library.Writer(tmp_path / "store", mode="a", durability="process") as writer:
        writer.delete("cats/b.png")
    return tmp_path / "store"
