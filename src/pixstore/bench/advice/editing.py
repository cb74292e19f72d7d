"""What one edit of a store costs: an image added, one changed, one removed, and the commit, as a program does them together."""

from __future__ import annotations

from pathlib import Path

import pixstore
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.question import Observed
from pixstore.bench.timing import timed
from pixstore.bench.ways.base import Way
from pixstore.bench.ways.ours import STORE

MOST_IMAGES = 256
CHANGED_KEY, FIRST_REMOVED_KEY = "00000001", "00000000"
"""The writer's own keys of the first two images."""


class Edit:
    """Edits a store of its own, which goes on from repeat to repeat."""

    def __init__(self, lab: Lab, way: Way) -> None:
        self._lab, self._way = lab, way
        self._work = lab.work(max(2, min(len(lab.sample), MOST_IMAGES)))
        self._place: Path | None = None
        self._made = 0

    def __call__(self) -> Observed:
        """Return the seconds of one edit that survives a power cut."""
        if self._place is None:
            folder = self._lab.fresh(self._way.name)
            self._way.store_many(folder, self._work)
            self._place = folder / STORE
        place = self._place
        timing, _ = timed(lambda: self._edit(place), self._work.pixel_bytes // len(self._work))
        self._made += 1
        return Observed(timing.seconds)

    def _edit(self, place: Path) -> None:
        image = self._work.images[0] if self._work.encoded is None else self._work.encoded[0]
        removed = f"edit-{self._made - 1}" if self._made else FIRST_REMOVED_KEY
        with pixstore.Writer(place, mode="a") as writer:
            writer.add(image, key=f"edit-{self._made}", label=0)
            writer.update(CHANGED_KEY, label=self._made)
            writer.delete(removed)
