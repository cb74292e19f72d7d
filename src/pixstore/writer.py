"""Writer: what users write with. Every commit makes a new version of the store; nothing is visible before it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixstore import registry
from pixstore.belongings import remove_ours
from pixstore.builder import ShardRoller, files_of_shard, remove_shard, without_rows
from pixstore.codec import hash_keys
from pixstore.columns import column_array, settle_type
from pixstore.engine import FieldRecords
from pixstore.errors import (
    DuplicateKeyError,
    InvalidInputError,
    KeyNotFoundError,
    PixstoreError,
    SchemaError,
    StoreBusyError,
    WriterClosedError,
)
from pixstore.incoming import (
    Encoding,
    ImageLike,
    Incoming,
    absent,
    accept,
    accept_many,
    are_images,
    is_image,
    length_of,
    own,
    size_of,
    to_records,
)
from pixstore.keys import checked_key, counted_key, counted_keys, first_twice, number_after, shared_hashes
from pixstore.manifest import Durability, Manifest, ShardEntry, commit, is_store, load
from pixstore.mode import IMAGE, Mode, base_version, starting_schema, stated_schema, take_store
from pixstore.nearest import said
from pixstore.schema import KEY, Field, Schema
from pixstore.shard import Shard
from pixstore.updates import Update, write_updates

DEFAULT_ENGINE = "packed"
DEFAULT_SHARD_BYTES = 1 << 30
FLUSH_ROWS = 8192
FLUSH_BYTES = 32 << 20


class Writer:
    """Writes a store: a new one (mode "x"), a further version of one ("a"), or a version that replaces all before it ("w").

    codec: "keep" (encoded images byte for byte, arrays raw), "raw", "zstd", "lz4", "png", "jpeg", "webp", "webp-lossless", "qoi" or "avif"
    (docs/codecs.md has the place of each); or one per field: {"image": "jpeg", "mask": "png"}.
    A further version has engine and codecs of the one before unless they are stated, a new store "packed" and "keep".
    durability: "power" survives loss of power once `commit` returns, "process" survives the end of this process only.
    level: effort, png 1 … 12, zstd 1 … 19; quality: 1 … 100 of jpeg, webp and avif. A shard rolls at `shard_bytes`.

    Leaving the `with` block commits; an exception in it aborts, and the store is as it was.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        engine: str | None = None,
        codec: str | Mapping[str, str] | None = None,
        mode: Mode = "x",
        durability: Durability = "power",
        schema: Schema | None = None,
        level: int | None = None,
        quality: int | None = None,
        threads: int | None = None,
        shard_bytes: int = DEFAULT_SHARD_BYTES,
    ) -> None:
        if durability not in ("power", "process"):
            raise InvalidInputError(f"durability {durability!r} is neither 'power' nor 'process'")
        if shard_bytes < 1:
            raise InvalidInputError(f"shard_bytes {shard_bytes} is not positive")
        self.path = Path(path)
        self._durability: Durability = durability
        self._shard_bytes = shard_bytes
        self._replaces = mode == "w"
        # Everything that can be refused is refused before anything is made.
        base = base_version(self.path, mode)
        extended = base if mode == "a" else None
        self._schema = starting_schema(schema, extended, codec)
        self._encodings = {each.name: Encoding(each.codec, level, quality, threads) for each in self._schema.fields}
        self._default = Encoding("keep", level, quality, threads)
        self._engine = registry.engine(engine or (extended.engine if extended else DEFAULT_ENGINE))
        self._created = not self.path.exists()
        self._lock = take_store(self.path, durable=self._is_durable)
        self._open = True
        self._failure: BaseException | None = None
        try:
            # Another writer may have committed before the lock was ours.
            self._base = base_version(self.path, mode)
            _refuse_unfinished(self.path, extended)
            if self._base != base:
                raise StoreBusyError(f"{self.path}: another writer has just committed a version; run the same again")
        except BaseException:
            self._release()
            raise
        self._columns_fixed = schema is not None or bool(extended and extended.shards)
        self._kept: list[ShardEntry] = list(extended.shards) if extended else []
        self._next_key = base.next_key if base else 0
        self._shards: dict[str, Shard] = {}
        self._begin()

    def _begin(self) -> None:
        self._roller = ShardRoller(self.path, self._engine, durable=self._is_durable, shard_bytes=self._shard_bytes)
        self._deleted: dict[str, set[int]] = {}
        self._updates: dict[str, Update] = {}
        self._clear_pending()

    def _clear_pending(self) -> None:
        self._pending_keys: list[str] = []
        self._pending_images: dict[str, list[Incoming]] = {}
        self._pending_columns: dict[str, list[Any]] = {}
        self._pending_bytes = 0

    @property
    def schema(self) -> Schema:
        return self._schema

    def add(self, image: ImageLike | None = None, *, key: str | None = None, **columns: Any) -> None:
        """Add one sample: an H·W or H·W·C array, PIL image, path or encoded bytes; further fields and columns by name.

        Without a key the sample gets the next free number, as eight digits. A column that was not there with the first sample is a
        SchemaError; one left out is null.
        """
        self._require_open()
        # Nothing is noted before everything was accepted: whoever catches an error and goes on must not have rows that slide.
        checked = None if key is None else checked_key(key)
        columns = {name: own(value) for name, value in columns.items()}
        images = {IMAGE: accept(own(image)), **{name: accept(columns.pop(name)) for name in self._field_names(columns)}}
        self._settle_names(images, columns)
        count = len(self._pending_keys)
        _note(self._pending_images, images, count)
        _note(self._pending_columns, columns, count)
        self._pending_keys.append(counted_key(self._next_key) if checked is None else checked)
        self._pass_over(self._pending_keys[-1:])
        self._pending_bytes += sum(size_of(value) for value in images.values())
        if count + 1 >= FLUSH_ROWS or self._pending_bytes >= min(FLUSH_BYTES, self._shard_bytes):
            self._flush()

    def add_batch(self, images: NDArray[Any] | Sequence[ImageLike], *, key: Sequence[str] | None = None, **columns: Any) -> None:
        """Add N samples: an N·H·W·C array or a list of images; further fields and columns by name, each with N values."""
        self._require_open()
        self._flush()
        count = length_of("images", images)
        fields: dict[str, NDArray[Any] | list[Incoming]] = {IMAGE: accept_many(images)}
        for name in [name for name in columns if name in self._schema.field_names or are_images(columns[name])]:
            fields[name] = accept_many(columns.pop(name))
        values = {**fields, **columns, **({} if key is None else {"key": key})}
        wrong = {name: length for name, each in values.items() if (length := length_of(repr(name), each)) != count}
        if wrong:
            raise InvalidInputError(
                f"{count} images, but {', '.join(f'{length} of {name!r}' for name, length in wrong.items())}; give one for each image"
            )
        keys = None if key is None else [checked_key(each) for each in key]
        self._pass_over(keys or ())
        before = self._schema, self._columns_fixed
        self._settle_names(fields, columns)
        for rows in self._pieces(fields, count):
            with self._stopping() if rows.start else self._restoring(*before):
                self._append(
                    None if keys is None else keys[rows],
                    rows.stop - rows.start,
                    {name: each[rows] for name, each in fields.items()},
                    {name: each[rows] for name, each in columns.items()},
                )

    def update(self, key: str, image: ImageLike | None = None, **columns: Any) -> None:
        """Change columns or images of the sample with this key, keeping the rest. Columns alone copy no pixels.

        Raises KeyNotFoundError if there is none.
        """
        self._require_open()
        columns = {name: own(value) for name, value in columns.items()}
        images = {name: accept(columns.pop(name)) for name in self._field_names(columns)}
        if image is not None:
            images[IMAGE] = accept(own(image))
        update = self._updates.get(key) or Update(*self._find(key), {}, {})
        self._settle_names(images, columns)
        self._updates[key] = update.changed(columns, images)
        self._deleted.setdefault(update.shard.entry.id, set()).add(update.row)

    def delete(self, key: str) -> None:
        """Delete the sample with this key. Raises KeyNotFoundError if there is none."""
        self._require_open()
        if self._updates.pop(key, None) is not None:
            return
        shard, row = self._find(key)
        self._deleted.setdefault(shard.entry.id, set()).add(row)

    def commit(self) -> int:
        """Make everything so far a version of the store, and return its number; after that it is never lost.

        Raises DuplicateKeyError naming a key that stands twice; nothing is committed then.
        """
        self._require_open()
        with self._stopping():
            self._flush()
            self._seal()
            updated, anew = write_updates(self.path, self._schema, self._updates, durable=self._is_durable)
            self._roller.sealed.extend(updated)
            for each in anew:
                changed = {name: to_records([image], self._encoding(name)) for name, image in each.images.items()}
                self._append_records(pa.array([each.key], pa.string()), each.columns, {**each.records, **changed})
            self._seal()
            shards = [without_rows(each, self._deleted.get(each.id, set())) for each in [*self._kept, *self._roller.sealed]]
            shards = [each for each in shards if each.deleted_rows < each.rows]
            self._refuse_duplicates(shards)
            manifest = self._next_manifest(tuple(shards))
            commit(self.path, manifest)
            self._base, self._kept, self._replaces = manifest, shards, False
            self._begin()
        return manifest.version

    def append_records(self, keys: pa.Array | None, columns: Mapping[str, pa.Array], fields: Mapping[str, FieldRecords]) -> None:
        """Append rows whose records are encoded already; for converters. Names must be those of the schema."""
        self._require_open()
        count = len(next(iter(fields.values())).slices)
        with self._stopping():
            self._pass_over(() if keys is None else keys.to_pylist())
            self._append_records(keys if keys is not None else self._counted(count), columns, fields)

    def close(self) -> None:
        """Commit what was added since the last commit, if anything, and let go of the store.

        Raises WriterClosedError where an earlier error stopped the writer, even if that was caught: what it had is given up.
        """
        if not self._open:
            return
        try:
            self._require_open()
            if self._has_changes():
                self.commit()
        except BaseException:
            self.abort()
            raise
        self._release()

    def abort(self) -> None:
        """Forget everything since the last commit and let go of the store."""
        if not self._open:
            return
        if not self._lock.is_held:
            # In a child made by fork: what is there is the parent's, which goes on with it.
            self._open = False
            return
        try:
            self._remove_uncommitted()
        finally:
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    @property
    def _is_durable(self) -> bool:
        return self._durability == "power"

    def _has_changes(self) -> bool:
        changed = self._pending_keys or self._roller.is_open or self._roller.sealed or self._deleted or self._updates
        return bool(changed) or self._base is None or self._replaces

    def _remove_uncommitted(self) -> None:
        self._roller.drop_open()
        # What cannot be removed is left to gc: it must not hide the error that brought us here.
        with suppress(OSError, PixstoreError):
            if self._created and self._base is None:
                remove_ours(self.path)
                return
            # A commit that failed on its last step may have made its shards visible all the same.
            shards = load(self.path).shards if is_store(self.path) else ()
            named = {name for each in shards for name in files_of_shard(each)}
            for entry in self._roller.sealed:
                remove_shard(self.path, entry, keeping=named)

    def _release(self) -> None:
        self._open = False
        self._lock.release()

    def _require_open(self) -> None:
        if self._failure is not None:
            raise WriterClosedError(
                f"{self.path}: an earlier error stopped this writer ({self._failure}); open a new one"
            ) from self._failure
        if not self._open:
            raise WriterClosedError(f"{self.path}: this writer is closed; open a new one with mode='a'")
        if not self._lock.is_held:
            raise WriterClosedError(
                f"{self.path}: this writer is that of the process this one was forked from; write there, or close it first"
            )

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """Refuse everything after an error in this block: it is not known then what was noted and what reached the disk."""
        try:
            yield
        except BaseException as error:
            self._failure = error
            raise

    @contextmanager
    def _restoring(self, schema: Schema, columns_fixed: bool) -> Iterator[None]:
        """Put names back that a batch brought in of which nothing was written."""
        try:
            yield
        except BaseException:
            self._schema, self._columns_fixed = schema, columns_fixed
            raise

    def _field_names(self, values: Mapping[str, Any]) -> list[str]:
        return [name for name, value in values.items() if name in self._schema.field_names or is_image(value)]

    def _settle_names(self, fields: Mapping[str, Any], columns: Mapping[str, Any]) -> None:
        new_fields = [name for name in fields if name not in self._schema.field_names]
        unknown = [name for name in columns if name not in self._schema.columns.names]
        if unknown and self._columns_fixed:
            known = ", ".join(self._schema.columns.names) or "none"
            raise SchemaError(f"unknown column {unknown[0]!r}; columns of this dataset: {known}. Columns are set by the first sample")
        schema = self._schema
        for name in new_fields:
            schema = schema.with_field(Field(name, self._encoding(name).codec))
        if unknown:
            schema = replace(schema, columns=pa.schema([*schema.columns, *(pa.field(name, pa.null()) for name in unknown)]))
        if new_fields:
            self._seal()
        self._schema, self._columns_fixed = schema, True

    def _encoding(self, name: str) -> Encoding:
        return self._encodings.get(name, self._default)

    def _pieces(self, fields: Mapping[str, NDArray[Any] | list[Incoming]], count: int) -> Iterator[slice]:
        """Yield ranges of rows of about FLUSH_BYTES, so that memory stays bounded and shards roll where they should."""
        sizes = np.zeros(count, np.int64)
        for images in fields.values() if count else ():
            sizes += images[0].nbytes if isinstance(images, np.ndarray) else [size_of(each) for each in images]
        ends = np.cumsum(sizes)
        start = 0
        while start < count:
            spent = int(ends[start - 1]) if start else 0
            stop = int(np.searchsorted(ends, spent + min(FLUSH_BYTES, self._shard_bytes), "right"))
            stop = min(max(stop, start + 1), start + FLUSH_ROWS, count)
            yield slice(start, stop)
            start = stop

    def _flush(self) -> None:
        if not self._pending_keys:
            return
        with self._stopping():
            keys, images, columns = self._pending_keys, self._pending_images, self._pending_columns
            self._clear_pending()
            self._append(keys, len(keys), images, columns)

    def _append(
        self,
        keys: Sequence[str] | None,
        count: int,
        images: Mapping[str, NDArray[Any] | Sequence[Incoming]],
        columns: Mapping[str, Any],
    ) -> None:
        arrays = {name: column_array(name, values, self._schema) for name, values in columns.items()}
        records = {name: to_records(values, self._encoding(name)) for name, values in images.items()}
        with self._stopping():
            self._append_records(self._counted(count) if keys is None else pa.array(keys, pa.string()), arrays, records)

    def _append_records(self, keys: pa.Array, columns: Mapping[str, pa.Array], fields: Mapping[str, FieldRecords]) -> None:
        for name, values in columns.items():
            self._schema = settle_type(self._schema, name, values.type)
        whole_columns = {column.name: columns.get(column.name, pa.nulls(len(keys), pa.null())) for column in self._schema.columns}
        whole_fields = {name: fields.get(name) or absent(len(keys)) for name in self._schema.field_names}
        self._roller.append(self._schema, keys, whole_columns, whole_fields)

    def _seal(self) -> None:
        with self._stopping():
            self._roller.seal()

    def _pass_over(self, keys: Sequence[str]) -> None:
        """Have no further default key be one of these, which were given."""
        self._next_key = max(self._next_key, number_after(keys))

    def _counted(self, count: int) -> pa.Array:
        """Return the next default keys."""
        keys = counted_keys(self._next_key, count)
        self._next_key += count
        return keys

    def _find(self, key: str) -> tuple[Shard, int]:
        """Return the shard that holds this key, and its row in the shard's files."""
        hashes = hash_keys(pa.array([checked_key(key)], pa.string()))
        found = self._find_sealed(key, hashes)
        if found is None and (self._pending_keys or self._roller.is_open):
            self._flush()
            self._seal()
            found = self._find_sealed(key, hashes)
        if found is None:
            raise KeyNotFoundError(f"no sample with key {key!r} in {self.path}{self._hint(key)}")
        return found

    def _hint(self, key: str) -> str:
        keys = [chunk for entry in [*self._roller.sealed, *self._kept] for chunk in self._opened(entry).table[KEY].chunks]
        return said(key, pa.chunked_array(keys, pa.string()))

    def _find_sealed(self, key: str, hashes: NDArray[np.uint64]) -> tuple[Shard, int] | None:
        for entry in [*self._roller.sealed, *self._kept]:
            shard = self._opened(entry)
            row = int(shard.find(hashes, [key])[0])
            if row >= 0 and (row := int(shard.local(np.array([row]))[0])) not in self._deleted.get(entry.id, set()):
                return shard, row
        return None

    def _opened(self, entry: ShardEntry) -> Shard:
        known = self._shards.get(entry.id)
        if known is None:
            known = Shard(self.path, entry, self._schema)
        elif known.entry.deleted != entry.deleted:
            known = known.with_deleted(entry)
        self._shards[entry.id] = known
        return known

    def _refuse_duplicates(self, shards: Sequence[ShardEntry]) -> None:
        """Raise DuplicateKeyError naming a key that stands twice, and both its places."""
        ids = {each.id for each in self._roller.sealed}
        opened = [self._opened(entry) for entry in shards]
        fresh = [each for each in opened if each.entry.id in ids]
        suspects = shared_hashes([each.keys for each in opened if each.entry.id not in ids], [each.keys for each in fresh])
        if not len(suspects):
            return
        keys = [each.kept_keys(suspects) for each in opened]
        if (twice := first_twice(pa.concat_arrays(keys))) is not None:
            holders = [shard for shard, held in zip(opened, keys, strict=True) if pc.index(held, twice).as_py() >= 0]
            places = [f"row {pc.index(each.table[KEY], twice).as_py()} of shard {each.entry.id}" for each in holders]
            raise DuplicateKeyError(f"key {twice!r} stands twice in {self.path} ({' and '.join(places)}); use update() to change a sample")

    def _next_manifest(self, shards: tuple[ShardEntry, ...]) -> Manifest:
        created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        changes: dict[str, Any] = {
            "created": created,
            "engine": self._engine.name,
            "durability": self._durability,
            "schema": stated_schema(self._schema, shards),
            "next_key": self._next_key,
            "shards": shards,
            "job": None,
        }
        return self._base.next(**changes) if self._base else Manifest(version=1, parent=None, **changes)


def _refuse_unfinished(path: Path, extended: Manifest | None) -> None:
    if extended is not None and extended.is_unfinished:
        raise StoreBusyError(f"{path}: a conversion into it is not finished; run that `pixstore convert` again, then add to it")


def _note(pending: dict[str, list[Any]], values: Mapping[str, Any], count: int) -> None:
    """Append one sample's values to those of `count` samples before it; None where it, or they, have none."""
    for name, value in values.items():
        if name not in pending:
            pending[name] = [None] * count
        pending[name].append(value)
    for name in pending.keys() - values.keys():
        pending[name].append(None)
