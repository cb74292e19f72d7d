"""What lies at a source: how many images, how large, in which formats; and a sample that has its share of each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pixstore
from pixstore.bench import disk, images
from pixstore.bench.images import Sample
from pixstore.errors import InvalidInputError
from pixstore.jobs.plan import Plan, make_plan
from pixstore.naming import SourceLike, Stated, files_named

MOST_IMAGES = 4096
MOST_BYTES = 160_000_000
"""What the sample holds at most, decoded and encoded together."""
LONG_OPENING_SECONDS = 2.0
"""An opening as long as that is not timed once more."""
BLOCK_BYTES = 4096


@dataclass(frozen=True)
class Survey:
    """What was found. formats: how many of the sample have each codec; disk_bytes: what the source takes; plan: every image's size."""

    path: Path
    sample: Sample
    plan: Plan
    opening_seconds: float
    disk_bytes: int
    formats: Mapping[str, int]
    has_own_files: bool
    is_editable: bool

    @property
    def images(self) -> int:
        return len(self.plan)

    @property
    def pixel_bytes(self) -> float:
        """Bytes of all images decoded, as far as the sample tells."""
        return self.sample.mean_bytes * self.images


def survey(source: SourceLike, *, most_images: int = MOST_IMAGES, most_bytes: int = MOST_BYTES, stated: Stated | None = None) -> Survey:
    """Open the source and return what it holds, with a seeded sample. Raises what `pixstore.open` raises, InvalidInputError if empty."""
    dataset, seconds = _opened(source, stated or {})
    path = images.first_path(source)
    try:
        if len(dataset) == 0:
            raise InvalidInputError(f"{path}: no images here")
        plan = make_plan(dataset, origins=files_named(source))
        kinds = np.asarray([_suffix(key) for key in dataset.keys.to_pylist()])
        rows = stratified(kinds, plan.bytes, most_images)
        sample = images.from_rows(dataset, path, rows, most_bytes=most_bytes)
        assert sample.rows is not None
        formats = Counter(each.codec or "unknown" for each in dataset.formats(sample.rows, field=sample.image_field))
    except BaseException:
        dataset.close()
        raise
    has_own_files = sample.image_field in plan.files
    is_editable = path.is_dir() and (has_own_files or dataset.is_checked)
    return Survey(path, sample, plan, seconds, _disk_bytes(source, plan, has_own_files), dict(formats), has_own_files, is_editable)


def stratified(kinds: NDArray[np.str_], sizes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return about `count` rows, ascending: every kind and every stretch of sizes has its share, and every kind one row at least.

    Rows are put in order of kind and size, and every so-manyth is taken.
    """
    if len(kinds) <= count:
        return np.arange(len(kinds))
    ordered = np.lexsort((sizes, kinds))
    step = len(kinds) / count
    places = ((np.arange(count) + np.random.default_rng(0).random()) * step).astype(np.int64)
    chosen = ordered[np.minimum(places, len(kinds) - 1)]
    every, first = np.unique(kinds, return_index=True)
    missing = first[~np.isin(every, kinds[chosen])]
    return np.unique(np.concatenate([chosen, missing]))


def _opened(source: SourceLike, stated: Stated) -> tuple[pixstore.Dataset, float]:
    """Return the open source and the seconds of opening it again: as training programs do, day after day."""
    dataset, seconds = _timed_open(source, stated)
    if seconds >= LONG_OPENING_SECONDS:
        return dataset, seconds
    dataset.close()
    return _timed_open(source, stated)


def _timed_open(source: SourceLike, stated: Stated) -> tuple[pixstore.Dataset, float]:
    started = time.perf_counter()
    dataset = pixstore.open(source, **stated)
    return dataset, time.perf_counter() - started


def _suffix(key: str) -> str:
    name = key.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def _disk_bytes(source: SourceLike, plan: Plan, has_own_files: bool) -> int:
    """Return what the images take of the disk: their own files in whole blocks, else all files that it names."""
    if has_own_files:
        return int(sum(int((-(-each // BLOCK_BYTES) * BLOCK_BYTES).sum()) for each in plan.fields.values()))
    paths = [path for each in files_named(source).values() for path in each]
    return sum((disk.usage(path) if path.is_dir() else disk.usage_of([str(path)])).allocated for path in paths)
