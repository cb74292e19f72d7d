"""Dataset: what users read, whether from a store, from somebody else's data, or from a selection of either."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from pixstore import codec, manifest, preview
from pixstore.columns import python_values
from pixstore.errors import InvalidInputError, KeyNotFoundError, RowNotFoundError, SchemaError
from pixstore.joined import Joined
from pixstore.loader.loader import Loader
from pixstore.loader.options import WINDOW_ROWS, Color, LoaderOptions, OnError, Orientation, Shuffle
from pixstore.lookup import KeyLookup
from pixstore.nearest import said
from pixstore.reading import Io, chosen_io, decoded, located
from pixstore.reopening import unpinned
from pixstore.rows import Indices, Records, Rows
from pixstore.samples import IMAGE, Batch, Sample
from pixstore.schema import KEY, Format, Schema
from pixstore.selectors import row_numbers
from pixstore.source import Source, SourceReport
from pixstore.splits.choices import Choice, KeyOrder, Matching, PartRows, RowRange, Split, TheseRows, assigned, matching_rows
from pixstore.splits.parts import Assignment, SplitWarning
from pixstore.splits.plan import Plan, Size, fold_names
from pixstore.splits.saved import facts_of, find_saved, names_in_store, save
from pixstore.store import StoreRows

Selector: TypeAlias = slice | Sequence[int] | Sequence[str] | NDArray[Any]
ITERATED_AT_ONCE = 64


class Dataset:
    """Images with keys and columns, in order.

    `ds[3]` and `ds["cat-001"]` are a Sample; `ds[10:100:5]`, `ds[[3, 1, 2]]` and `ds[mask]` a Batch.
    Pickles as the path and options it was opened with, and opens again where it is unpickled. A selection pickles as how it was
    made (a slice, a filter, a part of a split) and is made again; only rows chosen one by one are sent as they are.
    """

    def __init__(
        self,
        rows: Rows,
        reopen: Callable[[], Rows],
        *,
        io: Io = "auto",
        threads: int | None = None,
        selection: Indices | None = None,
        choices: tuple[Choice, ...] = (),
    ) -> None:
        self._rows = rows
        self._reopen = reopen
        self._io = io
        self._threads = threads
        self._selection = selection
        self._choices = choices

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
        return self._rows.name if isinstance(self._rows, Source | Joined) else type(self._rows).__name__

    @property
    def is_checked(self) -> bool:
        """Whether every record read is compared with a checksum made when it was written."""
        return isinstance(self._rows, StoreRows) or (isinstance(self._rows, Joined) and self._rows.is_checked)

    @property
    def report(self) -> SourceReport:
        """What opening found besides the samples: files left out and why, notes."""
        return self._rows.report if isinstance(self._rows, Source | Joined) else SourceReport()

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
            yield from self.__getitems__(slice(start, start + ITERATED_AT_ONCE))

    def __getitems__(self, rows: Selector) -> list[Sample]:
        """Return the samples of these rows, read at once: what a torch DataLoader asks for, a batch at a time."""
        chosen = self._chosen(rows)
        fields = {name: self._decoded(name, chosen, self._threads, True) for name in self.schema.field_names}
        columns = _take(self._rows.table, chosen).to_pylist()
        return [Sample({**{name: arrays[place] for name, arrays in fields.items()}, **columns[place]}) for place in range(len(chosen))]

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
            raise KeyNotFoundError(f"no sample with key {key!r}{said(key, self.keys)}")
        return row

    def by_key(self, start: str | None = None, *, prefix: str = "", limit: int | None = None) -> Dataset:
        """Return the samples in ascending order of their keys' UTF-8 bytes: from the first key that is not below `start` on, of those that
        begin with `prefix`, `limit` at most. As LMDB's `set_range` and `iternext` do; nothing is copied.
        """
        choice = KeyOrder(start, prefix, limit)
        return self._narrowed(choice, choice.rows(self.table))

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
        return codec.fetch(located(self._rows, field, self._chosen(rows)), threads=threads or self._threads, io=self._io_used)

    def formats(self, rows: Selector, *, field: str = IMAGE) -> list[Format]:
        """Return codec, shape and dtype of each record; where nothing states them, headers are read."""
        records = located(self._rows, field, self._chosen(rows))
        if any(not each.is_known for each in records.formats):
            records = codec.probe(records)
        return [records.formats[place] for place in records.format.tolist()]

    def located(self, field: str, rows: Selector) -> Records:
        """Return where these rows' records lie, or their bytes where only the format's own library finds them."""
        return located(self._rows, field, self._chosen(rows))

    def extents(self, field: str, rows: Selector) -> Records | None:
        """Return where these rows' records lie, None where only the format's own library finds them; nothing is read."""
        return self._rows.locate(field, self._chosen(rows))

    def absent(self, field: str, rows: Selector) -> Indices:
        """Return the places in `rows` of the samples that have no record in this field."""
        return self._rows.absent(field, self._chosen(rows))

    def select(self, rows: Selector) -> Dataset:
        """Return the dataset of these rows, in the order given; nothing is copied."""
        if isinstance(rows, slice):
            choice = RowRange(*rows.indices(len(self)))
            return self._narrowed(choice, choice.rows(self.table))
        chosen = self._chosen(rows)
        return Dataset(self._rows, self._reopen, io=self._io, threads=self._threads, selection=chosen, choices=(TheseRows(chosen),))

    def filter(self, expression: pc.Expression) -> Dataset:
        """Return the rows for which a pyarrow expression over key and columns holds: `ds.filter(pc.field("label") == 3)`."""
        rows = matching_rows(expression, self.table)
        choice = Matching.of(expression, self.table)
        return self.select(rows) if choice is None else self._narrowed(choice, rows)

    @property
    def splits(self) -> dict[str, Mapping[str, Any]]:
        """The splits saved in a store, by name: what each was made with, and its parts."""
        if not isinstance(self._rows, StoreRows):
            return {}
        path, made = self._rows.path, self._rows.manifest
        tables = {name: find_saved(name, path, made).read() for name in names_in_store(path, made)}
        return {name: {**table.facts, "parts": table.names} for name, table in tables.items()}

    def split(
        self,
        sizes: Mapping[str, Size] | None = None,
        *,
        stratify: str | None = None,
        group: str | None = None,
        seed: int = 0,
        name: str | os.PathLike[str] | None = None,
        replace: bool = False,
    ) -> dict[str, Dataset]:
        """Return the parts of a split by name: `ds.split({"train": 0.8, "val": 0.1, "test": 0.1}, stratify="label", group="patient")`.

        sizes: fractions that sum to 1, or counts that sum to all samples. stratify: a column whose every value is spread over the parts
        as evenly as whole samples can be. group: a column whose equal values stay in one part; then sizes are met as nearly as they can
        be. Who is in which part depends on seed and keys, not on the order of rows, so a folder and a store made of it are split alike.
        name: saves the split too, under a name in a store (as a new version of it), or in a file named *.arrow or *.csv; `replace`
        lets it take the place of another. Without sizes, the split of that name is read, as this version of the store has it, else as
        the current one has it: samples that it does not know are in no part.

        Warns with a SplitWarning of what could not be as asked. Raises SchemaError for an unknown column, InvalidInputError for sizes
        that do not fit, samples without a value or a store that is half converted, DestinationExistsError where another split has the name.
        """
        plan = None if sizes is None else Plan.of_parts(sizes, stratify=stratify, group=group, seed=seed)
        split, assignment = self._assigned(plan, name, replace)
        return {part: self._part(PartRows(split, number), assignment) for number, part in enumerate(assignment.names)}

    def kfold(
        self,
        folds: int | None = None,
        *,
        stratify: str | None = None,
        group: str | None = None,
        seed: int = 0,
        name: str | os.PathLike[str] | None = None,
        replace: bool = False,
    ) -> list[tuple[Dataset, Dataset]]:
        """Return `folds` pairs (train, test): each sample is in the test of one pair and in the train of all others.

        Folds differ by one sample at most, and so does what each has of a class of `stratify`. All else is as in `split`.
        """
        plan = None if folds is None else Plan.of_folds(folds, stratify=stratify, group=group, seed=seed)
        split, assignment = self._assigned(plan, name, replace)
        if assignment.names != fold_names(len(assignment.names)):
            raise InvalidInputError(f"the split '{name}' has the parts {', '.join(assignment.names)}, not folds; read it with split()")
        pairs = [(PartRows(split, fold, others=True), PartRows(split, fold)) for fold in range(len(assignment.names))]
        return [(self._part(train, assignment), self._part(test, assignment)) for train, test in pairs]

    def loader(
        self,
        batch_size: int,
        *,
        shuffle: Shuffle = False,
        seed: int = 0,
        transforms: Sequence[Any] = (),
        color: Color = "rgb",
        orientation: Orientation = "apply",
        fields: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        masks: Sequence[str] | None = None,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = False,
        pad: bool = False,
        weights: ArrayLike | None = None,
        balance: str | None = None,
        bucket: Literal["size"] | None = None,
        window: int = WINDOW_ROWS,
        threads: int | None = None,
        verify: bool = True,
        exact: bool = False,
        on_error: OnError = "raise",
        ahead: int = 2,
    ) -> Loader:
        """Return an iterable of batches: images N·H·W·C in arrays of their own, columns, keys; each pass is the next epoch.

        shuffle: True is a full permutation; "window" shuffles pages, and rows within `window` rows, for data larger than memory or on
        slow media; both depend on (seed, epoch) alone. transforms: of pixstore.loader.transforms, drawn from (seed, epoch, row), so that
        threads, workers and ranks change nothing; Python callables of a batch come last.
        color: "rgb" repeats grey and lays alpha over white (counted in `loader.counts`), "gray", "rgba", or "keep", which refuses a mix.
        orientation: "apply" turns images as their EXIF data say. masks: the fields that hold labels instead of colours, resized by nearest
        and never coloured; by default those called "…mask…", "seg", "segmentation", "msk" or "trimap". fields, columns: which to read, all
        by default.
        rank, world_size: each row comes once over all ranks, and each rank gets as many batches; a rest is spread evenly. drop_last leaves
        out a step that is not full; pad fills it with the epoch's first rows. weights, balance: rows are drawn with replacement, by
        these weights or so that each value of a column comes as often. bucket="size": images of like size come together.
        threads: how many decode, all CPUs by default. verify=False leaves the checksums out. exact=True decodes JPEGs in full before they
        are resized. on_error="mask" keeps a bad row as zeros, with `batch.ok[i]` False. ahead: batches made in advance; 0 is none.
        """
        options = LoaderOptions(
            batch_size=batch_size, shuffle=shuffle, seed=seed, transforms=transforms, color=color, orientation=orientation, fields=fields,
            columns=columns, masks=masks, rank=rank, world_size=world_size, drop_last=drop_last, pad=pad, weights=weights, balance=balance,
            bucket=bucket, window=window, threads=threads or self._threads, verify=verify, exact=exact, on_error=on_error, ahead=ahead,
        )  # fmt: skip
        return self._make_loader(options)

    def _make_loader(self, options: LoaderOptions) -> Loader:
        return Loader(self._rows, options, remake=self._make_loader, selection=self._selection, io=self._io_used)

    def unpinned(self) -> Dataset:
        """Return the same dataset, whose copies elsewhere open what lies there then: for work that compares keys itself."""
        again = unpinned(self._reopen)
        return Dataset(self._rows, again, io=self._io, threads=self._threads, selection=self._selection, choices=self._choices)

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

    def _repr_html_(self) -> str:
        return preview.of_dataset(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self._reopen, self._io, self._threads, self._choices, self._fingerprint)

    @property
    def _fingerprint(self) -> tuple[int, int]:
        """What tells that the same rows were chosen of as many."""
        chosen = np.empty(0, np.int64) if self._selection is None else np.ascontiguousarray(self._selection)
        return len(self._rows), codec.hash_bytes(chosen.view(np.uint8))

    def _narrowed(self, choice: Choice, rows: Indices) -> Dataset:
        """Return the dataset of these rows of this one, which `choice` chose."""
        selection = rows if self._selection is None else self._selection[rows]
        choices = (*self._choices, choice)
        return Dataset(self._rows, self._reopen, io=self._io, threads=self._threads, selection=selection, choices=choices)

    def _part(self, choice: PartRows, assignment: Assignment) -> Dataset:
        return self._narrowed(choice, choice.rows_of(assignment))

    def _assigned(self, plan: Plan | None, name: str | os.PathLike[str] | None, replace: bool) -> tuple[Split, Assignment]:
        """Return a split and who is in which part: as planned, and saved where it has a name; or as saved before."""
        split = plan or find_saved(name, self._store_path, self.store_manifest)
        assignment = assigned(split, self.table)
        for note in assignment.notes:
            warnings.warn(note, SplitWarning, stacklevel=3)
        if plan is not None and name is not None:
            version = self.store_manifest.version if self.store_manifest else None
            save(name, self._store_path, self.keys, assignment, facts_of(plan, version), replace=replace)
        return split, assignment

    @property
    def _store_path(self) -> Path | None:
        return self._rows.path if isinstance(self._rows, StoreRows) else None

    @cached_property
    def _io_used(self) -> Literal["map", "pread"]:
        return chosen_io(self._rows, self._io)

    def _columns(self, names: Sequence[str] | None) -> pa.Table:
        table = self._rows.table
        asked = table.column_names if names is None else list(dict.fromkeys([KEY, *names]))
        unknown = [name for name in asked if name not in table.column_names]
        if unknown:
            raise SchemaError(f"no column {unknown[0]!r}; columns here: {', '.join(table.column_names)}")
        return table.select(asked)

    def _decoded(self, field: str, chosen: Indices, threads: int | None, verify: bool) -> NDArray[Any] | list[Any]:
        return decoded(self._rows, field, chosen, threads=threads, verify=verify, io=self._io_used)

    def _sample(self, row: int) -> Sample:
        chosen = np.array([row if self._selection is None else self._selection[row]])
        values: dict[str, Any] = {}
        for name in self.schema.field_names:
            values[name] = self._decoded(name, chosen, 1, True)[0]
        place = int(chosen[0])
        values.update({name: column[place].as_py() for name, column in self._whole_columns.items()})
        return Sample(values)

    @cached_property
    def _whole_columns(self) -> dict[str, pa.ChunkedArray]:
        """Key and columns of all rows; finding a column in a table costs more than taking a value from it."""
        return dict(zip(self._rows.table.column_names, self._rows.table.columns, strict=True))

    def _find(self, key: str) -> int:
        return int(self._lookup.find([key])[0])

    @cached_property
    def _lookup(self) -> KeyLookup:
        return KeyLookup(self._rows, self._selection)

    def _rows_of(self, keys: Sequence[str]) -> Indices:
        rows = self._lookup.find(keys)
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
        return row_numbers(rows, len(self))


def _reopened(
    reopen: Callable[[], Rows], io: Io, threads: int | None, choices: tuple[Choice, ...], fingerprint: tuple[int, int]
) -> Dataset:
    """Return a dataset as it was pickled. Raises InvalidInputError where its selection would be of other rows now."""
    dataset = Dataset(reopen(), reopen, io=io, threads=threads)
    # Where rows came or went, choosing again may not even be possible.
    for choice in choices if len(dataset) == fingerprint[0] else ():
        dataset = dataset._narrowed(choice, choice.rows(dataset.table))
    if choices and dataset._fingerprint != fingerprint:
        raise InvalidInputError(f"{dataset.origin}: has changed, so a selection of it cannot be made again; open it and select anew")
    return dataset


def _take(table: pa.Table, rows: Indices) -> pa.Table:
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and bool((np.diff(rows) == 1).all()):
        return table.slice(int(rows[0]), len(rows))
    return table.take(pa.array(rows))


def _shape_words(shape: tuple[int, ...] | None, dtype: str | None) -> str:
    return "of several shapes" if shape is None else f"{'·'.join(map(str, shape))} {dtype}"
