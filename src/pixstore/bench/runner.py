"""Runs the classic experiment — warm-up, then each number of images for all ways — and the questions of the lab, within a budget."""

from __future__ import annotations

import contextlib
import gc
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixstore.bench import experiments as planned
from pixstore.bench import machine, physical, suites, words
from pixstore.bench.experiments import EXPERIMENTS, Stage
from pixstore.bench.images import Sample, built_in, from_source
from pixstore.bench.lab.asking import Asking
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.question import Question
from pixstore.bench.plan import Repeats
from pixstore.bench.results import Results
from pixstore.bench.session import Limits, Report, Session
from pixstore.bench.stage import StageRun
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Way
from pixstore.errors import InvalidInputError
from pixstore.naming import SourceLike, Stated, Unmatched
from pixstore.schema import ChannelOrder

WARM_UP_IMAGES = 10
WARM_UP_BYTES = 4_000_000
"""Of decoded images, at most, but one image."""
WARM_UP_PART = 1 / 10
"""Of the budget that is left, at most, for the second warm-up, foretold by the first."""
OVERRUN = 1.25
"""How much longer than its share a question may take, so that each of its cells is measured once."""


def run(
    source: SourceLike | None = None,
    *,
    ways: Sequence[str] | None = None,
    experiments: Sequence[str] = EXPERIMENTS,
    cutoffs: Sequence[int] | None = None,
    repeats: int | None = None,
    budget_seconds: float | None = None,
    max_disk_bytes: int | None = None,
    suite: Sequence[str] = (suites.CLASSIC,),
    out: str | Path | None = None,
    channel_order: ChannelOrder | None = None,
    unmatched: Unmatched = "refuse",
    progress: Report | None = None,
) -> Results:
    """Measure ways of keeping images, on built-in ones or on those at `source`, and return the results.

    suite: "classic", "full" (that and every question of the lab) or names of questions. budget_seconds: 120 for the classic
    experiment, 1800 for all, unless given. repeats: so many of each cell of the classic experiment, fewer where the budget is short;
    for None at least 5, and on until the median is known within 5 %, 20 at most. channel_order, unmatched: as `pixstore.open` takes them;
    of several fields the first is measured.

    With `out`, stores are written below that folder and the results are saved in it, also when the run is interrupted; without,
    a temporary folder is used. No store is left behind. A way that fails is a cell with an error, not an exception. Raises
    InvalidInputError for unknown names and numbers out of range, and what `pixstore.open` raises.
    """
    started = time.monotonic()
    suites.check(suite)
    budget = suites.default_budget(suite) if budget_seconds is None else budget_seconds
    limits = Limits(repeats, budget, max_disk_bytes, suites.classic_seconds(suite, budget))
    _check(ways, experiments, cutoffs, has_source=source is not None)
    with contextlib.closing(_sample(source, cutoffs, {"channel_order": channel_order, "unmatched": unmatched})) as sample:
        is_built_in = sample.dataset is None
        names = catalog.default_names(is_built_in=is_built_in, is_encoded=sample.is_encoded) if ways is None else list(ways)
        stages = planned.stages(experiments, cutoffs or planned.default_cutoffs(None if is_built_in else sample.total))
        job = Job(sample, names, stages if suites.has_classic(suite) else [], list(suite), ways is not None)
        return _measure(job, limits, started, out, progress)


@dataclass(frozen=True)
class Job:
    """What a run measures."""

    sample: Sample
    ways: list[str]
    stages: list[Stage]
    suite: list[str]
    names_ways: bool
    """Whether the user has named the ways; the lab has its own where not."""


def _check(ways: Sequence[str] | None, experiments: Sequence[str], cutoffs: Sequence[int] | None, *, has_source: bool) -> None:
    if ways is not None:
        catalog.check(ways, has_source=has_source)
    planned.check(experiments)
    if cutoffs is not None and (not cutoffs or min(cutoffs) < 1):
        raise InvalidInputError(f"cutoffs {cutoffs}: name numbers of images from 1 on")


def _sample(source: SourceLike | None, cutoffs: Sequence[int] | None, stated: Stated) -> Sample:
    largest = max(cutoffs or planned.default_cutoffs(None))
    return built_in(largest) if source is None else from_source(source, largest, stated=stated)


def _measure(job: Job, limits: Limits, started: float, out: str | Path | None, progress: Report | None) -> Results:
    session: Session | None = None
    try:
        with _folder(out) as folder:
            session = Session(job.sample, job.ways, folder, limits, started, progress)
            session.results.run["suite"] = job.suite
            if job.stages:
                _run(session, job.stages)
            _ask(session, job, limits)
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
    return Results.of(session.results)


def _ask(session: Session, job: Job, limits: Limits) -> None:
    """Ask the lab's questions one after another, each with its share of what is left of the budget."""
    waiting = suites.questions(job.suite)
    if not waiting:
        return
    lab = Lab(job.sample, _lab_ways(session, job), session.folder / "lab", machine.usable_cpus(), session.max_disk_bytes)
    session.results.run["lab"] = {}
    if not session.results.run["limits"]:
        session.tell_lab("measuring what the machine can do")
        session.results.run["limits"] = physical.measure(lab.work(lab.count()), session.folder)
    until = limits.budget_seconds - suites.drawing_seconds(job.suite, limits.budget_seconds)
    for number, question in enumerate(waiting):
        left = max(0.0, until - session.seconds_gone())
        share = left * question.weight / sum(each.weight for each in waiting[number:])
        try:
            _answer(session, lab, question, (share, min(OVERRUN * share, left)), f"question {number + 1} of {len(waiting)}")
        except KeyboardInterrupt:
            if number + 1 < len(waiting):
                session.note(f"interrupted before the questions {', '.join(each.name for each in waiting[number + 1 :])}")
            raise


def _answer(session: Session, lab: Lab, question: Question, seconds: tuple[float, float], which: str) -> None:
    """Ask one question, for about so many seconds and so many at most; what it has measured is kept also where it is interrupted."""
    asking = Asking(lab, question)
    try:
        asking.run(*seconds, lambda doing: session.tell_lab(f"{which}, {doing}"))
    finally:
        session.add_answer(question.name, asking.answer())
    lab.clear()


def _lab_ways(session: Session, job: Job) -> list[Way]:
    """Return the ways the lab compares, and note them with the run's."""
    sample = job.sample
    kinds = {"is_built_in": sample.dataset is None, "is_encoded": sample.is_encoded, "is_uniform": isinstance(sample.images, np.ndarray)}
    names = job.ways if job.names_ways else catalog.lab_names(**kinds)
    return session.add_ways(names)


def _run(session: Session, stages: list[Stage]) -> None:
    _warm_up(session, stages)
    for number, stage in enumerate(stages):
        session.waiting = stages[number + 1 :]
        reason = session.reason_to_stop(stage)
        if reason:
            session.note(f"stopped before {', '.join(f'{each.images:,}' for each in stages[number:])} images: {reason}")
            break
        StageRun(session, stage).run(session.plan.repeats)
    if session.largest:
        session.tell(f"measuring what the machine can do with {words.count(session.largest, 'image')}")
        session.results.run["limits"] = physical.measure(session.sample.work(session.largest), session.folder)


def _warm_up(session: Session, stages: list[Stage]) -> None:
    """Do every experiment with a few images, twice, and drop the times: no cell pays for loading a library.

    What it cost the second time tells the plan what more images will cost; the first time has to do where images are so large that
    another would take too much of the budget.
    """
    reads = tuple(dict.fromkeys(read for stage in stages for read in stage.reads if read != "read-one"))
    fitting = int(WARM_UP_BYTES / session.sample.mean_bytes)
    images = max(1, min(WARM_UP_IMAGES, session.sample.largest, fitting))
    started = session.seconds_gone()
    _try(session, images, reads)
    if session.seconds_gone() - started <= WARM_UP_PART * session.seconds_left():
        session.plan.forget()
        _try(session, images, reads)
    session.forget()


def _try(session: Session, images: int, reads: tuple[str, ...]) -> None:
    StageRun(session, Stage(images, "store-many", reads, True, True)).run(Repeats(1, 1))


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
