"""BasicSR's LMDB: encoded images under their names without suffix, and meta_info.txt beside data.mdb.

A line of meta_info.txt is `name.png (height,width,channels) compression`. Its rows say which keys there are, in their order; its sizes are
often wrong, because crops and scales were applied by another program: the image decides, and what the file says otherwise is reported.
Format: BasicSR, docs/DatasetPreparation.md.
"""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from pixstore.errors import CorruptStoreError, DuplicateKeyError, LabelMismatchError
from pixstore.source import SourceOptions
from pixstore.sources.foreign_file import read_head
from pixstore.sources.labels import read_text, shown
from pixstore.sources.lmdb.environment import Database, Found, LmdbSource, extents, uniform
from pixstore.sources.lookalike import is_image
from pixstore.sources.stated_sizes import Size, formats_of, lies

META_FILE = "meta_info.txt"
LINE = re.compile(r"(?P<name>.+?)\s+\((?P<size>\d{1,9}, ?\d{1,9}(?:, ?\d{1,9})?)\)\s+\d{1,3}\s*\Z")
HEAD_BYTES = 4096


class BasicsrLmdb(LmdbSource):
    """An LMDB of encoded images with the list of them that BasicSR keeps beside it."""

    name: ClassVar[str] = "LMDB of encoded images with meta_info.txt (BasicSR)"

    @classmethod
    def fits(cls, sample: Database) -> bool:
        meta = sample.beside(META_FILE)
        if meta is None or not is_image(sample.head(0)):
            return False
        first, _, _ = read_head(meta, HEAD_BYTES).decode("utf-8", "replace").lstrip("\ufeff").partition("\n")
        return LINE.match(first.strip()) is not None

    @classmethod
    def rows(cls, database: Database, options: SourceOptions) -> Found:
        stated = _stated(database)
        rows = np.fromiter(stated, np.int64, len(stated))
        offset, length = database.entries.offset[rows], database.entries.length[rows]
        formats = formats_of(extents(database.file, offset, length))
        found = Found(database.keys(rows), offset, length)
        found.formats, found.image = uniform(formats)
        found.report.notes += lies(META_FILE, found.keys, list(stated.values()), formats)
        return found


def _stated(database: Database) -> dict[int, Size]:
    """Return the row of each line's key, and the size that it states. Raises LabelMismatchError unless lines and keys are the same."""
    meta = database.file.parent / META_FILE
    row_of = {key: row for row, key in enumerate(database.keys())}
    found: dict[int, Size] = {}
    unknown: list[str] = []
    for number, line in enumerate(read_text(meta).splitlines(), 1):
        if not line.strip():
            continue
        parts = LINE.match(line.strip())
        if parts is None:
            raise CorruptStoreError(
                f"{meta}, line {number}: {line[:80]!r} is not 'name.png (height,width,channels) compression'; correct it"
            )
        row = _row_of(parts["name"], row_of)
        if row is None:
            unknown.append(parts["name"])
        elif row in found:
            raise DuplicateKeyError(f"{meta}, line {number}: {parts['name']!r} is there twice; remove one of the lines")
        else:
            found[row] = tuple(int(each) for each in parts["size"].split(","))
    unlisted = [key for key, row in row_of.items() if row not in found]
    if unknown or unlisted:
        raise LabelMismatchError(
            f"{meta}: does not list the {len(row_of)} keys of {database.file.name} one to one; lines without a key: {shown(unknown)}, "
            f"keys without a line: {shown(unlisted)}; get both files again"
        )
    return found


def _row_of(name: str, row_of: dict[str, int]) -> int | None:
    """Return the row that a name with a suffix means: the writer takes the last suffix off, the reader everything from the first dot."""
    forms = (name.rpartition(".")[0], name.partition(".")[0], name)
    return next((row_of[form] for form in forms if form in row_of), None)


SOURCE = BasicsrLmdb
