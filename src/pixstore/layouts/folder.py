"""A folder of image files as torchvision's ImageFolder and Hugging Face's imagefolder open it: `[SPLIT/]CLASS/KEY.ext` and metadata files.

A metadata file lies in the folder, or in that of each split, with columns as they are; `label_name` has the names of labels that are
numbers, `key` the keys where file names do not say them. Each of several fields has such a folder, the metadata is with the images.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixstore.dataset import Dataset
from pixstore.layout import Export, Layout, Loss, require_image_field
from pixstore.layouts.folder_names import SUFFIXES, folder_name, stems, suffix
from pixstore.layouts.folder_table import FILE_NAME, fits_csv, holds, write_table
from pixstore.layouts.images import Kept, encoded_images
from pixstore.layouts.losses import LABEL, attributes_lost, columns_lost, fields_lost, missing_lost, require_pixels
from pixstore.samples import IMAGE
from pixstore.schema import KEY
from pixstore.sources.folder import LABEL_NAME, SPLIT, SPLITS


class Folder(Layout):
    """Image files in folders of their classes."""

    name = "folder"
    words = "image files in folders of their classes, with metadata.csv: torchvision ImageFolder, Hugging Face imagefolder, any program"

    def losses(self, dataset: Dataset) -> list[Loss]:
        require_image_field(dataset, self.name)
        for field in _fields(dataset):
            require_pixels(dataset, self.name, "PNG", field)
        kept, _ = _kept_columns(dataset)
        return [
            *missing_lost(dataset),
            *_classes_lost(dataset),
            *columns_lost(dataset, {*kept, LABEL, *([SPLIT] if _is_split(dataset) else [])}),
            *attributes_lost(dataset),
            *fields_lost(dataset, _fields(dataset)),
        ]

    def notes(self, dataset: Dataset) -> list[str]:
        fields = _fields(dataset)
        joined = ", ".join(f'"{field}": "…/{field}"' for field in fields)
        together = [f"images lie in a folder per field; these are opened together: pixstore.open({{{joined}}})"] if len(fields) > 1 else []
        return [*together, *_order_told(dataset)]

    def write(self, export: Export) -> None:
        dataset = export.dataset
        splits = dataset.table[SPLIT].to_pylist() if _is_split(dataset) else [""] * len(dataset)
        folders = ["/".join(filter(None, each)) for each in zip(splits, _class_folders(dataset), strict=True)]
        names = stems(dataset.keys.to_pylist(), folders)
        for field in _fields(dataset):
            place = self._place(dataset, export.place, field)
            files = _write_images(export, field, place, names)
            if field == IMAGE:
                _write_metadata(dataset, place, files, splits)

    def reopened(self, dataset: Dataset, place: Path) -> Path:
        return self._place(dataset, place, IMAGE)

    def _place(self, dataset: Dataset, place: Path, field: str) -> Path:
        """Return the folder of one field."""
        return place if len(_fields(dataset)) == 1 else place / field


def _fields(dataset: Dataset) -> list[str]:
    """Return the fields that become image files; many images of one sample are none."""
    return [each.name for each in dataset.schema.fields if each.name == IMAGE or not each.is_stack]


def _write_images(export: Export, field: str, place: Path, names: list[str]) -> list[str | None]:
    """Write the files of one field; return the path of each sample's, None where it has none."""
    place.mkdir(parents=True, exist_ok=True)
    made, files = {""}, list[str | None]()
    for part in encoded_images(export, Kept(SUFFIXES), field):
        for row, key, record, form in zip(part.rows.tolist(), part.keys, part.records, part.formats, strict=True):
            if record is None:
                files.append(None)
                continue
            name = names[row] + suffix(key, form.codec or "")
            folder = name.rpartition("/")[0]
            if folder not in made:
                (place / folder).mkdir(parents=True, exist_ok=True)
                made.add(folder)
            (place / name).write_bytes(record)
            files.append(name)
    return files


def _write_metadata(dataset: Dataset, place: Path, files: list[str | None], splits: list[str]) -> None:
    kept, as_csv = _kept_columns(dataset)
    columns = dataset.table.select(kept)
    if dataset.classes and LABEL in kept:
        columns = columns.append_column(LABEL_NAME, pa.array(_label_names(dataset), pa.string()))
    if _needs_keys(dataset, files, splits):
        columns, as_csv = columns.add_column(0, KEY, dataset.keys), as_csv and fits_csv(dataset.keys)
    present = np.array([name is not None for name in files])
    for split in sorted(set(splits)):
        rows = np.flatnonzero(present & (np.array(splits) == split))
        inside = [str(files[row]).removeprefix(f"{split}/") for row in rows.tolist()]
        write_table(place / split, inside, columns.take(pa.array(rows)), as_csv=as_csv)


def _needs_keys(dataset: Dataset, files: list[str | None], splits: list[str]) -> bool:
    """Return whether some key is not its file's path, nor that without the folders of split and class, nor that without its suffix."""
    for key, file, split, folder in zip(dataset.keys.to_pylist(), files, splits, _class_folders(dataset), strict=True):
        inside = (file or "").removeprefix(f"{split}/").removeprefix(f"{folder}/")
        if file is not None and key not in (file, inside, inside.rpartition(".")[0]):
            return True
    return False


def _kept_columns(dataset: Dataset) -> tuple[list[str], bool]:
    """Return the columns that go into metadata files, and whether these are CSV."""
    taken = {FILE_NAME, LABEL_NAME} | ({SPLIT} if _is_split(dataset) else set())
    names = [name for name in dataset.schema.columns.names if name not in taken]
    as_csv = all(fits_csv(dataset.table[name]) for name in names if holds(dataset.table[name], as_csv=True))
    if dataset.classes and LABEL in names:
        as_csv = as_csv and fits_csv(pa.chunked_array([pa.array(dataset.classes)]))
    return [name for name in names if holds(dataset.table[name], as_csv=as_csv)], as_csv


def _is_split(dataset: Dataset) -> bool:
    """Return whether the column `split` has nothing but the names by which folders of splits are known."""
    if SPLIT not in dataset.schema.columns.names:
        return False
    return set(pc.unique(dataset.table[SPLIT]).to_pylist()) <= SPLITS


def _class_folders(dataset: Dataset) -> list[str]:
    """Return the folder of each sample's class; "" where it has none."""
    if LABEL not in dataset.schema.columns.names:
        return [""] * len(dataset)
    values, kind = dataset.table[LABEL].to_pylist(), dataset.table[LABEL].type
    if pa.types.is_integer(kind):
        # Numbers of equal width are sorted as numbers by readers that sort folders by name.
        width = max((len(str(value)) for value in values if value is not None), default=0)
        names = {value: name for value, name in zip(values, _label_names(dataset), strict=True) if name is not None}
        folders = {value: folder_name(names[value]) if value in names else f"{value:0{width}}" for value in set(values) - {None}}
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        folders = {value: folder_name(value) for value in set(values) - {None}}
    else:
        return [""] * len(dataset)
    return [folders.get(value, "") for value in values]


def _label_names(dataset: Dataset) -> list[str | None]:
    names = dataset.classes
    return [names[value] if value is not None and 0 <= value < len(names) else None for value in dataset.table[LABEL].to_pylist()]


def _order_told(dataset: Dataset) -> list[str]:
    """Return a note where readers that number class folders by name come to other labels; metadata files have them as they are."""
    if LABEL not in dataset.schema.columns.names or not pa.types.is_integer(dataset.table[LABEL].type):
        return []
    here = dict(zip(_class_folders(dataset), dataset.table[LABEL].to_pylist(), strict=True))
    here.pop("", None)
    other = [(folder, place) for place, folder in enumerate(sorted(here)) if here[folder] != place]
    if not other:
        return []
    folder, place = other[0]
    told = f"{len(other)} labels are others to readers that number class folders by name, as ImageFolder does"
    return [f"{told}: {folder!r} is {place} there and {here[folder]} here; the metadata file has the labels as they are here"]


def _classes_lost(dataset: Dataset) -> list[Loss]:
    if LABEL not in dataset.schema.columns.names:
        return []
    column, losses = dataset.table[LABEL], []
    if column.null_count:
        losses.append(
            Loss("classes", f"{column.null_count:,} samples without a label lie in no class folder, where ImageFolder does not look")
        )
    empty = sorted(set(range(len(dataset.classes))) - set(pc.unique(column).to_pylist()))
    if empty:
        first = dataset.classes[empty[0]]
        losses.append(
            Loss("classes", f"{len(empty)} of {len(dataset.classes)} classes have no sample and no folder, the first is {first!r}")
        )
    return losses


LAYOUT = Folder()
