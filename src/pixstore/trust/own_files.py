"""Records that are files of their own, as the engine `files` keeps them: what stands before an array, and the lists of names."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pixstore.core import core, hash_bytes
from pixstore.engines.file_names import escape, npy_header
from pixstore.engines.files import FILES_PER_FOLDER
from pixstore.record_table import FOLDER, missing_places
from pixstore.records import Failure, take
from pixstore.rows import Extents, Records
from pixstore.shard import Shard
from pixstore.trust.findings import Finding
from pixstore.trust.structure import row_finding

ENGINE = "files"


def has_own_files(shard: Shard) -> bool:
    """Return whether each record of the shard is a file: then it reaches to its file's end."""
    return shard.entry.engine == ENGINE and shard.entry.pixels is not None


def header_failures(records: Records) -> list[Failure]:
    """Return the records whose file does not begin with the header that its array has."""
    assert isinstance(records.place, Extents)
    headers = [npy_header(each) for each in records.formats]
    length = np.array([len(each) for each in headers], np.int64)[records.format]
    wrong = np.flatnonzero(records.place.offset != length).tolist()
    headed = np.flatnonzero((length > 0) & (records.place.offset == length))
    place = take(records, headed).place
    assert isinstance(place, Extents)
    seeds = np.zeros(len(headed), np.uint64)
    begins = (place.paths, place.file, np.zeros(len(headed), np.int64), length[headed])
    found, _ = core().checksum(begins, seeds, io="pread", threads=1) if len(headed) else (seeds, [])
    expected = np.array([hash_bytes(each) for each in headers], np.uint64)[records.format[headed]]
    wrong += headed[found != expected].tolist()
    return [(index, "header", "its file does not begin with the header of its array") for index in wrong]


def check_names(shard: Shard) -> Iterator[Finding]:
    """Yield the lists of file names that are not what the table says, where each record is a file of its own."""
    if shard.entry.engine != ENGINE or shard.entry.pixels is None:
        return
    folder = f"{FOLDER}/{shard.entry.pixels.name}"
    for field in shard.schema.field_names:
        table = shard.records(field)
        if table is None:
            continue
        file = f"{folder}/{escape(field)}.names"
        try:
            names = (shard.store / file).read_bytes()
        except OSError as error:
            yield Finding("missing", error.strerror or str(error), file, shard.entry.id)
            continue
        rows = np.arange(shard.entry.rows)
        present = np.delete(rows, missing_places(table, rows))
        paths = dict(zip(present.tolist(), table.paths.take(pa.array(table.file[present])).to_pylist(), strict=True))
        expected = [paths.get(row, "").rpartition("/") for row in rows.tolist()]
        wrong = [row for row, path in paths.items() if expected[row][0] != f"{folder}/{escape(field)}/{row // FILES_PER_FOLDER:05}"]
        if wrong:
            yield row_finding("place", "the table says another folder than that of the row", file, shard, np.array(wrong))
        if names != "".join(f"{name}\n" for _, _, name in expected).encode("ascii", "replace"):
            yield Finding("names", "is not the list of the files that the table names", file, shard.entry.id)
