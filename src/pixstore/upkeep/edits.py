"""One sample put into a store, samples taken out of it: each a version of its own. `Writer` does the same for many at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pixstore import codec
from pixstore.columns import column_array
from pixstore.dataset import Dataset
from pixstore.engine import FieldRecords
from pixstore.errors import DestinationExistsError, RecordError, SchemaError
from pixstore.incoming import Encoding, accept, joined, to_records
from pixstore.keys import checked_key
from pixstore.manifest import load
from pixstore.opening import open_dataset
from pixstore.upkeep.history import require_store
from pixstore.writer import Writer


@dataclass(frozen=True)
class PutReport:
    """The version that has the sample, and whether another sample had its key before."""

    version: int
    replaced: bool
    bytes: int


def put(store: Path, key: str, images: Mapping[str, bytes | Path], columns: Mapping[str, Any], *, replacing: bool) -> PutReport:
    """Add one sample of encoded images, kept byte for byte whatever the store's codec is; or replace what it states of the one there is.

    Raises DestinationExistsError where the key is taken, unless `replacing`; SchemaError for a field or column that the store has not;
    PathNotFoundError or RecordError, naming the file, for one that is no image.
    """
    checked_key(key)
    with _writing(store) as (writer, dataset):
        schema = dataset.schema
        unknown = [name for name in images if name not in schema.field_names]
        if unknown:
            raise SchemaError(f"no field {unknown[0]!r} in {store}; fields here: {', '.join(schema.field_names)}")
        values = {name: column_array(name, [value], schema) for name, value in columns.items()}
        fields = {name: _record(image) for name, image in images.items()}
        size = sum(int(each.slices.length.sum()) for each in fields.values())
        replaced = key in dataset
        if replaced and not replacing:
            raise DestinationExistsError(
                f"{store}: there is a sample {key!r} already; say that it is to be replaced, or choose another key"
            )
        if replaced:
            row = dataset.row_of(key)
            before = dataset.table[row : row + 1].combine_chunks()
            values = {**{name: before[name].chunk(0) for name in schema.columns.names}, **values}
            stored = {name: _stored(dataset, name, row) for name in schema.field_names if name not in fields}
            fields = {**{name: each for name, each in stored.items() if each is not None}, **fields}
            writer.delete(key)
        writer.append_records(pa.array([key], pa.string()), values, fields)
        return PutReport(writer.commit(), replaced, size)


def take_out(store: Path, keys: Sequence[str]) -> int:
    """Delete the samples with these keys and return the new version.

    Raises KeyNotFoundError, naming the nearest key, where one is missing: then all stay.
    """
    with _writing(store) as (writer, dataset):
        for key in keys:
            dataset.row_of(key)
        for key in dict.fromkeys(keys):
            writer.delete(key)
        return writer.commit()


@contextmanager
def _writing(store: Path) -> Iterator[tuple[Writer, Dataset]]:
    """Give a writer of the next version and the dataset of the current one, which nobody else can change meanwhile."""
    require_store(store)
    with Writer(store, mode="a", durability=load(store).durability) as writer, open_dataset(store) as dataset:
        yield writer, dataset


def _record(image: bytes | Path) -> FieldRecords:
    """Return an encoded image as one record."""
    data = accept(image)
    assert isinstance(data, bytes), "bytes and files are encoded images"
    try:
        return to_records([data], Encoding("keep"))
    except RecordError as error:
        if isinstance(image, Path) and error.bad_rows:
            raise type(error)(f"{image}: {error.bad_rows[0].reason}") from error
        raise


def _stored(dataset: Dataset, name: str, row: int) -> FieldRecords | None:
    """Return a record as it is stored, checked; None where the sample has none."""
    if len(dataset.absent(name, [row])):
        return None
    found = dataset.located(name, [row])
    return FieldRecords(joined(codec.fetch(found)), found.formats, np.asarray(found.format))
