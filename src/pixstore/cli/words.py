"""Sizes, times and foreign names as people read and write them; imports nothing heavy, for a quick start."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from pixstore.errors import InvalidInputError

SHOWN_NAMES = 3


def printable(text: object) -> str:
    """Return the text with everything escaped that could steer a terminal or break a line."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape", "backslashreplace").decode() for each in str(text))


def as_size(count: float) -> str:
    """Return bytes in words: 512 B, 1.5 kB, 23.4 MB (powers of 1000)."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        count /= 1000
        if count < 999.5 or unit == "TB":
            break
    return f"{count:.1f} {unit}" if count < 99.95 else f"{count:.0f} {unit}"


def as_duration(seconds: float) -> str:
    """Return a time in words: 12 ms, 3.2 s, 4 min 05 s, 2 h 10 min."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def as_count(number: int, noun: str) -> str:
    """Return a number with its noun: "1 image", "12,000 images"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40}


def parse_size(text: str) -> int:
    """Return the bytes of a size in words: "512MB" (10⁶), "1GiB" (2³⁰), "4096". Raises InvalidInputError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?", text.strip().lower())
    if found is None or found[2] not in SIZES or float(found[1]) * SIZES[found[2]] < 1:
        raise InvalidInputError(f"{text!r} is no size; write it as 512MB, 1GiB or a number of bytes")
    return int(float(found[1]) * SIZES[found[2]])


def by_reason(entries: Iterable[tuple[str, str]]) -> list[str]:
    """Return one line per reason, with its count and the first names."""
    names = defaultdict(list)
    for name, reason in entries:
        names[reason].append(name)
    lines = []
    for reason, those in names.items():
        shown = ", ".join(printable(name) for name in those[:SHOWN_NAMES])
        more = f" and {len(those) - SHOWN_NAMES:,} more" if len(those) > SHOWN_NAMES else ""
        lines.append(f"  {len(those):,} × {printable(reason)}: {shown}{more}")
    return lines
