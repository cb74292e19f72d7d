"""WebDataset: tar shards whose files of one stem are a sample. One archive, a folder of them, or a pattern `train-{000..011}.tar`.

Images lie plainly in a tar archive and are read in place. Of a compressed one, everything is unpacked into memory, within a limit.
`.cls` is the label, `.json` and `.txt` are columns, `mask.png` beside `jpg` is the field `mask`; what code would be run to read (pickles,
modules) is kept as bytes. Layout as the webdataset library has it (github.com/webdataset/webdataset, "The WebDataset Format").
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from pixstore.errors import LabelMismatchError, NotAStoreError
from pixstore.rows import Extents, Indices, Slices
from pixstore.schema import KEY, Field, Format, Schema
from pixstore.source import Skipped, SourceOptions, SourceReport
from pixstore.sources.archives.archive import first_names, has_tar_magic
from pixstore.sources.archives.numbered import in_order, note_of_one, part_of
from pixstore.sources.archives.sample_columns import CLASS, Columns, fields_of
from pixstore.sources.archives.sample_groups import NONE, Samples, samples_of
from pixstore.sources.archives.tar_shards import Shards, is_packed
from pixstore.sources.folder import LABEL, SPLIT, SPLITS, named_labels
from pixstore.sources.folders.class_folders import columns_of
from pixstore.sources.folders.image_names import is_image_name
from pixstore.sources.folders.listing import has_image
from pixstore.sources.foreign_file import FileState, is_regular, read_head, refuse_changed, state_of
from pixstore.sources.labels import shown
from pixstore.sources.located import LocatedSource, checked_rows, take
from pixstore.sources.stated_sizes import formats_of

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
MOST_NOTES = 20
FIRST_NAMES = 32
QUICK = frozenset({"png", "jpg", "jpeg"})
UNKNOWN = Format(None, None, None)
WORD = re.compile("[a-z]+")


class WebDataset(LocatedSource):
    """Samples in tar shards, read in place."""

    name: ClassVar[str] = "WebDataset tar shards"
    takes: ClassVar[frozenset[str]] = frozenset({"files", "label_from"})
    _members: dict[str, Indices]

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is a tar archive, or a folder of them: numbered ones, or those that no images lie beside or below."""
        if path.is_dir():
            below = _shards_below(path)
            return bool(below) and (_are_numbered([name for names in below.values() for name in names]) or not has_image(path))
        head = read_head(path, 512)
        if head.startswith(b"ustar", 257):
            return True
        if not head or not path.name.lower().endswith(SUFFIXES):
            return has_tar_magic(head) and bool(first_names(path, max_names=1))
        # A damaged archive, which opening describes; a zip archive or text of this name is what it is.
        return has_tar_magic(head) or not any(head) or bool(first_names(path, max_names=1))

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> WebDataset:
        """Read all headers, labels and texts. Raises a PixstoreError that names shard, member and place."""
        report = SourceReport()
        files = list(options.files) or (_in_order(path, report) if path.is_dir() else [path])
        if not path.is_dir() and len(files) == 1 and (note := note_of_one(path.name)):
            report.notes.append(note)
        states = {str(file): state_of(file) for file in files}
        with ExitStack() as stack:
            shards = Shards.of(files, stack)
            source = cls._of(path, shards, states, options, report)
        for file, state in states.items():
            refuse_changed(file, state)
        return source

    @classmethod
    def _of(cls, path: Path, shards: Shards, states: dict[str, FileState], options: SourceOptions, report: SourceReport) -> WebDataset:
        samples = samples_of(shards.members, [str(file) for file in shards.files])
        report.skipped += samples.skipped
        report.notes += [note for members in shards.members for note in members.notes][:MOST_NOTES]
        fields = fields_of(samples.members)
        image = _first_field(path, samples, fields)
        columns = _columns(path, samples, shards, list(fields), report)
        _add_labels_and_splits(path, shards.files, samples, columns, options.label_from, report)
        table = pa.table({KEY: pa.array(columns.keys or samples.keys, pa.string()), **columns.columns})
        schema = Schema(
            tuple(Field(name) for name in fields), pa.schema([table.schema.field(name) for name in columns.columns]), columns.classes
        )
        members = {name: _joined(samples, extensions) for name, extensions in fields.items()}
        places = {name: shards.place(samples, each) for name, each in members.items()}
        known = {name: (place, _formats(fields[name], members[name], place)) for name, place in places.items()}
        place, formats = known.pop(image)
        found = cls(schema, table, report, place=place, formats=formats, origin=str(path), states=states, more=known)
        found._members = members
        return found

    def absent(self, field: str, rows: Indices) -> Indices:
        """Return the places in `rows` of samples without a file of this field."""
        return np.flatnonzero(self._members[field][checked_rows(self, field, rows)] == NONE)


def _formats(extensions: Sequence[str], members: Indices, place: Extents | Slices) -> list[Format]:
    """Return how each image is kept, from headers that the core reads; what others must look at is looked at when it is asked for.

    A batch would look at its headers each time it is read; here they are near those of the archive, which were just read.
    """
    if not all(extension.rpartition(".")[2] in QUICK for extension in extensions):
        return [UNKNOWN]
    formats = [UNKNOWN] * len(members)
    present = np.flatnonzero(members != NONE)
    for row, form in zip(present.tolist(), formats_of(take(place, present)), strict=True):
        formats[row] = form
    return formats


def _shards_below(folder: Path) -> dict[str, list[str]]:
    """Return the names of archives by sub-folder: those in the folder itself (""), else those in folders named like splits."""
    found: dict[str, list[str]] = {}
    for inner in ("", *sorted(SPLITS)):
        try:
            with os.scandir(folder / inner) as entries:
                names = [entry.name for entry in entries]
        except OSError:
            continue
        shards = [name for name in names if name.lower().endswith(SUFFIXES) and _may_be_shard(folder / inner / name)]
        if shards and not any(is_image_name(name) for name in names):
            found[inner] = shards
        if found.get(""):
            break
    return found


def _are_numbered(names: Sequence[str]) -> bool:
    """Return whether the names are those of a set: a single archive beside folders of images is what these were unpacked from."""
    parts = [part_of(name) for name in names]
    return all(part is not None and (part.is_padded or part.total is not None) for part in parts)


def _may_be_shard(path: Path) -> bool:
    """Return whether a file of a folder is a plain archive, or a compressed one that begins with images or cannot be read."""
    if not is_regular(path):
        return False
    names = first_names(path, max_names=FIRST_NAMES) if is_packed(path) else []
    return not names or any(is_image_name(name.rpartition("/")[2]) for name in names)


def _in_order(folder: Path, report: SourceReport) -> list[Path]:
    """Return the shards of a folder, those of a set by number; what else lies there is listed. Raises an error for gaps in a set."""
    below = _shards_below(folder)
    taken = {os.path.join(inner, name) for inner, names in below.items() for name in names}
    others = sorted(os.path.join(inner, name) for inner in below for name in os.listdir(folder / inner))
    report.skipped += [Skipped(name, "no tar archive of images") for name in others if name not in taken | below.keys()]
    return [folder / inner / name for inner, names in below.items() for name in in_order(names, str(folder / inner))]


def _first_field(path: Path, samples: Samples, fields: dict[str, list[str]]) -> str:
    """Return the name of the field that every sample needs. Raises NotAStoreError where there are no images at all."""
    if not fields:
        kinds = ", ".join(f".{extension}" for extension in list(samples.members)[:10]) or "nothing"
        raise NotAStoreError(f"{path}: a tar archive without images; its files are {kinds}")
    name = next(iter(fields))
    members = _joined(samples, fields[name])
    without = [samples.keys[row] for row in np.flatnonzero(members == NONE).tolist()]
    if without:
        raise LabelMismatchError(
            f"{path}: samples without an image .{' or .'.join(fields[name])}: {shown(without)}; add it, or remove them"
        )
    return name


def _joined(samples: Samples, extensions: Sequence[str]) -> Indices:
    """Return the member of each sample that has one of these extensions; no sample has two."""
    joined: Indices = np.maximum.reduce([samples.members[extension] for extension in extensions])
    return joined


def _columns(path: Path, samples: Samples, shards: Shards, fields: list[str], report: SourceReport) -> Columns:
    columns = Columns(samples, shards.size, shards.reader(samples), str(path), fields)
    images = {extension for extensions in fields_of(samples.members).values() for extension in extensions}
    others = [extension for extension in samples.members if extension not in images]
    for extension in sorted(others, key=lambda each: (each != CLASS, each)):
        columns.add(extension)
    report.notes += columns.notes
    return columns


def _add_labels_and_splits(
    path: Path, files: Sequence[Path], samples: Samples, columns: Columns, label_from: str | None, report: SourceReport
) -> None:
    """Add what folders within the archives and names of shards say, where the samples' own files do not."""
    named = named_labels(columns.columns)
    if named is not None:
        columns.columns = {LABEL: named.values, **columns.columns}
        columns.classes[LABEL] = named.classes or ()
    if label_from is not None or LABEL not in columns.columns:
        found, classes = columns_of(pa.array(samples.keys, pa.string()), label_from, report)
        columns.columns |= found
        columns.classes = {name: names for name, names in columns.classes.items() if name not in found} | classes
    split = _splits_of(path, files)
    if split is not None and SPLIT not in columns.columns:
        columns.columns[SPLIT] = pa.array(split, pa.string()).take(pa.array(samples.shard_of_sample))


def _splits_of(path: Path, files: Sequence[Path]) -> list[str] | None:
    """Return each shard's split: the folder it lies in, or the one word among its name's that is one; None unless all have one."""
    found = [[file.parent.name] if file.parent != path and path.is_dir() else WORD.findall(file.name.lower()) for file in files]
    splits = [[word for word in words if word in SPLITS] for words in found]
    return [words[0] for words in splits] if all(len(words) == 1 for words in splits) else None


SOURCE = WebDataset
