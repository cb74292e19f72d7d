"""Faults of ours, one by one: each makes pixstore worse in one place when it is called, in a child that ends soon after."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pixstore import builder, codec, disk, manifest, shard, store, updates, writer
from pixstore.engines import files, hdf5, hdf5_file
from pixstore.engines import lmdb as lmdb_engine
from pixstore.errors import StoreFullError
from pixstore.jobs import coordinate
from pixstore.lock import WriterLock
from pixstore.manifest import Manifest
from pixstore.rows import Records
from pixstore.trust import repair
from pixstore.upkeep import copying, garbage


def put(owner: Any, name: str, value: Any) -> None:
    """Replace what is there; where nothing is any more, the plant must be mended: it would prove nothing."""
    if not hasattr(owner, name):
        raise AttributeError(f"{owner.__name__} has no {name!r} to make worse")
    setattr(owner, name, value)


def skip_sync_of_files() -> None:
    """fsync of a file does nothing, nor does syncfs."""
    put(os, "fsync", _without(os.fsync, lambda number: stat.S_ISREG(os.fstat(number).st_mode)))
    put(files, "sync_tree", lambda *_: None)


def skip_sync_of_folders() -> None:
    """fsync of a folder does nothing."""
    put(os, "fsync", _without(os.fsync, lambda number: stat.S_ISDIR(os.fstat(number).st_mode)))


def _without(function: Callable[[Any], Any], is_left_out: Callable[[Any], bool]) -> Callable[[Any], Any]:
    return lambda value: None if is_left_out(value) else function(value)


def rename_before_sync() -> None:
    """A manifest gets its name first, and is synced then."""

    def replace_file(path: Path, data: bytes, *, durable: bool) -> None:
        partial = path.with_name(f"{path.name}.partial")
        partial.write_bytes(data)
        os.replace(partial, path)
        if durable:
            disk.sync_file(path)
            disk.sync_folder(path.parent)

    put(manifest, "replace_file", replace_file)


def write_manifest_in_place() -> None:
    """A manifest is written over the former one."""

    def replace_file(path: Path, data: bytes, *, durable: bool) -> None:
        with open(path, "wb", buffering=0) as file:
            for start in range(0, len(data), 256):
                file.write(data[start : start + 256])
            os.fsync(file.fileno())

    put(manifest, "replace_file", replace_file)


def acknowledge_before_commit() -> None:
    """A commit returns at once, and is done when the next one, or the end of the writer, comes."""
    waiting: list[tuple[Path, Manifest]] = []
    commit = writer.commit

    def later(path: Path, made: Manifest) -> None:
        while waiting:
            commit(*waiting.pop())
        waiting.append((path, made))

    def close(self: writer.Writer, close: Callable[[writer.Writer], None] = writer.Writer.close) -> None:
        close(self)
        while waiting:
            commit(*waiting.pop())

    put(writer, "commit", later)
    put(writer.Writer, "close", close)


def commit_before_shards() -> None:
    """The manifest names shards that get their names only afterwards."""
    commit = writer.commit

    def early(path: Path, made: Manifest) -> None:
        last = path / "shards" / made.shards[-1].table.name
        os.rename(last, last.with_suffix(".late"))
        commit(path, made)
        os.rename(last.with_suffix(".late"), last)

    put(writer, "commit", early)


def reuse_an_attempts_name() -> None:
    """Every shard has the same name."""
    put(builder, "new_id", lambda: "0123456789abcdef")


def drop_the_record_checksum() -> None:
    """Records are read without a look at their checksums."""
    locate = store.StoreRows.locate

    def unchecked(self: store.StoreRows, field: str, rows: Any) -> Records | None:
        found = locate(self, field, rows)
        return found if found is None else replace(found, checksum=None, seed=None)

    put(store.StoreRows, "locate", unchecked)


def drop_the_digest_of_tables() -> None:
    """Tables and key indices are not compared with the manifest's digests."""
    put(shard, "check_digests", lambda data, path, file: None)


def drop_the_digest_of_the_manifest() -> None:
    """A manifest is believed whatever it says of itself."""
    parse = manifest.parse

    def believing(data: bytes, path: Path) -> Manifest:
        text = data.rpartition(manifest.DIGEST.encode())[0]
        return parse(text + f'{manifest.DIGEST}{codec.hash_bytes(text):016x}"}}\n'.encode(), path)

    put(manifest, "parse", believing)


def swallow_decode_errors() -> None:
    """What cannot be read or decoded is zeros."""
    put(codec, "decode", _forgiving(lambda arrays, good: None))


def return_the_neighbour() -> None:
    """What cannot be read or decoded is the image before it."""

    def fill(arrays: Any, good: Any) -> None:
        sound = np.flatnonzero(good)
        for place in np.flatnonzero(~good).tolist():
            if len(sound):
                arrays[place] = arrays[sound[np.argmin(np.abs(sound - place))]]

    put(codec, "decode", _forgiving(fill))


def zeros_for_a_missing_record() -> None:
    """An image whose file is gone is zeros; one that is damaged is still an error."""
    decode = codec.decode

    def lenient(records: Records, **options: Any) -> Any:
        arrays, _, bad = codec.decode_masked(records, **options)
        missing = {each.row for each in bad if not Path(each.place).exists() or "missing" in each.reason or "No such" in each.reason}
        return arrays if len(missing) == len(bad) else decode(records, **options)

    put(codec, "decode", lenient)


def _forgiving(fill: Callable[[Any, Any], None]) -> Callable[..., Any]:
    def decode(records: Records, **options: Any) -> Any:
        arrays, good, _ = codec.decode_masked(records, **options)
        fill(arrays, good)
        return arrays

    return decode


def lose_without_a_word() -> None:
    """Repair does not list what it leaves out."""
    salvage = repair.salvage
    put(repair, "salvage", lambda shard: (replace(each, lost=()) for each in salvage(shard)))


def take_no_lock() -> None:
    """Every writer is let in."""
    WriterLock._take = lambda self, path: None  # type: ignore[method-assign]


def go_on_after_an_error() -> None:
    """A writer forgets that an error stopped it."""
    put(writer.Writer, "_require_open", lambda self: None)


def hide_failed_syncs() -> None:
    """A failed fsync is taken for done."""
    fsync = os.fsync

    def quiet(number: Any) -> None:
        try:
            fsync(number)
        except OSError:
            return

    put(os, "fsync", quiet)


def never_grow_the_map() -> None:
    """An LMDB map that is too small stays so."""
    put(lmdb_engine, "SPARE_BYTES", 1 << 13)
    commit = lmdb_engine.LmdbWriter._commit

    def refusing(self: Any, name: str, items: Any) -> None:
        grow, self._environment = self._environment, _Fixed(self._environment)
        try:
            commit(self, name, items)
        finally:
            self._environment = grow

    put(lmdb_engine.LmdbWriter, "_commit", refusing)


class _Fixed:
    """An LMDB environment whose map cannot grow."""

    def __init__(self, environment: Any) -> None:
        self.begin = environment.begin

    def set_mapsize(self, size: int) -> None:
        raise StoreFullError(28, "the map is full")


def share_a_handle_over_fork() -> None:
    """Records are read through one open file per path, whose position a forked child moves too."""
    opened: dict[str, int] = {}

    def fetch(records: Records, **_: Any) -> list[bytes]:
        place: Any = records.place
        found = []
        for number, offset, length in zip(place.file.tolist(), place.offset.tolist(), place.length.tolist(), strict=True):
            path = place.paths[number]
            handle = opened.setdefault(path, -1)
            if handle < 0:
                handle = opened[path] = os.open(path, os.O_RDONLY)
            os.lseek(handle, offset, os.SEEK_SET)
            found.append(os.read(handle, length))
        return found

    put(codec, "fetch", fetch)


def write_from_forked_children() -> None:
    """What HDF5 writes in a forked child goes into the parent's open shard."""
    put(hdf5_file.LastingFile, "_writes", property(lambda self: self._refusal is None))


def follow_links_out_of_the_file() -> None:
    """What an HDF5 file points to is read, wherever it lies."""
    hdf5.Hdf5Reader._own = lambda self, name: self.file[name]  # type: ignore[method-assign]


def lose_a_column() -> None:
    """An update of columns keeps only those that it names."""
    columns = updates._columns

    def losing(chosen: Any, groups: Any, schema: Any) -> dict[str, pa.Array]:
        made = columns(chosen, groups, schema)
        named = {name for each in chosen for name in each.columns}
        return {name: each if name in named else pa.nulls(len(each), each.type) for name, each in made.items()}

    put(updates, "_columns", losing)


def delete_one_more() -> None:
    """With a deleted row goes the one after it."""
    without_rows = builder.without_rows

    def greedy(entry: Any, rows: set[int]) -> Any:
        return without_rows(entry, {each for row in rows for each in (row, min(row + 1, entry.rows - 1))})

    put(writer, "without_rows", greedy)


def collect_borrowed_pixels() -> None:
    """gc does not look at what tables of other shards point into."""

    def files_of(made: Manifest) -> set[str]:
        return {file.name for each in made.shards for file in (each.table, each.keys, each.pixels) if file is not None}

    put(garbage, "files_of", files_of)


def collect_tagged_versions() -> None:
    """gc and commits keep the newest versions alone."""
    versions = garbage._versions
    put(garbage, "_versions", lambda path, current, keep: versions(path, replace(current, tags={}), keep))


def drop_the_last_row_of_a_compaction() -> None:
    """Compacting copies all rows but the last, and proves nothing."""
    copy = copying.Copier.copy
    put(copying.Copier, "copy", lambda self, part, start, stop: copy(self, part, start, max(start + 1, stop - 1)))
    put(copying.Copier, "prove", lambda self, entry, part, start: None)


def switch_before_proving() -> None:
    """Compacting copies unchecked bytes and switches to them at once."""
    put(copying.Copier, "prove", lambda self, entry, part, start: None)
    drop_the_record_checksum()


def resume_one_row_later() -> None:
    """A conversion that goes on leaves out the first row of what is not done."""
    gaps = coordinate.gaps
    put(coordinate, "gaps", lambda done, count: [(start + bool(start), stop) for start, stop in gaps(done, count)])
