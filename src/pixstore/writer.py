"""Writer: what users write with. Every commit makes a new version of the store; nothing is visible before it."""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixstore import registry
from pixstore.builder import ShardBuilder, remove_shard, without_rows
from pixstore.codec import hash_keys
from pixstore.columns import column_array, settle_type
from pixstore.disk import remove, translated
from pixstore.engine import FieldRecords
from pixstore.errors import (
    DestinationExistsError,
    DuplicateKeyError,
    InvalidInputError,
    KeyInvalidError,
    KeyNotFoundError,
    SchemaError,
    StoreBusyError,
    WriterClosedError,
)
from pixstore.incoming import ABSENT, Encoding, ImageLike, Incoming, accept, is_image, to_records
from pixstore.manifest import Durability, Manifest, ShardEntry, commit, is_store, load
from pixstore.rows import Slices
from pixstore.schema import KEY, Field, Format, Schema
from pixstore.shard import Shard
from pixstore.updates import Update, write_updates

Mode = Literal["x", "a", "w"]
DEFAULT_ENGINE = "packed"
DEFAULT_SHARD_BYTES = 1 << 30
FLUSH_ROWS = 8192
FLUSH_BYTES = 32 << 20
IMAGE = "image"


class Writer:
    """Writes a store: a new one (mode "x"), a further version of one ("a"), or a version that replaces all before it ("w").

    codec: "keep" (encoded images byte for byte, arrays raw), "raw", "png" or "jpeg"; or one per field: {"image": "jpeg", "mask": "png"}.
    durability: "power" survives loss of power once `commit` returns, "process" survives the end of this process only.
    level: png effort 1 … 12; quality: jpeg quality 1 … 100. A shard rolls at `shard_bytes`.

    Leaving the `with` block commits; an exception in it aborts, and the store is as it was.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        engine: str | None = None,
        codec: str | Mapping[str, str] = "keep",
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
        self._codecs = {IMAGE: codec} if isinstance(codec, str) else dict(codec)
        self._encodings = {name: Encoding(each, level, quality, threads) for name, each in self._codecs.items()}
        self._default = Encoding("keep", level, quality, threads)
        self._durability: Durability = durability
        self._shard_bytes = shard_bytes
        self._failure: BaseException | None = None
        self._open = False
        base = _base(self.path, mode)
        self._engine = registry.engine(engine or (base.engine if base else DEFAULT_ENGINE))
        self._created = not self.path.exists()
        with translated(self.path):
            for folder in ("shards", "versions"):
                (self.path / folder).mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.path)
        self._open = True
        self._base = base
        self._schema = schema or (base.schema if base else Schema(tuple(Field(name, each) for name, each in self._codecs.items())))
        self._columns_fixed = schema is not None or base is not None
        self._kept: list[ShardEntry] = list(base.shards) if base and mode == "a" else []
        self._next_key = base.next_key if base else 0
        self._begin()

    def _begin(self) -> None:
        self._sealed: list[ShardEntry] = []
        self._builder: ShardBuilder | None = None
        self._mixed: set[str] = set()
        self._deleted: dict[str, set[int]] = {}
        self._updates: dict[str, Update] = {}
        self._clear_pending()

    def _clear_pending(self) -> None:
        self._pending_keys: list[str | None] = []
        self._pending_images: dict[str, list[Incoming]] = {}
        self._pending_columns: dict[str, list[Any]] = {}
        self._pending_bytes = 0

    @property
    def schema(self) -> Schema:
        return self._schema

    def add(self, image: ImageLike | None = None, *, key: str | None = None, **columns: Any) -> None:
        """Add one sample: an H·W or H·W·C array, PIL image, path or encoded bytes; further fields and columns by name.

        Without a key the sample gets the next number, as eight digits. A column that was not there with the first sample is a
        SchemaError; one left out is null.
        """
        self._require_open()
        images = {IMAGE: accept(image), **{name: accept(columns.pop(name)) for name in self._field_names(columns)}}
        self._settle_names(images, columns)
        count = len(self._pending_keys)
        for name, value in images.items():
            self._pending_images.setdefault(name, [None] * count).append(value)
            self._pending_bytes += 0 if value is None else _size(value)
        for name, value in columns.items():
            self._pending_columns.setdefault(name, [None] * count).append(value)
        self._pending_keys.append(None if key is None else _checked_key(key))
        for values in (*self._pending_images.values(), *self._pending_columns.values()):
            if len(values) == count:
                values.append(None)
        if count + 1 >= FLUSH_ROWS or self._pending_bytes >= min(FLUSH_BYTES, self._shard_bytes):
            self._flush()

    def add_batch(self, images: NDArray[Any] | Sequence[ImageLike], *, key: Sequence[str] | None = None, **columns: Any) -> None:
        """Add N samples: an N·H·W·C array or a list of images; further fields and columns by name, each with N values."""
        self._require_open()
        self._flush()
        count = len(images)
        fields: dict[str, NDArray[Any] | list[Incoming]] = {IMAGE: _accept_many(images)}
        for name in [name for name in columns if name in self._schema.field_names or _is_images(columns[name])]:
            fields[name] = _accept_many(columns.pop(name))
        values = {**fields, **columns, **({} if key is None else {"key": key})}
        wrong = {name: len(each) for name, each in values.items() if len(each) != count}
        if wrong:
            raise InvalidInputError(
                f"{count} images, but {', '.join(f'{length} of {name!r}' for name, length in wrong.items())}; give one for each image"
            )
        self._settle_names(fields, columns)
        for rows in self._pieces(fields, count):
            keys = None if key is None else [_checked_key(each) for each in key[rows]]
            self._append(
                keys,
                rows.stop - rows.start,
                {name: each[rows] for name, each in fields.items()},
                {name: each[rows] for name, each in columns.items()},
            )

    def update(self, key: str, image: ImageLike | None = None, **columns: Any) -> None:
        """Change columns or images of the sample with this key, keeping the rest. Columns alone copy no pixels.

        Raises KeyNotFoundError if there is none.
        """
        self._require_open()
        images = {name: accept(columns.pop(name)) for name in self._field_names(columns)}
        if image is not None:
            images[IMAGE] = accept(image)
        self._settle_names(images, columns)
        update = self._updates.get(key)
        if update is None:
            shard, row = self._find(key)
            update = Update(shard, row, {}, {})
            self._deleted.setdefault(shard.entry.id, set()).add(row)
        self._updates[key] = update.changed(columns, images)

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
        with self._failing():
            self._flush()
            self._seal()
            updated, pending = write_updates(self.path, self._schema, self._updates, durable=self._durability == "power")
            self._sealed.extend(updated)
            for key, images, columns in pending:
                self._append(
                    [key], 1, {name: [value] for name, value in images.items()}, {name: [value] for name, value in columns.items()}
                )
            self._seal()
            shards = [without_rows(each, self._deleted.get(each.id, set())) for each in [*self._kept, *self._sealed]]
            shards = [each for each in shards if each.deleted_rows < each.rows]
            self._refuse_duplicates(shards)
            manifest = self._next_manifest(tuple(shards))
            commit(self.path, manifest)
        self._base, self._kept = manifest, shards
        self._begin()
        return manifest.version

    def append_records(self, keys: pa.Array | None, columns: Mapping[str, pa.Array], fields: Mapping[str, FieldRecords]) -> None:
        """Append rows whose records are encoded already; for converters. Names must be those of the schema."""
        self._require_open()
        count = len(next(iter(fields.values())).slices)
        with self._failing():
            self._append_records(keys if keys is not None else self._counted(count), columns, fields)

    def close(self) -> None:
        """Commit what was added since the last commit, if anything, and let go of the store."""
        if not self._open:
            return
        try:
            if self._has_changes() or self._base is None:
                self.commit()
        finally:
            self._release()

    def abort(self) -> None:
        """Forget everything since the last commit and let go of the store."""
        if not self._open:
            return
        if self._builder is not None:
            self._builder.abort()
        for entry in self._sealed:
            remove_shard(self.path, entry)
        self._release()
        if self._created and self._base is None:
            remove(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is not None or self._failure is not None:
            self.abort()
            return
        try:
            self.close()
        except BaseException:
            self._open = True
            self.abort()
            raise

    def _has_changes(self) -> bool:
        return bool(self._pending_keys or self._builder or self._sealed or self._deleted or self._updates)

    def _release(self) -> None:
        self._open = False
        os.close(self._lock)

    def _require_open(self) -> None:
        if self._failure is not None:
            raise WriterClosedError(
                f"{self.path}: an earlier error stopped this writer ({self._failure}); open a new one"
            ) from self._failure
        if not self._open:
            raise WriterClosedError(f"{self.path}: this writer is closed; open a new one with mode='a'")

    def _failing(self) -> _Failing:
        return _Failing(self)

    def fail(self, error: BaseException) -> None:
        """Refuse everything from now on: after this error it is not known what reached the disk."""
        self._failure = error

    def _field_names(self, values: Mapping[str, Any]) -> list[str]:
        return [name for name, value in values.items() if name in self._schema.field_names or is_image(value)]

    def _settle_names(self, fields: Mapping[str, Any], columns: Mapping[str, Any]) -> None:
        new_fields = [name for name in fields if name not in self._schema.field_names]
        unknown = [name for name in columns if name not in self._schema.columns.names]
        if unknown and self._columns_fixed:
            known = ", ".join(self._schema.columns.names) or "none"
            raise SchemaError(f"unknown column {unknown[0]!r}; columns of this dataset: {known}. Columns are set by the first sample")
        if new_fields and self._builder is not None:
            self._seal()
        for name in new_fields:
            self._schema = self._schema.with_field(Field(name, self._encoding(name).codec))
        if unknown:
            added = [pa.field(name, pa.null()) for name in unknown]
            self._schema = Schema(self._schema.fields, pa.schema([*self._schema.columns, *added]), self._schema.classes)
        self._columns_fixed = True

    def _encoding(self, name: str) -> Encoding:
        return self._encodings.get(name, self._default)

    def _pieces(self, fields: Mapping[str, NDArray[Any] | list[Incoming]], count: int) -> Iterator[slice]:
        """Yield ranges of rows of about FLUSH_BYTES, so that memory stays bounded and shards roll where they should."""
        sizes = np.zeros(count, np.int64)
        for images in fields.values():
            sizes += (
                images[0].nbytes if isinstance(images, np.ndarray) and count else [0 if each is None else _size(each) for each in images]
            )
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
        keys, images, columns = self._pending_keys, self._pending_images, self._pending_columns
        self._clear_pending()
        if any(each is None for each in keys):
            counter = iter(self._counted(sum(each is None for each in keys)).to_pylist())
            keys = [next(counter) if each is None else each for each in keys]
        self._append([each for each in keys if each is not None], len(keys), images, columns)

    def _append(
        self,
        keys: Sequence[str] | None,
        count: int,
        images: Mapping[str, NDArray[Any] | Sequence[Incoming]],
        columns: Mapping[str, Any],
    ) -> None:
        arrays = {name: column_array(name, values, self._schema) for name, values in columns.items()}
        records = {name: to_records(values, self._encoding(name)) for name, values in images.items()}
        with self._failing():
            self._append_records(self._counted(count) if keys is None else pa.array(keys, pa.string()), arrays, records)

    def _append_records(self, keys: pa.Array, columns: Mapping[str, pa.Array], fields: Mapping[str, FieldRecords]) -> None:
        for name, values in columns.items():
            self._schema = settle_type(self._schema, name, values.type)
        whole_columns = {column.name: columns.get(column.name, pa.nulls(len(keys), pa.null())) for column in self._schema.columns}
        whole_fields = {name: fields.get(name) or _absent(len(keys)) for name in self._schema.field_names}
        self._shard_for(whole_fields).append(keys, whole_columns, whole_fields)

    def _shard_for(self, fields: Mapping[str, FieldRecords]) -> ShardBuilder:
        """Return the shard that takes these records: the open one, or a new one where it is full or was uniform and they differ."""
        formats = {name: each for name, records in fields.items() if (each := _one_format(records)) is not None}
        size = sum(int(np.maximum(records.slices.length, 0).sum()) for records in fields.values())
        if self._builder is not None:
            differing = {name for name, expected in self._builder.formats.items() if formats.get(name) != expected}
            if differing or self._builder.bytes + size > self._shard_bytes:
                self._mixed |= differing
                self._seal()
        if self._builder is None:
            self._mixed |= fields.keys() - formats.keys()
            uniform = {name: each for name, each in formats.items() if name not in self._mixed}
            self._builder = ShardBuilder(
                self.path, self._engine, self._schema, uniform, durable=self._durability == "power", max_bytes=max(self._shard_bytes, size)
            )
        self._builder.schema = self._schema
        return self._builder

    def _seal(self) -> None:
        if self._builder is not None and self._builder.rows:
            self._sealed.append(self._builder.seal())
        self._builder = None

    def _counted(self, count: int) -> pa.Array:
        """Return the next default keys."""
        numbers = pa.array(np.arange(self._next_key, self._next_key + count))
        self._next_key += count
        return pc.utf8_lpad(numbers.cast(pa.string()), 8, "0")

    def _find(self, key: str) -> tuple[Shard, int]:
        """Return the shard that holds this key, and its row there."""
        if key in self._updates:
            return self._updates[key].shard, self._updates[key].row
        self._flush()
        self._seal()
        hashes = hash_keys(pa.array([key], pa.string()))
        for entry in [*self._sealed, *self._kept]:
            shard = Shard(self.path, entry, self._schema)
            row = int(shard.find(hashes, [key])[0])
            if row >= 0 and (row := int(shard.local(np.array([row]))[0])) not in self._deleted.get(entry.id, set()):
                return shard, row
        raise KeyNotFoundError(f"no sample with key {key!r} in {self.path}")

    def _refuse_duplicates(self, shards: Sequence[ShardEntry]) -> None:
        fresh = {each.id for each in self._sealed}
        opened = [Shard(self.path, entry, self._schema) for entry in shards]
        for number, shard in enumerate(opened):
            if shard.entry.id not in fresh:
                continue
            for other in opened[:number]:
                shared = np.intersect1d(shard.hashes, other.hashes)
                if len(shared):
                    self._refuse_common_keys(shard, other)

    def _refuse_common_keys(self, shard: Shard, other: Shard) -> None:
        common = shard.table[KEY].filter(pc.is_in(shard.table[KEY], other.table[KEY]))
        if len(common):
            key = common[0].as_py()
            places = [f"row {pc.index(each.table[KEY], pa.scalar(key)).as_py()} of shard {each.entry.id}" for each in (other, shard)]
            raise DuplicateKeyError(f"key {key!r} stands twice in {self.path} ({' and '.join(places)}); use update() to change a sample")

    def _next_manifest(self, shards: tuple[ShardEntry, ...]) -> Manifest:
        created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        changes: dict[str, Any] = {
            "created": created,
            "engine": self._engine.name,
            "durability": self._durability,
            "schema": _stated(self._schema, shards),
            "next_key": self._next_key,
            "shards": shards,
        }
        return self._base.next(**changes) if self._base else Manifest(version=1, parent=None, **changes)


class _Failing:
    """Marks the writer as failed where the block raises."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is not None:
            self._writer.fail(error)


def _base(path: Path, mode: Mode) -> Manifest | None:
    if mode not in ("x", "a", "w"):
        raise InvalidInputError(f"mode {mode!r} is none of 'x' (new), 'a' (add a version), 'w' (replace as a version)")
    if is_store(path):
        if mode == "x":
            raise DestinationExistsError(f"{path}: a pixstore store is there; use mode='a' to add to it, mode='w' to replace it")
        return load(path)
    if path.is_dir() and {each.name for each in path.iterdir()} - {"shards", "versions", ".lock"}:
        raise DestinationExistsError(f"{path}: a folder with other files is there; choose another place")
    if path.exists() and not path.is_dir():
        raise DestinationExistsError(f"{path}: a file is there; choose another place")
    return None


def _lock(path: Path) -> int:
    """Return the descriptor that holds the writer's lock; the system lets go of it when the process ends, however it ends."""
    with translated(path):
        descriptor = os.open(path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(descriptor, 4096, 0).decode(errors="replace")
        os.close(descriptor)
        raise StoreBusyError(f"{path}: another writer has it ({owner or 'owner unknown'}); wait for it, or stop it") from error
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": started}).encode(), 0)
    return descriptor


def _checked_key(key: str) -> str:
    if not isinstance(key, str):
        raise KeyInvalidError(f"a key must be text, not {type(key).__name__} ({key!r}); use str(...)")
    if not key:
        raise KeyInvalidError("a key must not be empty")
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise KeyInvalidError(f"key {key!r} is not valid Unicode; escape it first") from error
    return key


def _accept_many(images: Any) -> NDArray[Any] | list[Incoming]:
    return images if isinstance(images, np.ndarray) and images.dtype != object else [accept(each) for each in images]


def _is_images(values: Any) -> bool:
    if isinstance(values, np.ndarray):
        return values.ndim >= 3
    return isinstance(values, Sequence) and not isinstance(values, (str, bytes)) and len(values) > 0 and is_image(values[0])


def _size(image: NDArray[Any] | bytes) -> int:
    return image.nbytes if isinstance(image, np.ndarray) else len(image)


def _one_format(records: FieldRecords) -> Format | None:
    """Return the format that every record has, None where they differ or one is missing."""
    used = np.unique(records.format)
    if len(used) != 1 or (records.slices.length < 0).any():
        return None
    return records.formats[int(used[0])]


def _absent(count: int) -> FieldRecords:
    return FieldRecords(Slices(b"", np.zeros(count, np.int64), np.full(count, -1)), [ABSENT], np.zeros(count, np.int32))


def _stated(schema: Schema, shards: Sequence[ShardEntry]) -> Schema:
    """Return the schema with shape and dtype of each field where every shard has the same, and without where not."""
    for each in schema.fields:
        formats = {shard.formats.get(each.name) for shard in shards}
        one: Format | None = formats.pop() if len(formats) == 1 else None
        schema = schema.with_field(Field(each.name, each.codec, one.shape if one else None, one.dtype if one else None))
    return schema
