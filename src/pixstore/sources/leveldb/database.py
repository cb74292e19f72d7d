"""What a LevelDB database holds, read from its files without LevelDB, which would write into the folder.

Entries lie in tables and in logs of batches; of several of one key, the one with the largest sequence number counts.
Batch: sequence u64 of its first entry, count u32, then for each entry: 1, key, value, or 0, key; keys and values with their length before.
Format: LevelDB, doc/impl.md and write_batch.cc.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError
from pixstore.sources.foreign_file import FileState, open_regular, read_whole, refuse_changed, state_of
from pixstore.sources.leveldb.log import LogReader, LogRecord
from pixstore.sources.leveldb.manifest import CURRENT, LOG_SUFFIX, counted, files_in_use
from pixstore.sources.leveldb.tables import Handle, read_block, read_table

MOST_LOG_BYTES = 1 << 32
BATCH = struct.Struct("<QI")
"""Sequence number and count of a batch."""
COLUMNS = FILE, OFFSET, SIZE, BEGIN, END, PLAIN = range(6)
NOT_PLAIN = -1

Found: TypeAlias = tuple[bytes, int, tuple[int, ...] | None]
"""A key, its sequence number, and its place as a row of `LevelEntries.places`; None for a deletion."""


@dataclass
class LevelEntries:
    """The keys in their order, and for each a row of `places`.

    FILE: number among `files`. OFFSET, SIZE: of the block or log record, as stored, that the value lies in. BEGIN, END: of the value within
    the content of that. PLAIN: offset in the file where the value lies there as it is, NOT_PLAIN where it does not.
    """

    files: list[Path]
    states: dict[str, FileState]
    keys: list[bytes] = field(default_factory=list)
    places: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, len(COLUMNS)), np.int64))
    notes: list[str] = field(default_factory=list)


class Value(NamedTuple):
    """One value: its place among the rows asked for, and `content[begin:end]`, the content of the block or log record that it lies in."""

    position: int
    content: bytes
    begin: int
    end: int


def read_level(path: Path) -> LevelEntries:
    """Return the entries of a database. No file is written or locked.

    Raises PathNotFoundError for files in use that are missing, StoreTruncatedError for one that is shorter than it should be,
    IncompatibleStoreError for a database of RocksDB or with an order of keys of its own, CorruptStoreError for what is damaged,
    StoreBusyError where somebody writes to it.
    """
    state = state_of(path / CURRENT)
    found = LevelEntries([], {})
    tables, logs = files_in_use(path, found.notes)
    found.files = [*tables, *logs]
    found.states = {str(file): state_of(file) for file in found.files}
    newest: dict[bytes, tuple[int, tuple[int, ...] | None]] = {}
    for number, file in enumerate(found.files):
        for key, sequence, place in _table_entries(file, number) if number < len(tables) else _log_entries(file, number, found.notes):
            known = newest.get(key)
            if known is None or known[0] < sequence:
                newest[key] = sequence, place
    live = sorted((key, place) for key, (_, place) in newest.items() if place is not None)
    found.keys = [key for key, _ in live]
    found.places = np.array([place for _, place in live], np.int64).reshape(-1, len(COLUMNS))
    for name, expected in found.states.items():
        refuse_changed(name, expected)
    refuse_changed(path / CURRENT, state)
    return found


def values(entries: LevelEntries, rows: NDArray[np.int64]) -> Iterator[Value]:
    """Yield the values of these rows in the order in which they lie; each block or log record is read and checked once."""
    places = entries.places[rows]
    order = np.lexsort((places[:, BEGIN], places[:, OFFSET], places[:, FILE]))
    read: tuple[int, int] | None = None
    content = b""
    with ExitStack() as opened:
        descriptor = -1
        for index in order.tolist():
            file, offset, size, begin, end, _ = places[index].tolist()
            if read is None or read[0] != file:
                opened.close()
                descriptor = open_regular(entries.files[file])
                opened.callback(os.close, descriptor)
            if read != (file, offset):
                content = _chunk(descriptor, entries.files[file], offset, size)
                read = file, offset
            if end > len(content):
                raise CorruptStoreError(f"{entries.files[file]}: was changed after it was opened; open it again when its writer is done")
            yield Value(index, content, begin, end)


def _chunk(descriptor: int, file: Path, offset: int, size: int) -> bytes:
    if file.suffix != LOG_SUFFIX:
        return read_block(descriptor, Handle(offset, size), str(file)).content
    record = next(iter(LogReader(os.pread(descriptor, size, offset), str(file), offset=offset)), None)
    if record is None:
        raise CorruptStoreError(f"{file}: was changed after it was opened; open it again when its writer is done")
    return record.content


def _table_entries(file: Path, number: int) -> Iterator[Found]:
    descriptor = open_regular(file)
    try:
        for block, entry in read_table(descriptor, str(file)):
            plain = block.handle.offset + entry.begin if block.is_plain else NOT_PLAIN
            place = (number, *block.handle, entry.begin, entry.end, plain)
            yield entry.key, entry.sequence, place if entry.has_value else None
    finally:
        os.close(descriptor)


def _log_entries(file: Path, number: int, notes: list[str]) -> Iterator[Found]:
    records = LogReader(read_whole(file, max_bytes=MOST_LOG_BYTES), str(file))
    for record in records:
        yield from _batch(record, number, str(file))
    if records.has_torn_end:
        notes.append(f"{file.name} ends within a record, which LevelDB takes no notice of; was its writer stopped?")


def _batch(record: LogRecord, number: int, origin: str) -> Iterator[Found]:
    content = record.content
    if len(content) < BATCH.size:
        raise CorruptStoreError(f"{origin}: a batch of {len(content)} bytes; restore it from a copy")
    sequence, count = BATCH.unpack_from(content)
    place = BATCH.size
    for step in range(count):
        if place >= len(content) or content[place] > 1:
            raise CorruptStoreError(f"{origin}: a batch of {count} entries ends or is damaged after {step}; restore it from a copy")
        has_value = content[place] == 1
        begin, end, place = counted(content, place + 1, origin)
        key = content[begin:end]
        if not has_value:
            yield key, sequence + step, None
            continue
        begin, end, place = counted(content, place, origin)
        plain = record.plain_begin + begin if record.is_whole else NOT_PLAIN
        yield key, sequence + step, (number, record.begin, record.end - record.begin, begin, end, plain)
    if place != len(content):
        raise CorruptStoreError(f"{origin}: a batch of {count} entries has bytes left over; restore it from a copy")
