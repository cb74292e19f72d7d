"""`advise`: survey the source, measure the candidates, foretell the conversion, and decide by the rules."""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np

from pixstore.bench import machine
from pixstore.bench.advice import words
from pixstore.bench.advice.figures import EditRate, Figures, Medium, Situation, Use, Verdict
from pixstore.bench.advice.gather import gather
from pixstore.bench.advice.medium import medium_of, memory_bytes
from pixstore.bench.advice.rules import decide
from pixstore.bench.advice.survey import MOST_BYTES, Survey, survey
from pixstore.bench.images import first_path
from pixstore.bench.session import Progress, Report
from pixstore.errors import InvalidInputError
from pixstore.naming import SourceLike, Stated, Unmatched
from pixstore.schema import ChannelOrder

ADVICE_SECONDS = 90.0
STORES_AT_ONCE = 20
"""The sample takes no more than so many-th of the free disk: every candidate stores it."""
LEAST_BYTES = 1_000_000
PREFIX = ".pixstore-advise-"
SUFFIXES = (".pixstore", ".tar", ".tgz", ".gz", ".xz", ".bz2", ".zst", ".zip", ".h5", ".hdf5", ".lmdb", ".mdb", ".npy", ".npz", ".parquet")
"""What a source's name may end in that is no part of the name."""


@dataclass(frozen=True)
class Advice:
    """What to do with a source for a use, and why.

    verdict: the choice, its runner-up, the gain and the reasons; ways: every candidate's figures. measured_on: where the candidates were
    stored for measuring, in words. differences: what was read back other than it was stored; there must be none. `command` is None where
    the data had better stay as it lies.
    """

    source: SourceLike
    destination: str
    situation: Situation
    verdict: Verdict
    ways: tuple[Figures, ...]
    formats: dict[str, int]
    measured_on: str
    notes: tuple[str, ...]
    differences: tuple[str, ...]
    seconds: float
    stated: Stated = field(default_factory=Stated)

    @property
    def headline(self) -> str:
        return words.headline(self.verdict)

    @property
    def reasons(self) -> list[str]:
        return words.reasons(self.verdict, self.situation)

    @property
    def command(self) -> str | None:
        return words.command(self.verdict, self.source, self.destination, self.stated)

    @property
    def loader(self) -> str | None:
        """The line of Python that reads it as recommended; None but for training."""
        return words.loader(self.verdict, self.situation, self.source, self.destination, self.stated)

    def __str__(self) -> str:
        return "\n".join([self.headline, *(f"- {each}" for each in self.reasons), *([self.command] if self.command else [])])

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        said = {"headline": self.headline, "reasons": self.reasons, "command": self.command, "loader": self.loader}
        return {**said, "leaves_as_is": self.verdict.leaves_as_is, **asdict(self)}


def advise(
    source: SourceLike,
    use: Use = "train",
    *,
    demand: float | None = None,
    edit: EditRate = "never",
    medium: Medium | None = None,
    destination: str | Path | None = None,
    budget_seconds: float = ADVICE_SECONDS,
    channel_order: ChannelOrder | None = None,
    unmatched: Unmatched = "refuse",
    progress: Report | None = None,
) -> Advice:
    """Measure a sample of the images at `source` and return which way of keeping them is best for the use, or that none is better.

    use: "train" (shuffled batches), "browse" (single random reads) or "archive" (bytes on disk). demand: images per second that a consumer
    takes, for "train" only. edit: whether images will be added and removed often. medium: what the data will lie on, "ssd", "disk" or
    "network", where that is not what it lies on now. destination: where the store would go, in the current directory by default;
    candidates are stored on its file system and removed. channel_order, unmatched: as `pixstore.open` takes them.

    Raises InvalidInputError for options out of range, and what `pixstore.open`
    raises.
    """
    started = time.monotonic()
    _check(use, demand, edit, medium, budget_seconds)
    place = Path(default_destination(first_path(source)) if destination is None else destination)
    stated: Stated = {"channel_order": channel_order, "unmatched": unmatched}

    def left() -> float:
        return budget_seconds - (time.monotonic() - started)

    def tell(doing: str) -> None:
        if progress is not None:
            progress(Progress(doing, time.monotonic() - started, max(0.0, left())))

    tell("opening")
    with _folder(place) as (folder, is_writable):
        free = shutil.disk_usage(folder).free
        found = survey(source, most_bytes=int(np.clip(free // STORES_AT_ONCE, LEAST_BYTES, MOST_BYTES)), stated=stated)
        with contextlib.closing(found.sample):
            situation = _situation(found, use, demand, edit, medium, place, free, is_writable)
            ways, notes, differences = gather(found, situation, folder, place.name, left, tell)
        where = _where(folder)
    notes = [*found.sample.notes, *notes]
    verdict = decide(ways, situation)
    if not verdict.leaves_as_is and _is_taken(place):
        notes.append(f"something lies at {place} already, where pixstore convert would refuse to store: name another --dest")
    seconds = round(time.monotonic() - started, 1)
    return Advice(
        {field: str(each) for field, each in source.items()} if isinstance(source, Mapping) else str(source),
        str(place),
        situation,
        verdict,
        tuple(ways),
        dict(found.formats),
        where,
        tuple(notes),
        tuple(differences),
        seconds,
        stated,
    )


def default_destination(source: str | Path) -> Path:
    """Return where the store of a source goes where nothing is said: its name, in the current directory, where nothing lies yet."""
    name = Path(source).resolve().name
    while Path(name).suffix.lower() in SUFFIXES:
        name = Path(name).stem
    name = "images" if not name or name.startswith(".") else name
    others = (Path(f"{name}-{number}.pixstore") for number in itertools.count(2))
    return next(each for each in itertools.chain([Path(f"{name}.pixstore")], others) if not os.path.lexists(each))


def _is_taken(place: Path) -> bool:
    """Return whether something lies there that a conversion would not write over; an empty folder is nothing."""
    return os.path.lexists(place) and not (place.is_dir() and not any(place.iterdir()))


def _check(use: str, demand: float | None, edit: str, medium: str | None, budget_seconds: float) -> None:
    for name, value, allowed in (
        ("use", use, get_args(Use)),
        ("edit", edit, get_args(EditRate)),
        ("medium", medium, (None, *get_args(Medium))),
    ):
        if value not in allowed:
            raise InvalidInputError(f"{name} {value!r} is none of {', '.join(str(each) for each in allowed if each)}")
    if demand is not None and use != "train":
        raise InvalidInputError(f"demand {demand} is for use 'train': no other has a consumer that takes images at a rate")
    for name, number in (("demand", demand), ("budget_seconds", budget_seconds)):
        if number is not None and not number > 0:
            raise InvalidInputError(f"{name} {number} is not positive")


@contextlib.contextmanager
def _folder(destination: Path) -> Iterator[tuple[Path, bool]]:
    """Yield a private folder on the destination's file system, and whether it is there; elsewhere where that cannot be written."""
    beside = next(each for each in Path(os.path.abspath(destination)).parents if each.is_dir())
    try:
        folder, is_writable = Path(tempfile.mkdtemp(prefix=PREFIX, dir=beside)), True
    except OSError:
        folder, is_writable = Path(tempfile.mkdtemp(prefix=PREFIX)), False
    try:
        yield folder, is_writable
    finally:
        # Timings have frozen what there was.
        gc.unfreeze()
        shutil.rmtree(folder, ignore_errors=True)


def _where(folder: Path) -> str:
    medium = medium_of(folder)
    kind = machine.file_system(folder) + ("" if medium == "unknown" else f", {medium}")
    return f"{folder.parent.resolve()} ({kind})"


def _situation(
    found: Survey, use: Use, demand: float | None, edit: EditRate, medium: Medium | None, place: Path, free: int, is_writable: bool
) -> Situation:
    beside, below = medium_of(place), medium_of(found.path)
    # Where the system cannot tell, what the user says is what it is; a network it always tells.
    is_measured = medium is None or medium == beside or (beside == "unknown" and medium != "network")
    return Situation(
        use, found.images, len(found.sample), edit, demand, medium or beside, medium or below, is_measured, memory_bytes(), free,
        found.has_own_files, found.is_editable, is_writable,
    )  # fmt: skip
