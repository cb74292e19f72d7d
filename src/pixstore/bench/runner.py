"""Runs the experiments: warm-up, then each number of images for all ways, within a budget of time, disk and memory."""

from __future__ import annotations

import contextlib
import gc
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pixstore.bench import experiments as planned
from pixstore.bench import physical, words
from pixstore.bench.experiments import EXPERIMENTS, Stage
from pixstore.bench.images import Sample, built_in, from_source
from pixstore.bench.results import Results
from pixstore.bench.session import Limits, Report, Session
from pixstore.bench.stage import StageRun
from pixstore.bench.ways import catalog
from pixstore.errors import InvalidInputError

DEFAULT_REPEATS = 5
DEFAULT_BUDGET_SECONDS = 120.0
WARM_UP_IMAGES = 10


def run(
    source: str | Path | None = None,
    *,
    ways: Sequence[str] | None = None,
    experiments: Sequence[str] = EXPERIMENTS,
    cutoffs: Sequence[int] | None = None,
    repeats: int = DEFAULT_REPEATS,
    budget_seconds: float = DEFAULT_BUDGET_SECONDS,
    max_disk_bytes: int | None = None,
    out: str | Path | None = None,
    progress: Report | None = None,
) -> Results:
    """Measure ways of keeping images, on built-in ones or on those at `source`, and return the results.

    With `out`, stores are written below that folder and the results are saved in it, also when the run is interrupted; without,
    a temporary folder is used. No store is left behind. A way that fails is a cell with an error, not an exception. Raises
    InvalidInputError for unknown names and numbers out of range, and what `pixstore.open` raises.
    """
    started = time.monotonic()
    limits = Limits(repeats, budget_seconds, max_disk_bytes)
    _check(ways, experiments, cutoffs, has_source=source is not None)
    with contextlib.closing(_sample(source, cutoffs)) as sample:
        is_built_in = sample.dataset is None
        names = catalog.default_names(is_built_in=is_built_in, is_encoded=sample.is_encoded) if ways is None else list(ways)
        stages = planned.stages(experiments, cutoffs or planned.default_cutoffs(None if is_built_in else sample.total))
        return _measure(sample, names, stages, limits, started, out, progress)


def _check(ways: Sequence[str] | None, experiments: Sequence[str], cutoffs: Sequence[int] | None, *, has_source: bool) -> None:
    if ways is not None:
        catalog.check(ways, has_source=has_source)
    planned.check(experiments)
    if cutoffs is not None and (not cutoffs or min(cutoffs) < 1):
        raise InvalidInputError(f"cutoffs {cutoffs}: name numbers of images from 1 on")


def _sample(source: str | Path | None, cutoffs: Sequence[int] | None) -> Sample:
    largest = max(cutoffs or planned.default_cutoffs(None))
    return built_in(largest) if source is None else from_source(Path(source), largest)


def _measure(
    sample: Sample, names: list[str], stages: list[Stage], limits: Limits, started: float, out: str | Path | None, progress: Report | None
) -> Results:
    session: Session | None = None
    try:
        with _folder(out) as folder:
            session = Session(sample, names, folder, limits, started, progress)
            _run(session, stages, limits)
    except KeyboardInterrupt:
        if session is not None:
            session.results.run["interrupted"] = True
        raise
    finally:
        # The stores are gone by now: a full disk has room for the results.
        gc.unfreeze()
        if session is not None:
            session.finish()
            if out is not None:
                session.results.save(Path(out))
    return session.results


def _run(session: Session, stages: list[Stage], limits: Limits) -> None:
    _warm_up(session, stages)
    for number, stage in enumerate(stages):
        session.waiting = stages[number + 1 :]
        reason = session.reason_to_stop(stage)
        if reason:
            session.note(f"stopped before {', '.join(f'{each.images:,}' for each in stages[number:])} images: {reason}")
            break
        StageRun(session, stage).run(limits.repeats)
    if session.largest:
        session.tell(f"measuring what the machine can do with {words.count(session.largest, 'image')}")
        session.results.run["limits"] = physical.measure(session.sample.work(session.largest), session.folder)


def _warm_up(session: Session, stages: list[Stage]) -> None:
    """Do every experiment with a few images, twice, and drop the times: no cell pays for loading a library.

    What it cost the second time tells the plan what more images will cost.
    """
    reads = tuple(dict.fromkeys(read for stage in stages for read in stage.reads if read != "read-one"))
    images = max(1, min(WARM_UP_IMAGES, session.sample.largest))
    for _ in range(2):
        session.plan.forget()
        StageRun(session, Stage(images, "store-many", reads, True, True)).run(1)
    session.forget()


@contextlib.contextmanager
def _folder(out: str | Path | None) -> Iterator[Path]:
    """Yield a private folder for the stores, on the file system of `out`; it is removed whatever happens."""
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".stores-", dir=out))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
