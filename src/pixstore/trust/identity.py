"""What makes a sample the same sample in another dataset: one number for its key, for each column, for each image's stored bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pixstore import codec
from pixstore.core import checksums, core, hash_bytes
from pixstore.dataset import Dataset
from pixstore.errors import BadRow, RecordError
from pixstore.records import core_place
from pixstore.rows import Indices, Records, Slices
from pixstore.schema import ARRAY_CODECS, KEY, Format
from pixstore.trust.cells import NULL, Hashes, cell_hashes

FIRST_ROWS = 16
READ_BYTES = 32 << 20
MOST_ROWS = 4096
"""At once where a format's library hands over bytes, whose size is known only then."""
DECODED_ROWS = 1024
NOT_WRITTEN = "the bytes are not those that were written (checksum differs)"


@dataclass(frozen=True)
class Identities:
    """n samples as numbers. A column's is 0 where the value is null, a field's where the sample has no such image or it cannot be read."""

    keys: Hashes
    columns: Mapping[str, Hashes]
    fields: Mapping[str, Hashes]
    bad_rows: Sequence[BadRow]

    def __len__(self) -> int:
        return len(self.keys)


def identities(dataset: Dataset, start: int, stop: int, *, trusting: bool = False, threads: int | None = None) -> Identities:
    """Return rows `start` to `stop` of a dataset as numbers, without keeping more of their images than a few at a time.

    Every record is read and, where the dataset has checksums, compared with its own; with `trusting` those checksums are taken as they
    are. Rows that cannot be read are listed, not raised.
    """
    rows = np.arange(start, stop)
    table = dataset.table.slice(start, stop - start)
    columns = {name: cell_hashes(name, table[name], threads=threads) for name in dataset.schema.columns.names}
    fields, bad_rows = {}, list[BadRow]()
    for name in dataset.schema.field_names:
        seeds = codec.seeds(name, table[KEY])
        fields[name] = np.zeros(len(rows), np.uint64)
        present = np.delete(rows, dataset.absent(name, rows))
        for chosen, records in _parts(dataset, name, present, bad_rows):
            measured, bad = _measure(records, seeds[chosen - start], trusting, threads)
            fields[name][chosen - start] = _field_hashes(name, records, measured, threads)
            bad_rows += bad
    return Identities(codec.hash_keys(table[KEY]), columns, fields, bad_rows)


def _parts(dataset: Dataset, field: str, rows: Indices, bad_rows: list[BadRow]) -> Iterator[tuple[Indices, Records]]:
    """Yield these rows in parts with their records: a few at once where bytes are handed over, all where they can be located."""
    count = FIRST_ROWS
    while len(rows):
        found = list(_located(dataset, field, rows[:count], bad_rows))
        held = sum(len(buffer) for _, records in found if isinstance(records.place, list) for buffer in records.place)
        yield from found
        rows = rows[count:]
        # Where nothing is held, the rest comes at once.
        count = len(rows) if found and not held else int(np.clip(READ_BYTES * count // max(held, 1), 1, MOST_ROWS))


def _located(dataset: Dataset, field: str, rows: Indices, bad_rows: list[BadRow]) -> Iterator[tuple[Indices, Records]]:
    """Yield these rows' records; where some cannot be had, they are listed, found by halving."""
    try:
        yield rows, dataset.located(field, rows)
    except RecordError as error:
        if len(rows) == 1:
            bad_rows += error.bad_rows
            return
        for half in np.array_split(rows, 2):
            yield from _located(dataset, field, half, bad_rows)


def _measure(records: Records, seeds: Hashes, trusting: bool, threads: int | None) -> tuple[Hashes, Sequence[BadRow]]:
    """Return the records' checksums as a store has them, 0 for those that cannot be read, and why they cannot."""
    turned = codec.in_source_order(records)
    if turned.all():
        return _measure_decoded(records, seeds, threads)
    if turned.any():
        found, bad_rows = np.zeros(len(records), np.uint64), list[BadRow]()
        for rows in (np.flatnonzero(turned), np.flatnonzero(~turned)):
            found[rows], bad = _measure(codec.take(records, rows), seeds[rows], trusting, threads)
            bad_rows += bad
        return found, bad_rows
    if records.checksum is not None:
        failures = [] if trusting else codec.check(records, threads=threads)
        found = records.checksum.copy()
    else:
        found, failures = core().checksum(core_place(records.place), seeds, io="pread", threads=threads or 0)
    found[[index for index, _, _ in failures]] = 0
    return found, codec.bad_rows(records, failures)


def _measure_decoded(records: Records, seeds: Hashes, threads: int | None) -> tuple[Hashes, Sequence[BadRow]]:
    found, bad_rows = np.zeros(len(records), np.uint64), list[BadRow]()
    for start in range(0, len(records), DECODED_ROWS):
        chosen = np.arange(start, min(start + DECODED_ROWS, len(records)))
        arrays, good, bad = codec.decode_masked(codec.take(records, chosen), threads=threads, io="pread")
        # As a store keeps them: little-endian.
        images = [np.ascontiguousarray(each, each.dtype.newbyteorder("<")) for each in arrays]
        found[chosen] = np.where(good, core().checksum(images, seeds[chosen], threads=threads or 0)[0], 0)
        bad_rows += bad
    return found, bad_rows


def _field_hashes(name: str, records: Records, measured: Hashes, threads: int | None) -> Hashes:
    """Return one hash per record of its checksum and, where its bytes do not say it, of its shape and dtype; 0 where it has none."""
    pairs = np.zeros((len(records), 2), np.uint64)
    pairs[:, 0] = measured
    pairs[:, 1] = np.array([_format_hash(each) for each in records.formats], np.uint64)[records.format]
    seed = np.full(len(records), hash_bytes(f"field\0{name}".encode()), np.uint64)
    length = np.where(measured == 0, NULL, pairs.shape[1] * 8)
    return checksums(Slices(pairs.reshape(-1).view(np.uint8), np.arange(len(records)) * 16, length), seed, threads=threads)


def _format_hash(known: Format) -> int:
    """Return what tells arrays of the same bytes apart; encoded images say themselves what they are."""
    if known.codec not in ARRAY_CODECS or known.dtype is None:
        return 0
    return hash_bytes(f"{known.shape} {np.dtype(known.dtype).name}".encode())
