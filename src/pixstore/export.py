"""`pixstore.export`: take a dataset out, in a layout that other people's readers open."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from pixstore.convert import part_of
from pixstore.dataset import Dataset
from pixstore.disk import bytes_of, make_folders, remove, sync_folder, translated
from pixstore.engines.writing import sync_tree
from pixstore.errors import DestinationExistsError, InvalidInputError, LossNotAcceptedError
from pixstore.export_proof import prove
from pixstore.layout import Export, Layout, Loss, Progress
from pixstore.layouts import catalog
from pixstore.naming import SourceLike, Unmatched, files_named, source_words
from pixstore.opening import open_dataset
from pixstore.schema import ChannelOrder

DEFAULT_SHARD_BYTES = 1 << 28
ALL = "all"
PARTIAL = ".partial"
LOSSES = frozenset({"keys", "columns", "classes", "fields", "depth", "format", "alpha", "missing", "splits"})
"""The names under which layouts say what they lose."""


@dataclass
class ExportReport:
    """What an export wrote. `losses` are those that were accepted and did occur; `checked` says how the result was compared."""

    source: str
    destination: str
    layout: str
    samples: int = 0
    bytes: int = 0
    seconds: float = 0.0
    checked: str = ""
    losses: list[Loss] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def export(
    source: SourceLike | Dataset,
    destination: str | os.PathLike[str],
    *,
    to: str,
    accept: str | Sequence[str] = (),
    check: bool = False,
    shard_bytes: int = DEFAULT_SHARD_BYTES,
    threads: int | None = None,
    label_from: str | None = None,
    channel_order: ChannelOrder | None = None,
    unmatched: Unmatched = "refuse",
    split: str | Path | None = None,
    part: str | None = None,
    progress: Progress | None = None,
) -> ExportReport:
    """Write every sample of a store, or of other people's data, at `destination` in the layout `to`, and return what was done.

    Encoded images are written byte for byte where the layout holds encoded images. What the layout cannot hold is not written until
    `accept` names it: "keys", "columns", "classes", "fields", "depth", "format", "alpha", "missing", "splits", or "all".

    The result appears when all of it is written, synced, opened again and its samples counted; check=True also compares every pixel and
    label with the source before that. Interrupted, or without space, nothing is left; what a killed process leaves is a folder beside
    the destination whose name ends in `.partial`, which may be removed.

    shard_bytes: about how large the files of a layout of many files become. source, label_from, channel_order and unmatched: as in
    `pixstore.open`. split and part: only the samples of one part of a saved split. `progress(done, total, bytes)` is called as it goes.

    Raises LossNotAcceptedError naming what would be lost and how to accept it, DestinationExistsError where something is already there,
    InvalidInputError for images or labels that the layout cannot hold at all.
    """
    began = time.perf_counter()
    layout, place = catalog.layout(to), Path(os.path.abspath(destination))
    accepted = _accepted(accept)
    _refuse_existing(place)
    if shard_bytes < 1:
        raise InvalidInputError(f"shard_bytes {shard_bytes} is not positive")
    with ExitStack() as opened:
        if isinstance(source, Dataset):
            if label_from is not None or channel_order is not None:
                raise InvalidInputError("label_from and channel_order are for what is yet to be opened: give them to pixstore.open")
            dataset, words = source, "a dataset"
        else:
            _refuse_inside(source, place)
            found = open_dataset(
                source, label_from=label_from, channel_order=channel_order, unmatched=unmatched, threads=threads, progress=progress
            )
            dataset, words = opened.enter_context(found), source_words(source)
        report = ExportReport(words, str(destination), to, notes=list(dataset.report.notes))
        if split is not None or part is not None:
            dataset = part_of(dataset, split, part)
        else:
            report.notes += _splits_left_behind(dataset)
        if not len(dataset):
            raise InvalidInputError(f"{words}: holds no images")
        report.losses = _losses(layout, dataset, accepted)
        report.notes += layout.notes(dataset)
        _write(layout, Export(dataset, place, shard_bytes, threads, progress), report, check=check)
    report.bytes = bytes_of(place)[0]
    report.seconds = time.perf_counter() - began
    return report


def _accepted(accept: str | Sequence[str]) -> frozenset[str]:
    """Return the names of losses that are accepted. Raises InvalidInputError for a name that is none."""
    names = frozenset([accept] if isinstance(accept, str) else accept)
    unknown = sorted(names - LOSSES - {ALL})
    if unknown:
        raise InvalidInputError(f"accept {unknown[0]!r} is none of {', '.join(sorted(LOSSES))}, all")
    return LOSSES if ALL in names else names


def _losses(layout: Layout, dataset: Dataset, accepted: frozenset[str]) -> list[Loss]:
    """Return what will be lost. Raises LossNotAcceptedError where not all of it is accepted."""
    losses = layout.losses(dataset)
    refused = [loss for loss in losses if loss.name not in accepted]
    if refused:
        names = list(dict.fromkeys(loss.name for loss in refused))
        listed = "; ".join(f"{loss.name}: {loss.words}" for loss in refused)
        options = " ".join(f"--accept {name}" for name in names)
        raise LossNotAcceptedError(f"{layout.name} cannot hold all of this: {listed}. To lose that, pass {options} (accept={names})", names)
    return losses


def _splits_left_behind(dataset: Dataset) -> list[str]:
    names = sorted(dataset.store_manifest.splits) if dataset.store_manifest else []
    return [f"saved splits stay in the store: {', '.join(names)}; export each part with --split and --part"] if names else []


def _write(layout: Layout, export: Export, report: ExportReport, *, check: bool) -> None:
    """Write, sync, prove and rename; whatever happens before the last step leaves nothing."""
    place, parent = export.place, export.place.parent
    make_folders(parent, durable=True)
    report.notes += _left_by_others(place)
    with translated(place), _partial_folder(place) as partial:
        inner = replace(export, place=partial / place.name)
        descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
        try:
            layout.write(inner)
            sync_tree(partial, descriptor)
        finally:
            os.close(descriptor)
        report.samples, report.checked, notes = prove(inner, layout, [loss.name for loss in report.losses], check=check)
        report.notes += notes
        _refuse_existing(place)
        os.rename(inner.place, place)
        sync_folder(parent)


def _left_by_others(place: Path) -> list[str]:
    """Return a note where folders of other exports to `place` lie beside it; whether one still runs, nothing there says."""
    others = sorted(name for name in os.listdir(place.parent) if name.startswith(f"{place.name}.") and name.endswith(PARTIAL))
    if not others:
        return []
    return [f"{', '.join(others)} beside {place} is of an export that was killed or still runs; remove it where none runs"]


@contextmanager
def _partial_folder(place: Path) -> Iterator[Path]:
    """Make a folder beside `place`, and remove it with all it holds when the block ends, however it ends."""
    partial = Path(tempfile.mkdtemp(PARTIAL, f"{place.name}.", place.parent))
    try:
        yield partial
    finally:
        # Why nothing was made is to be told, not why something of it could not be removed.
        with suppress(OSError):
            remove(partial)


def _refuse_existing(place: Path) -> None:
    if os.path.lexists(place):
        raise DestinationExistsError(f"{place}: something is already there; choose another place")


def _refuse_inside(source: SourceLike, place: Path) -> None:
    for origin in chain.from_iterable(files_named(source).values()):
        if origin.is_dir() and place.resolve().is_relative_to(origin.resolve()):
            raise DestinationExistsError(f"{place}: lies inside the source {origin}; choose a place outside it")
