"""How an LMDB environment's pages are used: leaves, branches, and overflow pages, which hold one large record each.

A record that would fill more than half a page lies on overflow pages of its own, whole ones, with a header of 16 bytes on the first:
what it leaves of its last page is used by nothing. (mdb.c of LMDB 0.9: me_nodemax, OVPAGES.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb

PATTERNS = ("**/data.mdb", "**/*.lmdb")
PAGE_HEADER_BYTES = 16
NODE_HEADER_BYTES = 8
POINTER_BYTES = 2
MOST_DATABASES = 64


@dataclass(frozen=True)
class PageCounts:
    """Pages by their use, and the bytes of the records that lie on overflow pages."""

    page_bytes: int
    leaf: int
    branch: int
    overflow: int
    overflow_bytes: int

    @property
    def wasted_bytes(self) -> int:
        """Bytes of the overflow pages that hold no part of a record."""
        return self.overflow * self.page_bytes - self.overflow_bytes


def page_counts(folder: Path) -> PageCounts | None:
    """Return how the pages of the environments below this folder are used, together; None where there is no environment.

    No environment there may be open in this process.
    """
    found = [counts for path in _environments(folder) for counts in _of_environment(path)]
    if not found:
        return None
    leaf, branch, overflow, overflow_bytes = (
        sum(each) for each in zip(*((at.leaf, at.branch, at.overflow, at.overflow_bytes) for at in found), strict=True)
    )
    return PageCounts(found[0].page_bytes, leaf, branch, overflow, overflow_bytes)


def _environments(folder: Path) -> Iterator[Path]:
    for pattern in PATTERNS:
        yield from (path for path in sorted(folder.glob(pattern)) if path.is_file())


def _of_environment(path: Path) -> Iterator[PageCounts]:
    with closing(lmdb.open(str(path), subdir=False, readonly=True, lock=False, max_dbs=MOST_DATABASES)) as environment:
        databases = [environment.open_db(None), *_named(environment)]
        with environment.begin(buffers=True) as transaction:
            for database in databases:
                yield _of_database(transaction, database)


def _named(environment: lmdb.Environment) -> list[Any]:
    """Return the databases that the keys of the main one name; one with more keys than there may be databases holds records."""
    if environment.stat()["entries"] > MOST_DATABASES:
        return []
    with environment.begin() as transaction, transaction.cursor() as cursor:
        # LMDB takes names up to their first zero byte; a key with one is that of a record.
        keys = [key for key in cursor.iternext(keys=True, values=False) if b"\0" not in key]
    return [database for key in keys if (database := _database(environment, key)) is not None]


def _database(environment: lmdb.Environment, key: bytes) -> Any | None:
    try:
        return environment.open_db(key, create=False)
    except lmdb.IncompatibleError:
        # The key of a record, not of a database.
        return None


def _of_database(transaction: lmdb.Transaction, database: Any) -> PageCounts:
    counts = transaction.stat(database)
    largest = largest_on_leaf(counts["psize"])
    with transaction.cursor(database) as cursor:
        lengths = ((len(key), len(value)) for key, value in cursor)
        overflow_bytes = sum(value for key, value in lengths if NODE_HEADER_BYTES + key + value > largest)
    return PageCounts(counts["psize"], counts["leaf_pages"], counts["branch_pages"], counts["overflow_pages"], overflow_bytes)


def largest_on_leaf(page_bytes: int) -> int:
    """Return the largest node, header and key and value, that lies on a leaf: half of its room, so that two fit."""
    return (page_bytes - PAGE_HEADER_BYTES) // 2 // 2 * 2 - POINTER_BYTES
