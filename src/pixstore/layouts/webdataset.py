"""WebDataset: tar shards of `KEY.png`, `KEY.cls`, `KEY.json`, further images as `KEY.mask.png`; `train-000000.tar` where there are splits.

Stored image files are written untouched, arrays as PNG. `.cls` is the label; `.json` has all other columns, `label_name` where labels have
names, and `key` where it cannot be a name in an archive as it is: up to the first dot, WebDataset takes a name for the key.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pixstore.dataset import Dataset
from pixstore.engines.writing import claim
from pixstore.layout import Export, Layout, Loss, require_image_field
from pixstore.layouts.folder_names import SUFFIXES, stems
from pixstore.layouts.folder_table import holds
from pixstore.layouts.images import Kept, encoded_images
from pixstore.layouts.losses import LABEL, attributes_lost, columns_lost, fields_lost, missing_lost, require_pixels
from pixstore.samples import IMAGE
from pixstore.schema import KEY, Format
from pixstore.sources.archives.sample_groups import META
from pixstore.sources.folder import LABEL_NAME, SPLIT, SPLITS

FIELD = re.compile("[a-z][a-z0-9_-]*")
JSON = "json"
BLOCK = 512


class WebDataset(Layout):
    """A folder of tar shards."""

    name = "webdataset"
    words = "tar shards of images, labels (.cls) and columns (.json), as the webdataset library reads them"

    def losses(self, dataset: Dataset) -> list[Loss]:
        require_image_field(dataset, self.name)
        for field in _fields(dataset):
            require_pixels(dataset, self.name, "PNG", field)
        return [
            *missing_lost(dataset),
            *_classes_lost(dataset),
            *columns_lost(dataset, {*_json_columns(dataset), *_own(dataset)}),
            *attributes_lost(dataset),
            *fields_lost(dataset, _fields(dataset)),
        ]

    def write(self, export: Export) -> None:
        dataset = export.dataset
        splits = dataset.table[SPLIT].to_pylist() if SPLIT in _own(dataset) else ["shard"] * len(dataset)
        names = _names(dataset.keys.to_pylist())
        texts = _Texts(dataset, names)
        export.place.mkdir()
        with ExitStack() as stack:
            shards = {split: stack.enter_context(_Shards(export.place, split, export.shard_bytes)) for split in sorted(set(splits))}
            for row, images in _samples(export):
                shards[splits[row]].add(names[row], {**images, **texts.of(row)})


class _Shards:
    """The shards of one split: a next one is begun when the sample would make the open one too large."""

    def __init__(self, folder: Path, prefix: str, most_bytes: int) -> None:
        self._folder, self._prefix, self._most_bytes = folder, prefix, most_bytes
        self._count = 0
        self._bytes = 0
        self._open: tarfile.TarFile | None = None
        self._stack = ExitStack()

    def __enter__(self) -> _Shards:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, name: str, files: dict[str, bytes]) -> None:
        """Write the files of one sample, by extension."""
        size = sum(2 * BLOCK + len(data) for data in files.values())
        if self._open is None or (self._bytes and self._bytes + size > self._most_bytes):
            self._begin()
        assert self._open is not None
        self._bytes += size
        for extension, data in files.items():
            member = tarfile.TarInfo(f"{name}.{extension}")
            member.size, member.mode = len(data), 0o644
            self._open.addfile(member, io.BytesIO(data))

    def _begin(self) -> None:
        self._stack.close()
        descriptor = claim(self._folder / f"{self._prefix}-{self._count:06}.tar")
        self._count, self._bytes = self._count + 1, 0
        file = self._stack.enter_context(os.fdopen(descriptor, "wb"))
        self._open = self._stack.enter_context(tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT))


class _Texts:
    """The files of a sample that are no images."""

    def __init__(self, dataset: Dataset, names: Sequence[str]) -> None:
        self._keys = dataset.keys.to_pylist()
        self._labels = dataset.table[LABEL].to_pylist() if LABEL in _own(dataset) or _has_names(dataset) else None
        self._has_label_files = LABEL in _own(dataset)
        self._names = dataset.classes
        self._columns = {name: dataset.table[name] for name in _json_columns(dataset)}
        self._has_keys = list(names) != self._keys

    def of(self, row: int) -> dict[str, bytes]:
        described: dict[str, Any] = {KEY: self._keys[row]} if self._has_keys else {}
        described |= {name: column[row].as_py() for name, column in self._columns.items()}
        files: dict[str, bytes] = {}
        if self._labels is not None:
            label = self._labels[row]
            if self._has_label_files:
                files["cls"] = b"%d" % label
            if label is not None and 0 <= label < len(self._names):
                described[LABEL_NAME] = self._names[label]
        if described:
            files[JSON] = json.dumps(described, ensure_ascii=False).encode()
        return files


def _samples(export: Export) -> Iterator[tuple[int, dict[str, bytes]]]:
    """Yield each row that has an image, with its images by extension."""
    for part in encoded_images(export, Kept(SUFFIXES)):
        files = [_file("", record, form) for record, form in zip(part.records, part.formats, strict=True)]
        of_these = Export(export.dataset.select(part.rows), export.place, threads=export.threads)
        for field in _fields(export.dataset)[1:]:
            further = (
                pair for each in encoded_images(of_these, Kept(SUFFIXES), field) for pair in zip(each.records, each.formats, strict=True)
            )
            for found, (record, form) in zip(files, further, strict=True):
                found.update(_file(f"{field}.", record, form))
        yield from ((row, found) for row, record, found in zip(part.rows.tolist(), part.records, files, strict=True) if record is not None)


def _file(prefix: str, record: bytes | None, form: Format) -> dict[str, bytes]:
    return {} if record is None else {prefix + SUFFIXES[form.codec or ""][0].removeprefix("."): record}


def _names(keys: Sequence[str]) -> list[str]:
    """Return the name of each sample in an archive: its key where WebDataset would read that again, else one that is like it."""
    found = []
    for stem in stems(keys, [""] * len(keys)):
        folder, slash, base = stem.rpartition("/")
        # What is escaped has a percent sign, which no stem has otherwise: no two become alike.
        name = folder + slash + base.replace(".", "%2E")
        found.append("%5F" + name[1:] if META.match(name) else name)
    return found


def _fields(dataset: Dataset) -> list[str]:
    """Return the fields that become members: `image`, and those with one image each whose name an extension keeps as it is."""
    others = [each.name for each in dataset.schema.fields if each.name != IMAGE and not each.is_stack and FIELD.fullmatch(each.name)]
    return [IMAGE, *others]


def _own(dataset: Dataset) -> set[str]:
    """Return the columns that the names of files say: the label where every sample has one, the split where it is one."""
    kinds = {column.name: column.type for column in dataset.schema.columns}
    found = set()
    if LABEL in kinds and pa.types.is_integer(kinds[LABEL]) and not dataset.table[LABEL].null_count:
        found.add(LABEL)
    if SPLIT in kinds and set(pc.unique(dataset.table[SPLIT]).to_pylist()) <= SPLITS:
        found.add(SPLIT)
    return found


def _has_names(dataset: Dataset) -> bool:
    """Return whether there are labels that have names."""
    return LABEL in dataset.schema.columns.names and pa.types.is_integer(dataset.table[LABEL].type) and bool(dataset.classes)


def _json_columns(dataset: Dataset) -> list[str]:
    """Return the columns that go into JSON."""
    taken = {*_own(dataset), LABEL_NAME}
    return [name for name in dataset.schema.columns.names if name not in taken and holds(dataset.table[name], as_csv=False)]


def _classes_lost(dataset: Dataset) -> list[Loss]:
    """Return the loss of class names that no sample has; those of samples are kept beside their labels."""
    if not _has_names(dataset):
        return []
    empty = sorted(set(range(len(dataset.classes))) - set(pc.unique(dataset.table[LABEL]).to_pylist()))
    if not empty:
        return []
    return [Loss("classes", f"{len(empty)} of {len(dataset.classes)} classes have no sample, the first is {dataset.classes[empty[0]]!r}")]


LAYOUT = WebDataset()
