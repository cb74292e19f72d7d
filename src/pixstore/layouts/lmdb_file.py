"""A new LMDB environment that grows with what is put into it, for the layouts that are LMDBs."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeAlias

import lmdb

from pixstore.engines.lmdb import SPARE_BYTES, lmdb_errors
from pixstore.errors import InvalidInputError

LEAST_MAP_BYTES = 1 << 20
MOST_KEY_BYTES = 511
Items: TypeAlias = Sequence[tuple[bytes, bytes]]


class GrowingLmdb:
    """An environment while it is written."""

    def __init__(self, environment: lmdb.Environment) -> None:
        self._environment = environment

    def put(self, items: Items) -> None:
        """Store these items in one transaction, with a map that is grown as often as it takes.

        Raises InvalidInputError for a key that LMDB does not take.
        """
        for key, _ in items:
            if not 0 < len(key) <= MOST_KEY_BYTES:
                raise InvalidInputError(
                    f"key {key[:40]!r} has {len(key)} bytes, LMDB takes 1 to {MOST_KEY_BYTES}; `folder` has longer ones"
                )
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    transaction.cursor().putmulti(items)
                return
            except lmdb.MapFullError:
                self._environment.set_mapsize(self._environment.info()["map_size"] * 2)


@contextmanager
def new_lmdb(folder: Path) -> Iterator[GrowingLmdb]:
    """Make an environment in a new folder; when the block ends it is whole and on the medium. Raises OSError where the disk refuses."""
    try:
        with lmdb_errors(folder), closing(lmdb.open(str(folder), map_size=LEAST_MAP_BYTES, lock=False, sync=False)) as environment:
            yield GrowingLmdb(environment)
            environment.sync(True)
    except OSError as error:
        if error.errno in {errno.EIO, errno.ENOSPC}:
            _write_a_little(folder / "data.mdb")
        raise


def _write_a_little(path: Path) -> None:
    """Raise the system's reason where LMDB has none: it calls a write that was cut short an input/output error."""
    with open(path, "ab") as file:
        file.write(bytes(SPARE_BYTES))
