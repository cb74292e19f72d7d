"""What questions measure with: the images, the ways, stores that several cells share, and fresh folders."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixstore.bench import check, disk, naming, words
from pixstore.bench.folders import StoreFolders
from pixstore.bench.images import Sample
from pixstore.bench.lab.question import Trial
from pixstore.bench.ways import hand_files, hand_lmdb
from pixstore.bench.ways.base import Found, Way, Work
from pixstore.errors import PixstoreError, StoreFullError

MOST_IMAGES = 5_000
MOST_BYTES = 64_000_000


class DifferenceError(PixstoreError):
    """A way read back other pixels or labels than were stored."""


class Lab:
    """Hands out work and stores; everything it has made lies in `folder`, which the run removes.

    max_disk_bytes: what all stores together may take, half of what is free for None.
    """

    def __init__(self, sample: Sample, ways: Sequence[Way], folder: Path, cpus: int, max_disk_bytes: int | None = None) -> None:
        self.sample = sample
        self.ways = list(ways)
        self.cpus = cpus
        self.storing_seconds = 0.0
        """What making the stores that cells share has taken so far."""
        folder.mkdir(parents=True, exist_ok=True)
        self._max_disk = shutil.disk_usage(folder).free // 2 if max_disk_bytes is None else max_disk_bytes
        self._used = 0
        self._folders = StoreFolders(folder)
        self._works: dict[int, Work] = {}
        # The work is held with its store: another may not come to have its identity.
        self._stored: dict[tuple[str, int], tuple[Work, Path]] = {}

    def count(self, most: int = MOST_IMAGES, most_bytes: int = MOST_BYTES) -> int:
        """Return how many images a cell works on: `most`, fewer where they are large, at least 8; where there are fewer, they repeat."""
        return max(8, min(most, int(most_bytes / self.sample.mean_bytes), self.sample.largest))

    def work(self, images: int) -> Work:
        """Return the images of a cell; the same object each time."""
        if images not in self._works:
            self._works[images] = self.sample.work(images)
        return self._works[images]

    def stored(self, way: Way, work: Work) -> Path:
        """Return the folder where this way keeps this work; stored when first asked for, and then shared by all cells.

        Raises StoreFullError where the shared stores would take more disk than the run may.
        """
        key = (way.name, id(work))
        if key not in self._stored:
            place = self.fresh(way.name, kept_bytes(way, work) if way.stores else 0)
            if way.stores:
                self._store(way, work, place)
            self._stored[key] = work, place
        return self._stored[key][1]

    def _store(self, way: Way, work: Work, place: Path) -> None:
        started = time.monotonic()
        try:
            way.store_many(place, work)
        except BaseException:
            # The next cell that needs it tries again, elsewhere: half a store is not to take the room.
            self.remove(place)
            raise
        finally:
            self.storing_seconds += time.monotonic() - started
        self.hold(place)

    def _require_room(self, needed: int) -> None:
        if needed and self._used + needed > self._max_disk:
            raise StoreFullError(
                f"a store of about {words.size(needed)} beside {words.size(self._used)} would pass the {words.size(self._max_disk)} of "
                "--max-disk; allow more, or compare fewer ways"
            )

    def reason_to_refuse(self, trials: Sequence[Trial]) -> str | None:
        """Return why a question of these cells would need more disk than the run may use, None where it would not.

        One store for every way and number of images. Cells with a load of their own may have images of their own: `stored` and
        `fresh` look at those.
        """
        means = {way.name: self._mean_bytes(way) for way in self.ways if way.stores}
        stores = {(trial.way, trial.stored_images or trial.images) for trial in trials if trial.way in means and trial.load is None}
        needed = sum(images * means[way] for way, images in stores)
        if needed <= self._max_disk:
            return None
        return f"not measured: its stores would need about {words.size(needed)}, more than the {words.size(self._max_disk)} of --max-disk"

    def reason_to_leave_out(self, trial: Trial) -> str | None:
        """Return why a cell would mislead, None where it would not: of the source as it lies a few files would be read again and again."""
        stores = {way.name: way.stores for way in self.ways}
        images, there_are = trial.stored_images or trial.images, words.count(len(self.sample), "image")
        if stores.get(trial.way, True) or images <= len(self.sample):
            return None
        return f"not measured: there are {there_are} for {images:,}; few files read again and again would come from the processor's cache"

    def _mean_bytes(self, way: Way) -> float:
        """Return about what one image of the sample takes with this way."""
        encoded = self.sample.encoded
        return sum(map(len, encoded)) / len(encoded) if encoded and keeps_encoded(way) else self.sample.mean_bytes

    def fresh(self, name: str, needed_bytes: int = 0) -> Path:
        """Return an empty folder of a name never used before.

        needed_bytes: about what will lie in it. Raises StoreFullError where that would take more disk than the run may.
        """
        self._require_room(needed_bytes)
        return self._folders.another(name)

    def hold(self, place: Path) -> None:
        """Count what lies in a folder among what the run has used, until `clear`."""
        self._used += disk.usage(place).allocated

    def remove(self, place: Path) -> None:
        """Remove a folder that `fresh` gave."""
        self._folders.discard(place)

    def clear(self) -> None:
        """Remove every store, between two questions; what the next one needs is stored again."""
        self._stored.clear()
        self._works.clear()
        self._used = 0
        self._folders.clear()

    def check(self, way: Way, found: Found, work: Work, rows: NDArray[np.int64]) -> None:
        """Raise DifferenceError unless these are the images and labels of those rows."""
        problem = check.difference(found, work, rows, is_lossy=naming.is_lossy(way.name))
        if problem:
            raise DifferenceError(f"the read-back differs from the input: {problem}")


def keeps_encoded(way: Way) -> bool:
    """Return whether this way keeps encoded images as they are, where there are any."""
    return naming.codec(way.name) in ("keep", "") or way.name in (hand_files.WAY.name, hand_lmdb.WAY.name)


def kept_bytes(way: Way, work: Work) -> int:
    """Return about what this way takes for these images."""
    return sum(map(len, work.encoded)) if work.encoded is not None and keeps_encoded(way) else work.pixel_bytes
