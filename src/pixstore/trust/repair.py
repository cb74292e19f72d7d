"""`pixstore.repair`: a new store of every sample of a damaged one that can be proven, and the list of those that cannot."""

from __future__ import annotations

import csv
import datetime
import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pixstore import registry
from pixstore.belongings import OURS, holds_only_ours, is_real_folder, remove_ours
from pixstore.builder import ShardRoller
from pixstore.codec import hash_bytes
from pixstore.disk import make_folders, remove, replace_file, sync_folder, translated, write_file
from pixstore.errors import CorruptStoreError, DestinationExistsError
from pixstore.manifest import Manifest, ShardEntry, commit
from pixstore.mode import base_version, stated_schema, take_store
from pixstore.splits.saved import FOLDER as SPLITS
from pixstore.trust.salvage import Lost, salvage
from pixstore.trust.structure import open_table
from pixstore.trust.survey import Survey, survey
from pixstore.writer import DEFAULT_SHARD_BYTES

Progress = Callable[[int, int, int], None]
LOST = "lost.csv"


@dataclass
class RepairReport:
    """What was saved of which version, and what was not: `lost` has every sample, `notes` what else did not come along."""

    source: str
    destination: str
    version: int
    samples: int = 0
    lost: list[Lost] = field(default_factory=list)
    bytes: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    unfinished: bool = False
    """Whether the version was that of a conversion that was not finished: samples it had yet to write are in neither store."""

    @property
    def is_whole(self) -> bool:
        """Whether every sample of the version was saved, and the version was finished."""
        return not self.lost and not self.unfinished


def repair(store: str | os.PathLike[str], out: str | os.PathLike[str], *, progress: Progress | None = None) -> RepairReport:
    """Write every sample of the newest readable version of `store` that can be proven into a new store at `out`; return what was done.

    A sample is saved where the digest of its table and the checksum of each of its images match. Those that are lost are listed in
    `lost.csv` in the new store (key, shard, row, reason) and in the report. The engine stays the same; sound saved splits and class names
    come along, older versions and tags do not. `store` is only read.
    Interrupted, nothing is left at `out`; what a killed repair left there is begun anew.
    progress: called as `progress(samples, all samples, bytes)`.

    Raises DestinationExistsError where something is at `out`, CorruptStoreError where no version or no sample can be read.
    """
    began = time.perf_counter()
    source, place = Path(store).absolute(), Path(out).absolute()
    found = survey(source)
    if found.current is None:
        raise CorruptStoreError(f"{store}: no version of it can be read ({found.findings[0]}); restore it from a copy")
    _refuse(source, place)
    report = RepairReport(str(store), str(out), found.current.version, unfinished=found.current.is_unfinished)
    lock = take_store(place, durable=True)
    try:
        # Before the lock was ours, another may have finished a store here.
        _refuse(source, place)
        _write_or_leave_nothing(found, found.current, place, report, progress)
    finally:
        lock.release()
    report.seconds = time.perf_counter() - began
    return report


def _write_or_leave_nothing(found: Survey, version: Manifest, place: Path, report: RepairReport, progress: Progress | None) -> None:
    try:
        _clear(place)
        _write(found, version, place, report, progress)
    except BaseException:
        # Why nothing was made is to be told, not why something of it could not be removed.
        with suppress(OSError):
            remove_ours(place)
        raise


def _refuse(source: Path, place: Path) -> None:
    if place.is_symlink() or (place.exists() and not _is_half_made(place)):
        raise DestinationExistsError(f"{place}: something is already there; choose another place")
    if place.resolve().is_relative_to(source.resolve()):
        raise DestinationExistsError(f"{place}: lies inside the store {source}, which is only read; choose a place outside it")


def _is_half_made(place: Path) -> bool:
    """Return whether a folder holds what a repair leaves that was killed, and nothing else."""
    try:
        return holds_only_ours(place) and base_version(place, "x") is None
    except (DestinationExistsError, CorruptStoreError):
        return False


def _clear(place: Path) -> None:
    """Remove what a killed repair left; the writer's lock is held."""
    for folder, is_ours in OURS.items():
        for path in (place / folder).iterdir() if is_real_folder(place / folder) else ():
            if is_ours(path.name):
                remove(path)
    if not is_real_folder(place / LOST):
        remove(place / LOST)


def _write(found: Survey, version: Manifest, place: Path, report: RepairReport, progress: Progress | None) -> None:
    roller = ShardRoller(place, registry.engine(version.engine), durable=True, shard_bytes=DEFAULT_SHARD_BYTES)
    try:
        for entry in version.shards:
            _save_shard(found.path, entry, version, roller, report, progress)
        roller.seal()
    except BaseException:
        roller.abort()
        raise
    if not report.samples and version.rows:
        raise CorruptStoreError(f"{found.path}: not one of {version.rows:,} samples can be proven ({report.lost[0].reason})")
    made = Manifest(
        version=1,
        parent=None,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        engine=version.engine,
        durability="power",
        schema=stated_schema(version.schema, roller.sealed),
        next_key=version.next_key,
        shards=tuple(roller.sealed),
        splits=dict(_saved_splits(found.path, version, place, report)),
    )
    if version.job is not None and version.is_unfinished:
        there = f"{version.job.samples:,} of {version.job.rows:,} samples were there"
        report.notes.append(f"the conversion into it was not finished: {there}; finish it, or convert again")
    if report.lost:
        _list_lost(place / LOST, report)
    commit(place, made)


def _save_shard(
    store: Path, entry: ShardEntry, version: Manifest, roller: ShardRoller, report: RepairReport, progress: Progress | None
) -> None:
    try:
        shard = open_table(store, entry, version.schema)
    except CorruptStoreError as error:
        report.lost += [Lost("", entry.id, row, str(error).removeprefix(f"{store}/")) for row in _live_rows(entry)]
        return
    for saved in salvage(shard):
        if len(saved.keys):
            roller.append(version.schema, saved.keys, saved.columns, saved.fields)
        report.samples += len(saved.keys)
        report.lost += saved.lost
        report.bytes += sum(int(each.slices.length.clip(0).sum()) for each in saved.fields.values())
        if progress is not None:
            progress(report.samples + len(report.lost), version.rows, report.bytes)


def _live_rows(entry: ShardEntry) -> Iterator[int]:
    deleted = {row for start, stop in entry.deleted for row in range(start, stop)}
    return (row for row in range(entry.rows) if row not in deleted)


def _saved_splits(store: Path, version: Manifest, place: Path, report: RepairReport) -> Iterator[tuple[str, str]]:
    """Yield name and file of the saved splits that are sound, copied."""
    for name, file in version.splits.items():
        try:
            data = (store / SPLITS / file).read_bytes()
        except OSError as error:
            report.notes.append(f"the saved split {name!r} is gone ({error.strerror}); save it again")
            continue
        if file != f"{name}.{hash_bytes(data):016x}.arrow":
            report.notes.append(f"the saved split {name!r} is damaged and was left behind; save it again")
            continue
        make_folders(place / SPLITS, durable=True)
        with translated(place, needed=len(data)):
            write_file(place / SPLITS / file, data, durable=True)
            sync_folder(place / SPLITS)
        yield name, file


def _list_lost(path: Path, report: RepairReport) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["key", "shard", "row", "reason"])
    writer.writerows([each.key, each.shard, each.row, each.reason] for each in report.lost)
    data = text.getvalue().encode(errors="backslashreplace")
    with translated(path, needed=len(data)):
        replace_file(path, data, durable=True)
