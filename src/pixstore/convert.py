"""Convert any source into a store, as a job that may be interrupted; what cannot be read is listed, never replaced."""

from __future__ import annotations

import os
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from pixstore import registry
from pixstore.codec import usable_cpus
from pixstore.dataset import Dataset
from pixstore.disk import bytes_of
from pixstore.encoding import KINDS
from pixstore.errors import BadRow, DestinationExistsError, InvalidInputError, StoreFullError
from pixstore.estimate.trial import Estimate, estimate
from pixstore.executors.dispatch import check_place
from pixstore.field_sizes import differing_sizes
from pixstore.incoming import Encoding
from pixstore.jobs import limits
from pixstore.jobs.coordinate import Outcome, Terms, run_job, unfinished_at
from pixstore.jobs.job import Check, Job, OnBad
from pixstore.jobs.lists import Duplicate
from pixstore.jobs.plan import Plan, make_plan, next_key
from pixstore.loader.recipe import is_mask
from pixstore.manifest import Durability
from pixstore.naming import SourceLike, Unmatched, absolute, files_named, source_words
from pixstore.opening import open_dataset
from pixstore.schema import ARRAY_CODECS, ChannelOrder, Field, Schema
from pixstore.source import Skipped
from pixstore.writer import DEFAULT_ENGINE, DEFAULT_SHARD_BYTES

Progress = Callable[[int, int, int], None]
DEFAULT_MEMORY = 256 << 20
DRY_RUN_SECONDS, ESTIMATE_SECONDS = 1.0, 0.3
"""How long samples are converted for an estimate: where it is all that is asked for, and where the conversion follows."""
COPIES = 3
"""How often a record may be in memory on its way: as read, as decoded, as encoded."""
MOST_BATCH_BYTES = 8 << 20
"""What fits the processor's caches is not slower than more, and lets every worker begin to write at once."""


@dataclass
class ConvertReport:
    """What a conversion did. Bytes are those of the encoded images read and of the store's files; skipped files were never samples.

    A conversion that went on counts all of it; `resumed` of its samples were in the store before. `estimate` is what was expected,
    where that was asked for.
    """

    source: str
    destination: str
    engine: str
    engine_reason: str
    codec: str
    samples: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0
    skipped: list[Skipped] = field(default_factory=list)
    bad_rows: list[BadRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    resumed: int = 0
    estimate: Estimate | None = None


@dataclass(frozen=True)
class _Options:
    """What `convert` was asked for, checked."""

    engine: str
    encoding: Encoding
    durability: Durability
    shard_bytes: int
    order: str
    check: Check
    on_bad: OnBad
    dedup: bool
    memory: int
    workers: int

    def __post_init__(self) -> None:
        if self.durability not in ("power", "process"):
            raise InvalidInputError(f"durability {self.durability!r} is neither 'power' nor 'process'")
        if self.check not in ("structure", "decode", "none"):
            raise InvalidInputError(f"check {self.check!r} is none of 'structure', 'decode', 'none'")
        if self.on_bad not in ("quarantine", "fail"):
            raise InvalidInputError(f"on_bad {self.on_bad!r} is neither 'quarantine' nor 'fail'")
        for name in ("shard_bytes", "memory", "workers"):
            if getattr(self, name) < 1:
                raise InvalidInputError(f"{name} {getattr(self, name)} is not positive")
        registry.engine(self.engine)

    def facts(self) -> dict[str, str | int | bool | None]:
        """Return those options that decide what the store holds: an unfinished conversion goes on with the same ones only."""
        encoding = self.encoding
        return {
            "engine": self.engine, "codec": encoding.codec, "level": encoding.level, "quality": encoding.quality, "order": self.order,
            "check": self.check, "dedup": self.dedup, "durability": self.durability, "shard_bytes": self.shard_bytes,
        }  # fmt: skip

    def _refuse_lossy_masks(self, schema: Schema) -> None:
        """Raise InvalidInputError where a mask would be stored with other numbers, which are other classes."""
        codec = self.encoding.codec
        masks = [each.name for each in schema.fields if is_mask(each.name)]
        if masks and codec in KINDS and not KINDS[codec].is_lossless:
            raise InvalidInputError(
                f"codec {codec!r} would change the classes in the field {masks[0]!r}: use keep or png for both, or write the samples with"
                f" pixstore.Writer(codec={{'image': {codec!r}}})"
            )

    def job(self, dataset: Dataset, destination: Path) -> Job:
        schema = dataset.schema
        stacks = [each.name for each in schema.fields if each.is_stack]
        if stacks and self.encoding.codec not in ("keep", *ARRAY_CODECS):
            raise InvalidInputError(
                f"codec {self.encoding.codec!r} is for images, and the field {stacks[0]!r} holds many masks N·H·W for each sample:"
                " use keep, raw, zstd or lz4"
            )
        self._refuse_lossy_masks(schema)
        fields = tuple(Field(each.name, self.encoding.codec, is_stack=each.is_stack) for each in schema.fields)
        stored = Schema(fields, schema.columns, schema.classes, schema.attributes)
        # Types that cannot be stored are refused now, not when hours of work are committed.
        stored.to_json()
        batch = max(1, min(MOST_BATCH_BYTES, self.shard_bytes, self.memory // (COPIES * self.workers)))
        return Job(
            dataset.unpinned(),
            destination,
            self.engine,
            stored,
            self.encoding,
            self.durability,
            self.shard_bytes,
            self.check,
            self.on_bad,
            batch,
        )


def convert(
    source: SourceLike | Dataset,
    destination: str | Path,
    *,
    engine: str | None = None,
    codec: str = "keep",
    durability: Durability = "power",
    shard_bytes: int = DEFAULT_SHARD_BYTES,
    level: int | None = None,
    quality: int | None = None,
    threads: int | None = None,
    label_from: str | None = None,
    channel_order: ChannelOrder | None = None,
    unmatched: Unmatched = "refuse",
    split: str | Path | None = None,
    part: str | None = None,
    on: str = "threads",
    workers: int | None = None,
    order: str = "source",
    check: Check = "structure",
    on_bad: OnBad = "quarantine",
    bad_limit: str | int = limits.DEFAULT,
    dedup: bool = False,
    resume: bool = False,
    memory: int = DEFAULT_MEMORY,
    dry_run: bool = False,
    with_estimate: bool = False,
    progress: Progress | None = None,
) -> ConvertReport:
    """Write every sample of a source into a new store at `destination`, and return what was done.

    What is finished is committed as it goes. Where an unfinished conversion of the same source with the same options is at the
    destination, it goes on: run the same again after an interrupt, a kill or a full disk. resume: refuse to begin a new one.

    source, label_from, channel_order and unmatched are those of `pixstore.open`: `{"image": "photos/", "mask": "masks/"}` are one store.
    codec="keep" copies encoded images byte for byte (arrays become raw); another codec decodes and encodes again. order: "source", "key",
    the name of a column, or "shuffle:SEED". split and part: only the samples of one part of a saved split (its name, or a file).

    check: images without a checksum are looked at to their end ("structure": PNG chunks and their CRCs, JPEG markers), decoded ("decode"),
    or by their headers alone ("none"). Samples that cannot be read, fail the check, or whose file changed meanwhile are left out and
    listed, in the report's `bad_rows` and in bad.csv. At more of them than `bad_limit` the conversion stops: a number, "none", or a share
    like "1%", which is 100 at least unless it is "0%". on_bad="fail" stops at the first. dedup: of samples with the same bytes the first
    stays, the others stand in duplicates.csv; the source is read twice for it.

    on: "threads", "processes", "ray" or "ray=ADDRESS". workers: how many work at a time, one for each CPU by default; they share the
    `threads` (all CPUs by default). memory: bytes of records in memory at a time, all workers together; a larger image goes alone.
    `progress(done, total, bytes)` is called as it goes, with a total of 0 while the source is listed.

    dry_run: convert some samples elsewhere, measure, and write nothing: the report's `estimate` says bytes, time and free space.
    with_estimate: do both, for a summary that has the estimate beside what came of it. Warns where the space will not do.

    Raises DestinationExistsError where something else is already there, JobMismatchError naming what differs from the unfinished
    conversion or which file of many records changed meanwhile, RecordError where too many samples, or all, are bad.
    """
    began = time.perf_counter()
    check_place(on)
    limits.most_bad(bad_limit, 0)
    all_threads = threads or usable_cpus()
    crew = all_threads if workers is None else workers
    encoding = Encoding(codec, level, quality, max(1, all_threads // max(crew, 1)))
    options = _Options(engine or DEFAULT_ENGINE, encoding, durability, shard_bytes, order, check, on_bad, dedup, memory, crew)
    place, named = Path(destination), None if isinstance(source, Dataset) else source
    origins = {} if named is None else files_named(named)
    unfinished = unfinished_at(place, resume=resume)
    dataset = (
        source
        if isinstance(source, Dataset)
        else open_dataset(
            source, label_from=label_from, channel_order=channel_order, unmatched=unmatched, threads=threads, progress=progress
        )
    )
    for path in chain.from_iterable(origins.values()):
        _refuse_inside(path, place)
    report = _begun(dataset, named, place, options, _reason(engine))
    if split is not None or part is not None:
        dataset = part_of(dataset, split, part)
    if not len(dataset):
        raise InvalidInputError(f"{report.source}: holds no images{_skipped_words(report.skipped)}")
    report.notes += differing_sizes(dataset)
    plan = make_plan(dataset, order, origins=origins, threads=threads, progress=progress)
    job = options.job(dataset, place)
    if dry_run or (with_estimate and unfinished is None):
        asked_at = time.perf_counter()
        report.estimate = _expected(job, plan, on, crew, asked_at - began, is_all=dry_run)
        # What the estimate took is no part of what it says.
        began += time.perf_counter() - asked_at
    if not dry_run:
        if unfinished is None:
            _warn_if_full(place, plan, report.estimate)
        terms = Terms(on, crew, limits.most_bad(bad_limit, len(plan)), dedup, resume, next_key(dataset), progress, workers is None)
        opened_with = {"label_from": label_from, "channel_order": channel_order, "unmatched": unmatched if unmatched == "skip" else None}
        facts = {**_source_as_named(named, split, part), **opened_with, **options.facts(), **plan.facts}
        _note(report, run_job(job, plan, facts, terms))
    report.seconds = time.perf_counter() - began
    return report


def _expected(job: Job, plan: Plan, on: str, crew: int, spent: float, *, is_all: bool) -> Estimate | None:
    """Return what the conversion will take; None, with a warning, where not even some samples fit and it is not all that is asked for."""
    try:
        budget = DRY_RUN_SECONDS if is_all else ESTIMATE_SECONDS
        return estimate(job, plan, on=on, workers=crew, spent=spent, budget_seconds=budget)
    except StoreFullError as error:
        if is_all:
            raise
        warnings.warn(f"no estimate, because not even some samples fit: {error.strerror}", stacklevel=3)
        return None


def _begun(dataset: Dataset, named: SourceLike | None, place: Path, options: _Options, reason: str) -> ConvertReport:
    words = "a dataset" if named is None else source_words(named)
    report = ConvertReport(words, str(place), options.engine, reason, options.encoding.codec)
    report.skipped, report.notes = list(dataset.report.skipped), list(dataset.report.notes)
    return report


def _source_as_named(named: SourceLike | None, split: str | Path | None, part: str | None) -> dict[str, Any]:
    """Return how the source was named: an unfinished conversion goes on with the same one only."""
    where: Any = None if named is None else absolute(named)
    return {"source": where, "split": None if split is None else str(split), "part": part}


def _note(report: ConvertReport, outcome: Outcome) -> None:
    report.bytes_out = bytes_of(Path(report.destination))[0]
    report.samples, report.bytes_in = outcome.state.samples, outcome.state.bytes_in
    report.bad_rows, report.duplicates, report.resumed = outcome.bad_rows, outcome.duplicates, outcome.resumed
    report.notes += [str(each) for each in outcome.remarks]


def _warn_if_full(place: Path, plan: Plan, expected: Estimate | None) -> None:
    """Warn, before hours of work, where the store will hardly find the space that it needs."""
    folder = next(each for each in Path(os.path.abspath(place)).parents if each.is_dir())
    needed = int(plan.bytes.sum()) if expected is None else expected.allocated
    free = shutil.disk_usage(folder).free
    if needed > free:
        warnings.warn(f"{place}: about {needed:,} bytes are needed, {free:,} are free; free some space while it runs", stacklevel=3)


def part_of(dataset: Dataset, split: str | Path | None, part: str | None) -> Dataset:
    """Return the samples of one part of a saved split. Raises InvalidInputError naming the parts there are."""
    if split is None:
        raise InvalidInputError(f"part {part!r} of no split; name the split too")
    parts = dataset.split(name=split)
    if part is None:
        raise InvalidInputError(f"the split '{split}' has the parts {', '.join(parts)}; say which is to be converted")
    if part not in parts:
        raise InvalidInputError(f"the split '{split}' has no part {part!r}; its parts: {', '.join(parts)}")
    return parts[part]


def _reason(engine: str | None) -> str:
    return "as asked" if engine else "the default: few large files that any program can read, fastest to write and to read"


def _refuse_inside(source: Path, destination: Path) -> None:
    if source.is_dir() and destination.resolve().is_relative_to(source.resolve()):
        raise DestinationExistsError(f"{destination}: lies inside the source {source}; choose a place outside it")


def _skipped_words(skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return ""
    return f"; {len(skipped)} files were left out, the first: {skipped[0].path} ({skipped[0].reason})"
