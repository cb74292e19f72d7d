"""Dataset: what users read, whether from a store, from somebody else's data, or from a selection of either."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixstore import codec, manifest, registry
from pixstore.columns import python_values
from pixstore.disk import is_network
from pixstore.errors import InvalidInputError, KeyNotFoundError, RowNotFoundError, SchemaError
from pixstore.rows import Indices, Records, Rows
from pixstore.samples import IMAGE, Batch, Sample
from pixstore.schema import KEY, Format, Schema
from pixstore.source import Source, SourceOptions, SourceReport
from pixstore.store import StoreRows

Io: TypeAlias = Literal["auto", "map", "pread"]
Selector: TypeAlias = slice | Sequence[int] | Sequence[str] | NDArray[Any]
ITERATED_AT_ONCE = 64


class Dataset:
    """Images with keys and columns, in order.

    `ds[3]` and `ds["cat-001"]` are a Sample; `ds[10:100:5]`, `ds[[3, 1, 2]]` and `ds[mask]` a Batch.
    Pickles as the path and options it was opened with, and opens again where it is unpickled.
    """

    def __init__(
        self, rows: Rows, reopen: Callable[[], Rows], *, io: Io = "auto", threads: int | None = None, selection: Indices | None = None
    ) -> None:
        self._rows = rows
        self._reopen = reopen
        self._io = io
        self._threads = threads
        self._selection = selection

    def __len__(self) -> int:
        return len(self._rows) if self._selection is None else len(self._selection)

    @property
    def schema(self) -> Schema:
        """Fields, columns and class names."""
        return self._rows.schema

    @cached_property
    def table(self) -> pa.Table:
        """Key and columns as a pyarrow.Table, one row per sample; no pixels."""
        table = self._rows.table
        return table if self._selection is None else table.take(pa.array(self._selection))

    @property
    def keys(self) -> pa.ChunkedArray:
        return self.table[KEY]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the integers in `label`; empty where there are none."""
        return self.schema.classes.get("label", ())

    @property
    def origin(self) -> str:
        """What this was opened from, in words."""
        if isinstance(self._rows, StoreRows):
            return f"pixstore store, version {self._rows.manifest.version}"
        return self._rows.name if isinstance(self._rows, Source) else type(self._rows).__name__

    @property
    def is_checked(self) -> bool:
        """Whether every record read is compared with a checksum made when it was written."""
        return isinstance(self._rows, StoreRows)

    @property
    def report(self) -> SourceReport:
        """What opening found besides the samples: files left out and why, notes."""
        return self._rows.report if isinstance(self._rows, Source) else SourceReport()

    @property
    def store_manifest(self) -> manifest.Manifest | None:
        """The manifest of the store this reads; None for sources."""
        return self._rows.manifest if isinstance(self._rows, StoreRows) else None

    def __getitem__(self, index: int | str | Selector) -> Any:
        if isinstance(index, str):
            return self._sample(self.row_of(index))
        if isinstance(index, (bool, np.bool_)):
            raise InvalidInputError(f"{index} is neither a row nor a key; a mask has one truth per sample")
        if isinstance(index, (int, np.integer)):
            return self._sample(self._checked_row(int(index)))
        return self.read(index)

    def __iter__(self) -> Iterator[Sample]:
        for start in range(0, len(self), ITERATED_AT_ONCE):
            batch = self.read(slice(start, start + ITERATED_AT_ONCE), columns=[])
            for place, columns in enumerate(self.table.slice(start, len(batch)).to_pylist()):
                yield Sample({**{name: batch[name][place] for name in self.schema.field_names}, **columns})

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._find(key) >= 0

    def get(self, key: str, default: Any = None) -> Any:
        """Return the sample with this key, or `default` where there is none."""
        row = self._find(key)
        return default if row < 0 else self._sample(row)

    def row_of(self, key: str) -> int:
        """Return the row of a key. Raises KeyNotFoundError, naming the nearest key, where there is none."""
        row = self._find(key)
        if row < 0:
            near = difflib.get_close_matches(key, self.keys.slice(0, 10_000).to_pylist(), n=1)
            raise KeyNotFoundError(f"no sample with key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return row

    def read(
        self,
        rows: Selector,
        *,
        fields: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        threads: int | None = None,
        verify: bool = True,
    ) -> Batch:
        """Return the samples of these rows (a slice, row numbers, keys or a mask) as one Batch, in the order asked.

        fields and columns: which to read, all by default; the key always comes. threads: how many decode, all CPUs by default.
        verify=False leaves the checksums out. Raises one error that names every row that cannot be read.
        """
        chosen = self._chosen(rows)
        table = self._columns(columns)
        values: dict[str, Any] = {}
        for name in self.schema.field_names if fields is None else fields:
            values[name] = self._decoded(name, chosen, threads or self._threads, verify)
        taken = _take(table, chosen)
        values.update({name: python_values(taken[name]) for name in taken.column_names})
        return Batch(values, len(chosen))

    def encoded(self, index: int | str, *, field: str = IMAGE) -> bytes:
        """Return the stored bytes of one record, untouched and checked."""
        row = self.row_of(index) if isinstance(index, str) else self._checked_row(int(index))
        return self.encoded_many([row], field=field)[0]

    def encoded_many(self, rows: Selector, *, field: str = IMAGE, threads: int | None = None) -> list[bytes]:
        """Return the stored bytes of many records, in the order asked."""
        return codec.fetch(self._located(field, self._chosen(rows)), threads=threads or self._threads, io=self._io_used)

    def formats(self, rows: Selector, *, field: str = IMAGE) -> list[Format]:
        """Return codec, shape and dtype of each record; where nothing states them, headers are read."""
        records = self._located(field, self._chosen(rows))
        if any(not each.is_known for each in records.formats):
            records = codec.probe(records)
        return [records.formats[place] for place in records.format.tolist()]

    def located(self, field: str, rows: Selector) -> Records:
        """Return where these rows' records lie, or their bytes where only the format's own library finds them."""
        return self._located(field, self._chosen(rows))

    def absent(self, field: str, rows: Selector) -> Indices:
        """Return the places in `rows` of the samples that were written without this field; only stores have such."""
        return self._absent(field, self._chosen(rows))

    def select(self, rows: Selector) -> Dataset:
        """Return the dataset of these rows, in the order given; nothing is copied."""
        return Dataset(self._rows, self._reopen, io=self._io, threads=self._threads, selection=self._chosen(rows))

    def filter(self, expression: pc.Expression) -> Dataset:
        """Return the rows for which a pyarrow expression over key and columns holds: `ds.filter(pc.field("label") == 3)`."""
        table = self.table.append_column("__row__", pa.array(np.arange(len(self))))
        try:
            rows = table.filter(expression)["__row__"].to_numpy()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, TypeError) as error:
            raise SchemaError(f"the expression does not fit; columns here: {', '.join(self.table.column_names)} ({error})") from error
        return self.select(rows)

    def close(self) -> None:
        """Release the files; reading again opens them."""
        self._rows.close()

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        fields = ", ".join(f"{each.name} {_shape_words(each.shape, each.dtype)}" for each in self.schema.fields)
        columns = ", ".join(f"{each.name}: {each.type}" for each in self.schema.columns)
        return f"<Dataset of {len(self):,} samples ({self.origin}); fields: {fields}; columns: {columns or 'none'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self._reopen, self._io, self._threads, self._selection)

    @cached_property
    def _io_used(self) -> Literal["map", "pread"]:
        if self._io != "auto":
            return self._io
        path = self._rows.path if isinstance(self._rows, StoreRows) else None
        return "pread" if path is not None and is_network(path) else "map"

    def _absent(self, field: str, chosen: Indices) -> Indices:
        return self._rows.absent(field, chosen) if isinstance(self._rows, StoreRows) else np.empty(0, np.int64)

    def _located(self, field: str, chosen: Indices) -> Records:
        return self._rows.locate(field, chosen) or self._rows.read(field, chosen)

    def _columns(self, names: Sequence[str] | None) -> pa.Table:
        table = self._rows.table
        asked = table.column_names if names is None else list(dict.fromkeys([KEY, *names]))
        unknown = [name for name in asked if name not in table.column_names]
        if unknown:
            raise SchemaError(f"no column {unknown[0]!r}; columns here: {', '.join(table.column_names)}")
        return table.select(asked)

    def _decoded(self, field: str, chosen: Indices, threads: int | None, verify: bool) -> NDArray[Any] | list[Any]:
        """Return the arrays of these rows; a list with None in the places of samples that were written without this field."""
        absent = self._absent(field, chosen)
        if not len(absent):
            return codec.decode(self._located(field, chosen), threads=threads, verify=verify, io=self._io_used)
        arrays: list[Any] = [None] * len(chosen)
        present = np.setdiff1d(np.arange(len(chosen)), absent)
        if len(present):
            decoded = codec.decode(self._located(field, chosen[present]), threads=threads, verify=verify, io=self._io_used)
            for place, array in zip(present.tolist(), decoded, strict=True):
                arrays[place] = array
        return arrays

    def _sample(self, row: int) -> Sample:
        chosen = np.array([row if self._selection is None else self._selection[row]])
        values: dict[str, Any] = {}
        for name in self.schema.field_names:
            values[name] = self._decoded(name, chosen, 1, True)[0]
        values.update(self._rows.table.slice(int(chosen[0]), 1).to_pylist()[0])
        return Sample(values)

    def _find(self, key: str) -> int:
        return int(self._find_many([key])[0])

    def _find_many(self, keys: Sequence[str]) -> Indices:
        """Return the row of each key, -1 where there is none."""
        if isinstance(self._rows, StoreRows):
            rows = self._rows.find(keys)
        else:
            rows = np.array([self._places.get(key, -1) for key in keys], np.int64)
        if self._selection is None:
            return rows
        order = self._selection_order
        if not len(order):
            return np.full(len(keys), -1, np.int64)
        places = np.minimum(np.searchsorted(self._selection, rows, sorter=order), len(order) - 1)
        found = order[places]
        return np.where(self._selection[found] == rows, found, -1)

    @cached_property
    def _selection_order(self) -> Indices:
        return np.argsort(np.empty(0) if self._selection is None else self._selection, kind="stable")

    @cached_property
    def _places(self) -> dict[str, int]:
        return {key: row for row, key in enumerate(self._rows.table[KEY].to_pylist())}

    def _rows_of(self, keys: Sequence[str]) -> Indices:
        rows = self._find_many(keys)
        if (rows < 0).any():
            # Raises, and names the nearest key.
            self.row_of(keys[int(np.argmin(rows))])
        return rows

    def _checked_row(self, row: int) -> int:
        if not -len(self) <= row < len(self):
            raise RowNotFoundError(f"row {row} is outside this dataset of {len(self):,} samples")
        return row + len(self) if row < 0 else row

    def _chosen(self, rows: Selector) -> Indices:
        """Return rows of `self._rows` for what a user asked for."""
        asked = self._asked(rows)
        return asked if self._selection is None else self._selection[asked]

    def _asked(self, rows: Selector) -> Indices:
        if isinstance(rows, slice):
            return np.arange(*rows.indices(len(self)))
        if isinstance(rows, pa.Array | pa.ChunkedArray):
            rows = rows.to_pylist()
        if isinstance(rows, np.ndarray) and rows.ndim == 1 and rows.dtype.kind == "U":
            rows = rows.tolist()
        if isinstance(rows, (list, tuple)) and rows and all(isinstance(each, str) for each in rows):
            return self._rows_of([str(each) for each in rows])
        asked = np.asarray(rows)
        if asked.size == 0:
            return np.empty(0, np.int64)
        if asked.dtype == bool:
            if asked.shape != (len(self),):
                raise InvalidInputError(f"a mask of shape {asked.shape} does not fit {len(self):,} samples")
            return np.flatnonzero(asked)
        if asked.ndim != 1 or not np.issubdtype(asked.dtype, np.integer):
            raise InvalidInputError(f"rows must be a slice, whole numbers, keys or a mask, not {asked.dtype} of shape {asked.shape}")
        asked = asked.astype(np.int64, copy=False)
        lowest, highest = int(asked.min()), int(asked.max())
        if lowest < -len(self) or highest >= len(self):
            raise RowNotFoundError(f"row {highest if highest >= len(self) else lowest} is outside this dataset of {len(self):,} samples")
        return np.where(asked < 0, asked + len(self), asked) if lowest < 0 else asked


class _OpenStore:
    """How to open one version of a store again."""

    def __init__(self, path: Path, version: int | None) -> None:
        self.path = path
        self.version = version

    def __call__(self) -> Rows:
        return StoreRows(self.path, self.version)


class _OpenSource:
    """How to open a source again."""

    def __init__(self, path: Path, options: SourceOptions) -> None:
        self.path = path
        self.options = options

    def __call__(self) -> Rows:
        return registry.open_source(self.path, self.options)


def open_dataset(
    path: str | os.PathLike[str], *, version: int | None = None, label_from: str | None = None, io: Io = "auto", threads: int | None = None
) -> Dataset:
    """Open a store, or somebody else's data where it lies: a folder of images, CIFAR batches (folder or archive), LMDB, HDF5.

    version: an older version of a store. label_from: "folder", a regular expression with one group, or a CSV file, for
    folders of images. io: "map" maps files, "pread" reads them; "auto" maps except on network file systems.

    Raises PathNotFoundError where nothing is there (nothing is ever created), NotAStoreError saying what the path looks like.
    """
    place = Path(path).absolute()
    if io not in ("auto", "map", "pread"):
        raise InvalidInputError(f"io {io!r} is none of 'auto', 'map', 'pread'")
    if manifest.is_store(place):
        if label_from is not None:
            raise InvalidInputError(f"{path}: is a store, which has its own columns; label_from is for folders of images")
        opened = StoreRows(place, version)
        return Dataset(opened, _OpenStore(place, opened.manifest.version), io=io, threads=threads)
    if version is not None:
        raise InvalidInputError(f"{path}: has no versions; only stores have")
    options = SourceOptions(label_from)
    return Dataset(registry.open_source(place, options), _OpenSource(place, options), io=io, threads=threads)


def _reopened(reopen: Callable[[], Rows], io: Io, threads: int | None, selection: Indices | None) -> Dataset:
    return Dataset(reopen(), reopen, io=io, threads=threads, selection=selection)


def _take(table: pa.Table, rows: Indices) -> pa.Table:
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and bool((np.diff(rows) == 1).all()):
        return table.slice(int(rows[0]), len(rows))
    return table.take(pa.array(rows))


def _shape_words(shape: tuple[int, ...] | None, dtype: str | None) -> str:
    return "of several shapes" if shape is None else f"{'·'.join(map(str, shape))} {dtype}"
