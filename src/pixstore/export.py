"""`pixstore.export`: take a dataset out, in a layout that other people's readers open."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pixstore.dataset import Dataset
from pixstore.disk import bytes_of, make_folders, remove, sync_folder, translated
from pixstore.engines.writing import sync_tree
from pixstore.errors import DestinationExistsError, InvalidInputError, LossNotAcceptedError
from pixstore.export_proof import prove
from pixstore.layout import Export, Layout, Loss, Progress
from pixstore.layouts import catalog
from pixstore.opening import SourceLike, Unmatched, files_named, open_dataset
from pixstore.schema import ChannelOrder

DEFAULT_SHARD_BYTES = 1 << 28
ALL = "all"
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
    split: str | os.PathLike[str] | None = None,
    part: str | None = None,
    progress: Progress | None = None,
) -> ExportReport:
    """Write every sample of a store, or of other people's data, at `destination` in the layout `to`, and return what was done.

    Encoded images are written byte for byte where the layout holds encoded images. What the layout cannot hold is not written until
    `accept` names it: "keys", "columns", "classes", "fields", "depth", "format", "alpha", "missing", "splits", or "all".

    The result appears when all of it is written, synced, opened again and its samples counted; check=True also compares every pixel and
    label with the source before that. Interrupted, or without space, nothing is left; what a killed process leaves is a folder beside
    the destination whose name ends in `.partial`, which may be removed.

    shard_bytes: about how large the files of a layout of many files become. split and part: only the samples of one part of a saved
    split. label_from, channel_order, unmatched: as in `pixstore.open`. `progress(done, total, bytes)` is called as it goes.

    Raises LossNotAcceptedError naming what would be lost and how to accept it, DestinationExistsError where something is already there,
    InvalidInputError for images or labels that the layout cannot hold at all.
    """
    began = time.perf_counter()
    layout, place = catalog.layout(to), Path(os.path.abspath(destination))
    accepted = _accepted(accept)
    _refuse_existing(place)
    if shard_bytes < 1:
        raise InvalidInputError(f"shard_bytes {shard_bytes} is not positive")
    dataset, words = source, "a dataset"
    if not isinstance(dataset, Dataset):
        _refuse_inside(dataset, place)
        words = " ".join(map(str, files_named(dataset)))
        dataset = open_dataset(
            dataset, label_from=label_from, channel_order=channel_order, unmatched=unmatched, threads=threads, progress=progress
        )
    elif label_from is not None or channel_order is not None:
        raise InvalidInputError("label_from and channel_order are for what is yet to be opened: give them to pixstore.open")
    notes = list(dataset.report.notes)
    dataset = dataset.part_of(split, part)
    report = ExportReport(words, str(destination), to, len(dataset), losses=_losses(layout, dataset, accepted), notes=notes)
    if not len(dataset):
        raise InvalidInputError(f"{words}: holds no images")
    _write(layout, Export(dataset, place, shard_bytes, threads, progress), report, check=check)
    report.bytes = bytes_of(place)[0]
    report.seconds = time.perf_counter() - began
    return report
