"""Numbers and findings in words, all from the results."""

from __future__ import annotations

from collections import Counter

from pixstore.bench.measurements import Measurements

MANY = ("store-many", "read-many", "read-shuffled", "disk")

CONDITIONS = (
    "Every timing is of the whole job as a program does it: open, work on all images, close. Only the source as it lies is opened "
    "beforehand.",
    "Repeats are interleaved: every way once, then every way again, in another order each time. Shown is the median, with the fastest "
    "and the slowest.",
    "Before each timing as much memory as the job will use is touched and freed: no way pays for memory that a virtual machine must first "
    "fetch from its host.",
    "Warm-up: before the first timing every way stores and reads ten images, twice. Files are read right after they were written, so "
    "reads come from memory (the page cache), not from the disk.",
    "Every store is made anew, in a folder of a new name, for every timing of storing. What was written before reaches the disk first: "
    "before every store from 8 MB of pixels on, below that before every turn.",
    "Every read, of pixels and of labels, is compared with what was put in.",
    "The tutorial's ways run on one thread, as written there; ours use all CPUs, except where a row says 1 thread.",
    "The ways by hand use the same libraries directly, on one thread, in the usual good manner; of them only LMDB waits for the disk, once "
    "at the end.",
    "Our ways read by extent: they find where each image's bytes lie in the LMDB or HDF5 file and read them there, checked, in threads, "
    "rather than one by one through the format's library.",
    "Storing with our ways survives the death of the process; with @power also a power cut, as LMDB's own default in the tutorial does.",
)


def duration(seconds: float) -> str:
    """Return "340 µs", "12.3 ms", "1.50 s", "4 min 5 s", "3 h 20 min": three digits below a minute."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60:,} h {minutes % 60} min"


def size(bytes_: float) -> str:
    """Return bytes in units of 1000: "512 B", "3.07 kB", "307 MB"."""
    value = float(bytes_)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def count(number: int, noun: str) -> str:
    """Return "1 image", "1,000 images"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def images(results: Measurements, *counts: int) -> str:
    """Return "100 images", "1 to 1,000 images", "4,444 images (20, repeated)" where the source has so few."""
    least, most = min(counts), max(counts)
    text = count(most, "image") if least == most else f"{least:,} to {count(most, 'image')}"
    sampled = results.source.get("sampled")
    return f"{text} ({sampled:,}, repeated)" if isinstance(sampled, int) and 0 < sampled < most else text


def rounded(value: float) -> str:
    """Return a number with three digits: "1.23", "45.6", "12,300"."""
    if value < 100:
        return f"{value:.3g}"
    digits = len(str(int(value))) - 3
    return f"{round(value, -digits):,.0f}"


def times(ratio: float) -> str:
    """Return "1.3×", "17×"."""
    return f"{ratio:.2g}×" if ratio < 9.95 else f"{ratio:,.0f}×"


def percent(part: float) -> str:
    """Return "0 %", "0.4 %", "37 %" for a part of one."""
    value = 100 * part
    return f"{value:.0f} %" if value == 0 or value >= 9.95 else f"{value:.2g} %"


def largest(results: Measurements) -> int | None:
    """Return the largest number of images measured with as many cells as any other, None where there was none.

    Where a run was interrupted, the last number has fewer cells and would tell half the story.
    """
    cells = Counter(cell.images for cell in results.cells if cell.experiment in MANY)
    measured = {cell.images for cell in results.cells if cell.experiment in MANY and (cell.seconds or cell.bytes)}
    return max((images for images in measured if cells[images] == max(cells.values())), default=max(measured, default=None))


def source(results: Measurements) -> str:
    """Return what the images are: "synthetic images, 32 × 32 × 3", "photos, 290 images of 134 sizes"."""
    found = results.source
    name = str(found.get("name", "images"))
    shapes, shape = found.get("shapes", 1), found.get("largest", [])
    sizes = f"{shapes:,} sizes up to" if shapes > 1 else "each"
    total = "" if found.get("synthetic") else f"{found.get('images', 0):,} images, "
    return f"{name}, {total}{sizes} {' × '.join(str(each) for each in shape)}"


def compact(value: float) -> str:
    """Return "0", "500", "20 k", "1.5 M"."""
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"
