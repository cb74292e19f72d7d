"""The files that make up a LevelDB database at this moment.

CURRENT names a MANIFEST, a log of edits to the set of tables; what no table has yet lies in log files of batches.
Edit, fields of varints: 1 comparator (text), 2 number of the first log in use, 3 next file, 4 last sequence, 5 compaction (level, key),
6 deleted table (level, number), 7 table (level, number, size, first and last key), 9 number of an earlier log.
Format: LevelDB, doc/impl.md and version_edit.cc.
"""

from __future__ import annotations

import re
from pathlib import Path

from pixstore import wire
from pixstore.errors import CorruptStoreError, IncompatibleStoreError, PathNotFoundError, StoreTruncatedError
from pixstore.sources.foreign_file import is_regular, read_head, read_whole
from pixstore.sources.labels import shown
from pixstore.sources.leveldb.log import LogReader

CURRENT = "CURRENT"
CURRENT_PATTERN = re.compile(rb"MANIFEST-\d{1,20}\n\Z")
LOG_SUFFIX = ".log"
LOG_PATTERN = re.compile(r"\d{1,20}\.log\Z")
COMPARATOR = b"leveldb.BytewiseComparator"
HEAD_BYTES = 64
MOST_MANIFEST_BYTES = 1 << 28
COMPARED, LOG, NEXT_FILE, LAST_SEQUENCE, COMPACTION, DELETED, TABLE, EARLIER_LOG = 1, 2, 3, 4, 5, 6, 7, 9


def is_leveldb(path: Path) -> bool:
    """Return whether a folder has LevelDB's CURRENT and the manifest that it names."""
    current = read_head(path / CURRENT, HEAD_BYTES)
    return CURRENT_PATTERN.match(current) is not None and is_regular(path / current.decode().strip())


def files_in_use(path: Path, notes: list[str]) -> tuple[list[Path], list[Path]]:
    """Return the tables and the logs that make up the database, in order of their numbers; what was odd is added to `notes`.

    Raises PathNotFoundError for files that are missing, StoreTruncatedError for a table of another size, IncompatibleStoreError for a
    database of RocksDB or with an order of keys of its own, CorruptStoreError for what is damaged.
    """
    current = read_whole(path / CURRENT, max_bytes=HEAD_BYTES)
    if not CURRENT_PATTERN.match(current):
        raise CorruptStoreError(f"{path / CURRENT}: names no manifest; restore it from a copy")
    manifest = path / current.decode().strip()
    records = LogReader(read_whole(manifest, max_bytes=MOST_MANIFEST_BYTES), str(manifest))
    edits = _Edits(str(manifest))
    for record in records:
        edits.apply(record.content)
    if records.has_torn_end:
        notes.append(f"{manifest.name} ends within a record, which LevelDB takes no notice of; was its writer stopped?")
    tables = {_table(path, number): size for (_, number), size in sorted(edits.tables.items())}
    logs = {int(each.stem): each for each in path.iterdir() if LOG_PATTERN.match(each.name)}
    chosen = [logs[number] for number in sorted(logs) if number >= edits.log or number == edits.earlier_log]
    missing = [file.name for file in tables if not is_regular(file)]
    if edits.log and edits.log not in logs:
        missing.append(f"{edits.log:06}{LOG_SUFFIX}")
    if missing:
        raise PathNotFoundError(f"{path}: files of the database are missing: {shown(missing)}; get them again")
    for file, size in tables.items():
        if file.stat().st_size != size:
            raise StoreTruncatedError(f"{file}: should have {size} bytes, has {file.stat().st_size}; get the file again")
    return list(tables), chosen


def _table(path: Path, number: int) -> Path:
    """Return the path of a table; early versions of LevelDB have another suffix."""
    early = path / f"{number:06}.sst"
    return early if is_regular(early) else path / f"{number:06}.ldb"


class _Edits:
    """The state that the edits of a manifest lead to."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.tables: dict[tuple[int, int], int] = {}
        self.log = 0
        self.earlier_log = 0
        self.content = b""
        self.place = 0

    def apply(self, content: bytes) -> None:
        """Take one edit. Raises IncompatibleStoreError for what LevelDB does not write."""
        self.content, self.place = content, 0
        while self.place < len(content):
            tag = self.number()
            if tag == COMPARED:
                self.check_comparator(self.text())
            elif tag == LOG:
                self.log = self.number()
            elif tag == EARLIER_LOG:
                self.earlier_log = self.number()
            elif tag in (NEXT_FILE, LAST_SEQUENCE):
                self.number()
            elif tag == COMPACTION:
                self.number(), self.text()
            elif tag == DELETED:
                self.tables.pop((self.number(), self.number()), None)
            elif tag == TABLE:
                level, number, size = self.number(), self.number(), self.number()
                self.text(), self.text()
                self.tables[level, number] = size
            else:
                raise IncompatibleStoreError(f"{self.origin}: edit {tag}, which LevelDB has not; is it of RocksDB? copy it with LevelDB")

    def check_comparator(self, name: bytes) -> None:
        if name != COMPARATOR:
            raise IncompatibleStoreError(f"{self.origin}: keys are ordered by {name[:80]!r}, only LevelDB's own order is read")

    def number(self) -> int:
        found, self.place = wire.varint(self.content, self.place, len(self.content), origin=self.origin)
        return found

    def text(self) -> bytes:
        begin, end, self.place = counted(self.content, self.place, self.origin)
        return self.content[begin:end]


def counted(content: bytes, place: int, origin: str) -> tuple[int, int, int]:
    """Return where bytes with their length before them begin and end, and where what follows begins."""
    length, begin = wire.varint(content, place, len(content), origin=origin)
    if begin + length > len(content):
        raise CorruptStoreError(f"{origin}: {length} bytes at byte {begin} of {len(content)}; restore it from a copy")
    return begin, begin + length, begin + length
