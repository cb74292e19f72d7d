"""What a measure is called and how its values are written, told from the unit that ends its name: "p99_seconds", "allocated_bytes"."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pixstore.bench import words

PER = re.compile(r"((?:.*_)?(?:bytes|seconds))_per_(?!pixel_byte$)(.+)")
"""A cost for each of something: "cpu_seconds_per_1000_images"; bytes for each byte of pixels are a ratio."""
NAMES = {"cpu": "CPU", "gpu": "GPU", "psnr": "PSNR", "ssim": "SSIM", "1000": "1,000"}


@dataclass(frozen=True)
class Unit:
    """A measure in words, its values as text, and whether more of it is better; None where that cannot be told."""

    label: str
    text: Callable[[float], str]
    is_more_better: bool | None = False

    def tick(self, value: float) -> str:
        """Return the value as it stands at an axis: rates shortened, as "20 k"."""
        if not value:
            return "0"
        return words.compact(value) if self.text is words.rounded else self.text(value)


def unit_of(measure: str) -> Unit:
    """Return the unit of a measure by the end of its name; a name that ends in no known unit is shown as a plain number."""
    found = PER.match(measure)
    name, per = (found[1], f" per {_spelled(found[2])}") if found else (measure, "")
    for ending, label, text, is_more_better in (
        ("images_per_second", "images per second", words.rounded, True),
        ("megabytes_per_second", "MB per second", words.rounded, True),
        ("microseconds", "time", lambda value: words.duration(value / 1e6), False),
        ("milliseconds", "time", lambda value: words.duration(value / 1e3), False),
        ("seconds", "time", words.duration, False),
        ("bytes", "bytes", words.size, False),
        ("share", "share", words.percent, None),
        ("decibels", "decibels", lambda value: f"{words.rounded(value)} dB", True),
        ("bytes_per_pixel_byte", "bytes per byte of pixels", words.rounded, False),
        ("amplification", "amplification", words.times, False),
    ):
        if name == ending or name.endswith("_" + ending):
            return Unit(_label(name.removesuffix(ending).strip("_"), label) + per, text, is_more_better)
    return Unit(_spelled(name) + per, words.rounded, None)


def _label(what: str, label: str) -> str:
    if not what:
        return label
    # "reached: images per second", but "peak private bytes" and "p99 time".
    return f"{_spelled(what)}: {label}" if label.endswith("per second") else f"{_spelled(what)} {label}"


def _spelled(name: str) -> str:
    return " ".join(NAMES.get(word, word) for word in name.split("_"))
