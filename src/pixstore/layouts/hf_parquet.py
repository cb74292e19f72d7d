"""Parquet as Hugging Face's `datasets` writes it: `data/[SPLIT-]00000-of-00002.parquet` with Image and ClassLabel features.

An image is a struct of bytes and path; the kinds of columns stand as JSON in the schema's metadata under "huggingface". Keys are the column
`key`. A column `split` becomes file names where each of its values is the name of a split.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pixstore.dataset import Dataset
from pixstore.layout import Encoded, Export, Layout, Loss, require_image_field
from pixstore.layouts.images import Kept, encoded_images
from pixstore.layouts.losses import attributes_lost, fields_lost, require_pixels
from pixstore.samples import IMAGE

CODECS = ("png", "jpeg", "webp", "bmp", "gif", "tiff", "ppm")
IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SPLIT = "split"
SPLITS = frozenset({"train", "validation", "val", "valid", "dev", "test"})
WITHOUT_SPLIT = "part"
MOST_GROUP_ROWS = 1000


class HfParquet(Layout):
    """Parquet files of a Hugging Face data set."""

    name = "hf-parquet"
    words = "Parquet files with images as Hugging Face datasets keep them: datasets.load_dataset, the Hub, any Parquet reader"

    def losses(self, dataset: Dataset) -> list[Loss]:
        require_image_field(dataset, self.name)
        fields = _fields(dataset)
        for name in fields:
            require_pixels(dataset, self.name, "PNG", name)
        return [*attributes_lost(dataset), *fields_lost(dataset, fields)]

    def write(self, export: Export) -> None:
        dataset = export.dataset
        folder = export.place / "data"
        folder.mkdir(parents=True)
        columns = [name for name in dataset.table.column_names if not (name == SPLIT and _is_split(dataset))]
        schema = _schema(dataset, columns)
        with ExitStack() as stack:
            writers: dict[str, _ShardWriter] = {}
            for part, images in _parts(export):
                table = pa.table([*images, *(part.table[name].combine_chunks() for name in columns)], schema)
                for split, rows in _rows_by_split(dataset, part).items():
                    if split not in writers:
                        writers[split] = stack.enter_context(_ShardWriter(folder, split, schema, export.shard_bytes))
                    writers[split].write(table.take(pa.array(rows)))
            if not writers:
                stack.enter_context(_ShardWriter(folder, WITHOUT_SPLIT, schema, export.shard_bytes)).write(schema.empty_table())


@dataclass
class _ShardWriter:
    """Writes the shards of one split; they get their names, which say how many there are, at the end."""

    folder: Path
    split: str
    schema: pa.Schema
    shard_bytes: int
    paths: list[Path] = field(default_factory=list)
    current: pq.ParquetWriter | None = None
    written: int = 0

    def __enter__(self) -> _ShardWriter:
        return self

    def write(self, table: pa.Table) -> None:
        """Append rows, beginning a new shard where the current one is full."""
        if self.current is None or self.written >= self.shard_bytes:
            self._close()
            self.paths.append(self.folder / f"{self.split}-{len(self.paths):05}")
            self.current = pq.ParquetWriter(self.paths[-1], self.schema, use_dictionary=False)
            self.written = 0
        self.current.write_table(table, row_group_size=MOST_GROUP_ROWS)
        self.written += table.nbytes

    def __exit__(self, *_: object) -> None:
        self._close()
        for path in self.paths:
            path.rename(path.with_name(f"{path.name}-of-{len(self.paths):05}.parquet"))

    def _close(self) -> None:
        if self.current is not None:
            self.current.close()


def _fields(dataset: Dataset) -> list[str]:
    """Return the fields that become columns of images; many images of one sample are none."""
    return [each.name for each in dataset.schema.fields if each.name == IMAGE or not each.is_stack]


def _schema(dataset: Dataset, columns: list[str]) -> pa.Schema:
    names = _fields(dataset)
    features: dict[str, Any] = {name: {"_type": "Image"} for name in names}
    for name, classes in dataset.schema.classes.items():
        if name in columns and dataset.table.schema.field(name).type == pa.int64():
            features[name] = {"names": list(classes), "_type": "ClassLabel"}
    described = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema([*((name, IMAGE_TYPE) for name in names), *(dataset.table.schema.field(name) for name in columns)], described)


def _parts(export: Export) -> Iterator[tuple[Encoded, list[pa.Array]]]:
    """Yield samples in order, some megabytes at a time, with the images of each field as an Arrow array."""
    first, *others = _fields(export.dataset)
    for part in encoded_images(export, Kept(CODECS), first):
        more = [record for name in others for record in [_of_rows(export, name, part.rows)]]
        yield part, [_images(records) for records in (list(part.records), *more)]


def _of_rows(export: Export, name: str, rows: np.ndarray[Any, np.dtype[np.int64]]) -> list[bytes | None]:
    """Return the images of a further field for these rows."""
    selected = Export(export.dataset.select(rows), export.place, threads=export.threads)
    return [record for part in encoded_images(selected, Kept(CODECS), name) for record in part.records]


def _images(records: list[bytes | None]) -> pa.Array:
    missing = pa.array([record is None for record in records])
    paths = pa.nulls(len(records), pa.string())
    return pa.StructArray.from_arrays([pa.array(records, pa.binary()), paths], fields=list(IMAGE_TYPE), mask=missing)


def _is_split(dataset: Dataset) -> bool:
    if SPLIT not in dataset.table.column_names:
        return False
    return set(pc.unique(dataset.table[SPLIT]).to_pylist()) <= SPLITS


def _rows_by_split(dataset: Dataset, part: Encoded) -> dict[str, list[int]]:
    """Return the places in a part of the samples of each split."""
    if not _is_split(dataset):
        return {WITHOUT_SPLIT: list(range(len(part.rows)))}
    found: dict[str, list[int]] = {}
    for place, split in enumerate(part.table[SPLIT].to_pylist()):
        found.setdefault(split, []).append(place)
    return found


LAYOUT = HfParquet()
