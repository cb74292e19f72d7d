"""How the loader's pixels differ from those of Pillow and torchvision: the table of docs/pixels.md.

    python benchmarks/pixels.py PHOTOS [--page docs/pixels.md]

PHOTOS is a folder of lossless photos; two built-in pictures are measured with them.
Each is stored as raw, PNG, JPEG and progressive JPEG (quality 90, colour at half the resolution), loaded by pixstore with exact=True
and exact=False, and held against what Pillow's resize(box=) and torchvision's crop and resize make of the same bytes. Of each pair the
table states the largest difference of any sample and the mean difference of the image that differs most, in levels of 0 to 255.
torchvision's columns need torchvision, and so does --page, which writes the table into that page.
"""

from __future__ import annotations

import argparse
import importlib
import io
import itertools
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixstore import codec
from pixstore.bench.generator import pictures
from pixstore.rows import Records
from pixstore.schema import Format

Pixels = NDArray[np.uint8]
Load = Callable[[bytes, str, "View"], Pixels | None]

START, END = "<!-- table of benchmarks/pixels.py -->", "<!-- end of the table -->"
CODECS = ("raw", "PNG", "JPEG", "progressive JPEG")
PILLOW_FILTERS = {
    "nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS,
}  # fmt: skip
HEAD = (
    "| codec | resize | Pillow, exact=True | Pillow, exact=False | torchvision, exact=True | torchvision, exact=False |",
    "|---|---|---|---|---|---|",
)


class View(NamedTuple):
    """What is wanted of an image: (top, left, height, width) of it at (height, width), by this filter."""

    shape: tuple[int, int]
    box: tuple[int, int, int, int]
    size: tuple[int, int]
    filter: str

    @property
    def is_whole(self) -> bool:
        return self.box == (0, 0, *self.shape) and self.size == self.shape


class Difference(NamedTuple):
    """The largest difference of any sample, and the mean difference of the image that differs most."""

    largest: int
    mean: float

    def __str__(self) -> str:
        # Rounded up: what is stated is never exceeded.
        return f"{self.largest} / {math.ceil(self.mean * 1000) / 1000:.3f}" if self.largest else "0"


def views(shape: tuple[int, int]) -> Iterator[tuple[str, list[View]]]:
    """Yield each resize of the table with its views of an image of (height, width)."""
    height, width = shape
    whole = (0, 0, height, width)
    yield "none", [View(shape, whole, shape, "bilinear")]
    for words, factor in (("half", 0.5), ("a quarter", 0.25), ("one and a half", 1.5)):
        yield f"bilinear to {words}", [View(shape, whole, (round(height * factor), round(width * factor)), "bilinear")]
    yield "bilinear, random crops to 224", [View(shape, box, (224, 224), "bilinear") for box in crops(shape)]
    for name in ("nearest", "bicubic", "lanczos"):
        yield f"{name} to 224", [View(shape, whole, (224, 224), name)]


def crops(shape: tuple[int, int], *, count: int = 6) -> list[tuple[int, int, int, int]]:
    """Return boxes as random resized crops draw them: 8 to 100 % of the area, sides 3:4 to 4:3."""
    random = np.random.default_rng(list(shape))
    found: list[tuple[int, int, int, int]] = []
    while len(found) < count:
        area, ratio = random.uniform(0.08, 1) * shape[0] * shape[1], math.exp(random.uniform(-1, 1) * math.log(4 / 3))
        height, width = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if height <= shape[0] and width <= shape[1]:
            top, left = (int(random.integers(most + 1)) for most in (shape[0] - height, shape[1] - width))
            found.append((top, left, height, width))
    return found


def built_in() -> list[Pixels]:
    """Return two built-in pictures, enlarged to 384 · 512 pixels."""
    return [np.asarray(Image.fromarray(each).resize((512, 384), Image.Resampling.BICUBIC)) for each in pictures(2, size=64).images]


def stored(pixels: Pixels, name: str) -> bytes:
    """Return the image as this codec stores it."""
    if name == "raw":
        return pixels.tobytes()
    target = io.BytesIO()
    of_jpeg = {"quality": 90, "subsampling": "4:2:0", "progressive": name != "JPEG"}
    options = of_jpeg if name.endswith("JPEG") else {"compress_level": 1}
    Image.fromarray(pixels).save(target, "PNG" if name == "PNG" else "JPEG", **options)
    return target.getvalue()


# ---- the three that are compared ----


def by_pixstore(exact: bool) -> Load:
    def load(data: bytes, name: str, view: View) -> Pixels:
        known = Format({"raw": "raw", "PNG": "png"}.get(name, "jpeg"), (*view.shape, 3), "uint8")
        records = Records([data], [known], np.zeros(1, np.int32), lambda index: (index, name, ""))
        out = np.empty((1, *view.size, 3), np.uint8)
        steps: list[tuple[Any, ...]] = [("color", "rgb")]
        if not view.is_whole:
            steps.append(("resample", np.array([view.box], np.float64), np.array([view.size], np.int32), view.filter))
        failures = codec.load(records, steps, out, exact=exact)
        if failures:
            raise codec.record_error(records, failures)
        return out[0]

    return load


def by_pillow(data: bytes, name: str, view: View) -> Pixels:
    image = Image.frombytes("RGB", view.shape[::-1], data) if name == "raw" else Image.open(io.BytesIO(data)).convert("RGB")
    if view.is_whole:
        return np.asarray(image)
    top, left, height, width = view.box
    return np.asarray(image.resize(view.size[::-1], PILLOW_FILTERS[view.filter], (left, top, left + width, top + height)))


def by_torchvision(data: bytes, name: str, view: View) -> Pixels | None:
    """Return the pixels of torchvision's own decoder and resize; None for what it does not have."""
    torch, vision = importlib.import_module("torch"), importlib.import_module("torchvision.io")
    functional = importlib.import_module("torchvision.transforms.v2.functional")
    modes = importlib.import_module("torchvision.transforms").InterpolationMode
    filters = {"nearest": modes.NEAREST_EXACT, "bilinear": modes.BILINEAR, "bicubic": modes.BICUBIC}
    if view.filter not in filters:
        return None
    encoded = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    image = encoded.reshape(*view.shape, 3).permute(2, 0, 1) if name == "raw" else vision.decode_image(encoded)
    if not view.is_whole:
        image = functional.resized_crop(image, *view.box, [*view.size], filters[view.filter], antialias=True)
    return np.asarray(image.permute(1, 2, 0))


# ---- the table ----


def difference(images: Sequence[Pixels], name: str, resize: str, one: Load, other: Load) -> Difference | None:
    """Return how two loaders differ in these images, stored by this codec and resized in this way."""
    largest, mean = 0, 0.0
    for pixels in images:
        data, errors = stored(pixels, name), []
        for view in dict(views((pixels.shape[0], pixels.shape[1])))[resize]:
            pair = one(data, name, view), other(data, name, view)
            if pair[0] is None or pair[1] is None:
                return None
            errors.append(abs(pair[0].astype(np.int16) - pair[1]))
        largest = max(largest, *(int(each.max()) for each in errors))
        mean = max(mean, float(np.mean([each.mean() for each in errors])))
    return Difference(largest, mean)


def rows(images: Sequence[Pixels], others: Sequence[Load]) -> Iterator[tuple[str, str, list[Difference | None]]]:
    """Yield codec, resize, and the differences from each of the others, exact=True before exact=False."""
    for name, (resize, _) in itertools.product(CODECS, views((8, 8))):
        yield name, resize, [difference(images, name, resize, by_pixstore(exact), other) for other in others for exact in (True, False)]


def is_installed(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="folder of lossless photos")
    parser.add_argument("--page", type=Path, help="page whose table is replaced")
    arguments = parser.parse_args()
    has_torchvision = is_installed("torchvision")
    if arguments.page and not has_torchvision:
        sys.exit("the page states torchvision's pixels too: pip install torchvision")
    paths = sorted(arguments.photos.glob("*.png"))
    images = [*built_in(), *(np.asarray(Image.open(path).convert("RGB")) for path in paths)]
    others = (by_pillow, by_torchvision) if has_torchvision else (by_pillow,)
    lines = list(HEAD)
    for name, resize, found in rows(images, others):
        cells = ["–" if each is None else str(each) for each in found] + ["–"] * (4 - len(found))
        lines.append(f"| {name} | {resize} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    if arguments.page:
        text = arguments.page.read_text(encoding="utf-8")
        before, after = text.split(START)[0], text.split(END)[1]
        arguments.page.write_text("\n".join([before + START, *lines, END]) + after, encoding="utf-8")


if __name__ == "__main__":
    main()
