"""Which ways are measured: the data as it lies, and our engines with every codec that loses nothing."""

from __future__ import annotations

from dataclasses import dataclass

from pixstore.bench import naming
from pixstore.bench.advice.figures import Use
from pixstore.bench.images import Sample
from pixstore.bench.lab.stores import VariedStore
from pixstore.bench.ways import catalog, ours
from pixstore.bench.ways.base import Way
from pixstore.bench.ways.source import SourceWay

PNG_DTYPES, MOST_PNG_CHANNELS = ("uint8", "uint16"), 4
SMALL_LEVEL = 9
"""The effort of PNG where bytes count more than the time to store."""


@dataclass(frozen=True)
class Candidate:
    """A way to be measured, and the same with one thread; `engine` is None for the data as it lies."""

    way: Way
    single: Way | None
    title: str
    engine: str | None = None
    codec: str | None = None
    level: int | None = None
    is_decoded: bool = False


def candidates(sample: Sample, use: Use, cpus: int) -> list[Candidate]:
    """Return every way for these images, the data as it lies first.

    Encoded images are kept as they are, and one way shows what decoded pixels would give; arrays are stored raw and as PNG, for an archive
    once more as small as PNG gets. Nothing is encoded with loss.
    """
    assert sample.dataset is not None
    source, alone = (SourceWay(sample.dataset, sample.image_field, threads) for threads in (cpus, 1))
    found = [Candidate(source, alone if cpus > 1 else None, naming.title(source.name))]
    if sample.is_encoded:
        found += [_ours(engine, "keep", sample, cpus) for engine in catalog.ENGINES]
        return [*found, _ours("packed", "raw", sample, cpus)] if use == "train" else found
    codecs = ("raw", "png") if _fits_png(sample) else ("raw",)
    found += [_ours(engine, codec, sample, cpus) for codec in codecs for engine in catalog.ENGINES]
    if use == "archive" and "png" in codecs:
        way = VariedStore(ours.parse("packed/png", cpus), level=SMALL_LEVEL)
        way.name = f"packed/png-{SMALL_LEVEL}"
        found.append(Candidate(way, None, f"{naming.title('packed/png')}, level {SMALL_LEVEL}", "packed", "png", SMALL_LEVEL))
    return found


def _fits_png(sample: Sample) -> bool:
    """Whether PNG holds these arrays: up to four channels of 8 or 16 bits."""
    return all(each.dtype in PNG_DTYPES and (each.ndim == 2 or each.shape[2] <= MOST_PNG_CHANNELS) for each in sample.images)


def _ours(engine: str, codec: str, sample: Sample, cpus: int) -> Candidate:
    name = f"{engine}/{codec}"
    single = catalog.find(f"{name}@1thread", None, cpus) if cpus > 1 else None
    return Candidate(
        catalog.find(name, None, cpus), single, naming.title(name, kept=sample.codec), engine, codec,
        is_decoded=sample.is_encoded and codec != "keep",
    )  # fmt: skip
