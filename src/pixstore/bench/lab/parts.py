"""Reading taken apart: what of it is fetching, checking, decoding, transforming, and handing over as a batch; on one thread.

Ours does all of a batch in one go, in the core, so its parts are differences between doing more and doing less, each done to the same
images. By hand the steps follow each other, and each is timed by itself. All times are processor time: nothing is waited for, and what
other programs do meanwhile does not count.
"""

from __future__ import annotations

import io
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

import pixstore
from pixstore import codec
from pixstore.bench.ways.base import Images
from pixstore.loader.transforms import HorizontalFlip, RandomResizedCrop

PARTS = ("fetch", "check", "decode", "transform", "batch")
SCALE, RATIO, FLIPPED = (0.08, 1.0), (3 / 4, 4 / 3), 0.5
"""The part of the image that is kept, its shape, and how many are mirrored: the usual augmentation, as in RandomResizedCrop."""


def mixes_channels(images: Images) -> bool:
    """Return whether some images have other channels than others: one batch holds them only when all are made RGB."""
    return not isinstance(images, np.ndarray) and len({image.shape[2:] for image in images}) > 1


@dataclass(frozen=True)
class Part:
    """Processor seconds that one part took: never below 0; what the difference was; and those of the stage that ended with it."""

    seconds: float
    difference: float
    stage_seconds: float


class Apart(ABC):
    """Something whose reading can be taken apart."""

    @abstractmethod
    def measure(self) -> Mapping[str, Part]:
        """Return the seconds of each part, over all images; a part that there is none of is left out."""


class LoaderParts(Apart):
    """Our loader: stages of which each does what the one before does, and more.

    decode     decode the stored bytes, which lie in memory, into batches: what else is to be read, checked or found costs nothing
    fetch      find them and decode them out of the store
    check      … and compare the checksums
    batch      … as the loader hands batches over: in its order, with labels and keys, as RGB where channels are mixed
    transform  … each image decoded in full, then a random part scaled to `size`, and mirrored at random
    """

    ORDER = ("decode", "fetch", "check", "batch", "transform")

    def __init__(
        self, dataset: pixstore.Dataset, field: str, rows: NDArray[np.int64], batch: int, size: int, *, is_mixed: bool = False
    ) -> None:
        """is_mixed: whether the images' channels differ, as `mixes_channels` tells."""
        self._dataset = dataset.select(rows)
        self._color: Literal["rgb", "keep"] = "rgb" if is_mixed else "keep"
        self._field = field
        self._batch = batch
        self._transforms = [RandomResizedCrop(size, scale=SCALE, ratio=RATIO), HorizontalFlip(FLIPPED)]
        self._slices = [np.arange(start, min(start + batch, len(rows))) for start in range(0, len(rows), batch)]
        self._in_memory = [self._held(rows) for rows in self._slices]
        self._stages: dict[str, Callable[[], None]] = {
            "decode": self._decode,
            "fetch": lambda: self._read(is_checked=False),
            "check": lambda: self._read(is_checked=True),
            "batch": lambda: self._load([]),
            "transform": lambda: self._load(self._transforms),
        }

    def measure(self) -> Mapping[str, Part]:
        stages = {name: 0.0 for name in self.ORDER}
        for place in np.random.default_rng().permutation(len(self.ORDER)).tolist():
            name = self.ORDER[place]
            started = time.process_time()
            self._stages[name]()
            stages[name] = time.process_time() - started
        found, before = {}, 0.0
        for name, seconds in stages.items():
            found[name] = Part(max(0.0, seconds - before), seconds - before, seconds)
            before = seconds
        if not self._dataset.is_checked:
            # Sources have no checksums: there is nothing to be compared.
            del found["check"]
        return found

    def _held(self, rows: NDArray[np.int64]) -> Any:
        """Return the records of these rows with their bytes, instead of where they lie."""
        stored: list[Any] = list(self._dataset.encoded_many(rows, field=self._field, threads=1))
        return codec.probe(replace(self._dataset.located(self._field, rows), place=stored))

    def _decode(self) -> None:
        for records in self._in_memory:
            codec.decode(records, threads=1, verify=False)

    def _read(self, *, is_checked: bool) -> None:
        for rows in self._slices:
            codec.decode(self._dataset.located(self._field, rows), threads=1, verify=is_checked)

    def _load(self, transforms: Sequence[Any]) -> None:
        loader = self._dataset.loader(
            self._batch,
            fields=[self._field],
            transforms=transforms,
            color=self._color,
            orientation="ignore",
            threads=1,
            exact=True,
            ahead=0,
        )
        for _ in loader:
            pass


class PillowParts(Apart):
    """Files by hand: the bytes of a file, Pillow's decoding, Pillow's scaling of a random part, and one array of all."""

    ORDER = ("fetch", "decode", "transform", "batch")

    def __init__(self, paths: Sequence[Path], batch: int, size: int, *, is_mixed: bool = False) -> None:
        self._is_mixed = is_mixed
        self._batches = [paths[start : start + batch] for start in range(0, len(paths), batch)]
        self._size = size

    def measure(self) -> Mapping[str, Part]:
        seconds = dict.fromkeys(self.ORDER, 0.0)
        random = np.random.default_rng()
        for paths in self._batches:
            times = [time.process_time()]
            stored = [path.read_bytes() for path in paths]
            times.append(time.process_time())
            images = [_opened(each, self._is_mixed) for each in stored]
            times.append(time.process_time())
            images = [_augmented(image, self._size, random) for image in images]
            times.append(time.process_time())
            np.stack([np.asarray(image) for image in images])
            times.append(time.process_time())
            for name, first, last in zip(self.ORDER, times, times[1:], strict=False):
                seconds[name] += last - first
        until = np.cumsum(list(seconds.values())).tolist()
        return {name: Part(took, took, stage) for (name, took), stage in zip(seconds.items(), until, strict=True)}


def _opened(stored: bytes, is_mixed: bool) -> Pillow.Image:
    image = Pillow.open(io.BytesIO(stored))
    image.load()
    return image.convert("RGB") if is_mixed or image.mode in ("1", "P") else image


def _augmented(image: Pillow.Image, size: int, random: np.random.Generator) -> Pillow.Image:
    """Return a random part scaled to a square, mirrored in half of all cases: as much work as RandomResizedCrop and HorizontalFlip are."""
    area = random.uniform(*SCALE) * image.width * image.height
    ratio = np.exp(random.uniform(*np.log(RATIO)))
    width, height = min(image.width, max(1, round((area * ratio) ** 0.5))), min(image.height, max(1, round((area / ratio) ** 0.5)))
    left, top = int(random.integers(image.width - width + 1)), int(random.integers(image.height - height + 1))
    part = image.resize((size, size), Pillow.Resampling.BILINEAR, box=(left, top, left + width, top + height))
    return part.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT) if random.random() < FLIPPED else part


def files_in_order(folder: Path) -> list[Path]:
    """Return the images of a way that keeps each in a file whose name is its number."""
    return sorted(_numbered(folder), key=lambda path: int(path.stem))


def _numbered(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.stem.isdecimal() and path.suffix != ".csv")
