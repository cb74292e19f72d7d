"""Records of a batch as they will be stored: read from the source, looked at, encoded anew where that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixstore import codec
from pixstore.dataset import Dataset
from pixstore.engine import FieldRecords
from pixstore.errors import BadRow, RecordError
from pixstore.incoming import ABSENT, Encoding
from pixstore.incoming import to_records as encode_images
from pixstore.jobs.cut import cut
from pixstore.jobs.job import Check, Files
from pixstore.loader.pool import BufferPool
from pixstore.rows import WHOLE_FILE, Extents, Indices, Records, Slices, arrow_rows

UNTOLD_PIXELS = 1 << 20
"""Taken as the decoded bytes of a record whose header says nothing: it will be refused when it is decoded."""

BUFFERS = BufferPool(64 << 20)
"""Memory of batches that were written: reading into it again costs no page faults."""


@dataclass(frozen=True)
class Found:
    """Where one field's records of a batch lie: those that `present` has the places of, of `count` rows.

    `lost` has the places of those that cannot even be found, `bad_rows` says why.
    """

    records: Records | None
    present: Indices
    count: int
    files: Files | None = None
    lost: Indices = field(default_factory=lambda: np.zeros(0, np.int64))
    bad_rows: tuple[BadRow, ...] = ()

    def part(self, start: int, stop: int) -> Found:
        """Return the records of rows start to stop of the batch; what cannot be found is told with the first."""
        first, last = np.searchsorted(self.present, [start, stop]).tolist()
        files = None if self.files is None else (self.files[0][first:last], self.files[1][first:last])
        records = None if self.records is None else codec.take(self.records, np.arange(first, last))
        lost = self.lost[(self.lost >= start) & (self.lost < stop)] - start
        return Found(records, self.present[first:last] - start, stop - start, files, lost, () if start else self.bad_rows)


@dataclass(frozen=True)
class Read:
    """One field's records of a batch, a bad or absent one with a length of -1; which rows are good; the bytes that were stored.

    `trailing` is the number of bytes after each image's end, None where it was not looked for.
    """

    records: FieldRecords
    good: NDArray[np.bool_]
    bad_rows: list[BadRow]
    stored: int
    trailing: NDArray[np.int64] | None = None

    def taken(self, kept: Indices) -> FieldRecords:
        """Return the records of these rows, with those formats alone that one of them has."""
        slices = self.records.slices
        used, index = np.unique(self.records.format[kept], return_inverse=True)
        formats = [self.records.formats[number] for number in used.tolist()]
        return FieldRecords(Slices(slices.data, slices.offset[kept], slices.length[kept]), formats, index.astype(np.int32))


def find(dataset: Dataset, name: str, rows: Indices, files: Files | None) -> Found:
    """Return where these rows' records lie, or their bytes where only the format's own library finds them."""
    present = np.delete(np.arange(len(rows)), dataset.absent(name, rows))
    lost: list[int] = []
    bad: list[BadRow] = []
    records: Records | None = None
    while len(present) and records is None:
        try:
            records = dataset.located(name, rows[present])
        except RecordError as error:
            keys = {each.key for each in error.bad_rows}
            is_bad = np.array([key in keys for key in dataset.keys.take(arrow_rows(rows[present])).to_pylist()])
            if not is_bad.any():
                raise
            lost += present[is_bad].tolist()
            bad += error.bad_rows
            present = present[~is_bad]
    if files is not None:
        files = (files[0][present], files[1][present])
    return Found(records, present, len(rows), files, np.array(lost, np.int64), tuple(bad))


def pieces(found: Mapping[str, Found], encoding: Encoding, most_bytes: int) -> list[tuple[int, int]]:
    """Return ranges of the batch's rows that hold at most so many bytes of pixels each, one row at least; all where none is decoded."""
    count = next(iter(found.values())).count
    decoded = np.zeros(count, np.int64)
    for each in found.values():
        if each.records is not None and must_decode(each.records, encoding):
            probed = codec.probe(each.records, on_error="keep")
            sizes = np.array([form.decoded_bytes if form.is_known else UNTOLD_PIXELS for form in probed.formats], np.int64)
            decoded[each.present] += sizes[probed.format]
    return list(cut(decoded, 0, count, most_bytes)) if decoded.any() else [(0, count)]


def must_decode(records: Records, encoding: Encoding) -> bool:
    """Return whether these records become pixels on their way."""
    return encoding.codec != "keep" or bool(codec.in_source_order(records).any())


def read(found: Found, encoding: Encoding, check: Check) -> Read:
    """Return one field's records as they will be stored. What cannot be read, or fails the check, is listed."""
    records = found.records
    if records is None or not len(records):
        return _spread(found, FieldRecords(Slices(b"", *_nowhere(0)), [ABSENT], np.zeros(0, np.int32)), np.ones(0, bool), [], 0)
    if encoding.codec == "keep" and len(set((turned := codec.in_source_order(records)).tolist())) == 2:
        return _read_apart(found, records, turned, encoding, check)
    if must_decode(records, encoding):
        return _encoded(found, records, encoding)
    return _kept(found, records, encoding, check)


def _read_apart(found: Found, records: Records, turned: NDArray[np.bool_], encoding: Encoding, check: Check) -> Read:
    """Read those records that a store has in another order, and those that stay as they are, each in their way."""
    both = []
    for places in (np.flatnonzero(turned), np.flatnonzero(~turned)):
        files = None if found.files is None else (found.files[0][places], found.files[1][places])
        both.append(read(replace(found, records=codec.take(records, places), present=found.present[places], files=files), encoding, check))
    first, second = both
    slices, others = first.records.slices, second.records.slices
    is_second = np.zeros(found.count, bool)
    is_second[found.present[~turned]] = True
    merged = FieldRecords(
        Slices(
            np.concatenate([np.frombuffer(each.data, np.uint8) for each in (slices, others)]),
            np.where(is_second, others.offset + len(slices.data), slices.offset),
            np.where(is_second, others.length, slices.length),
        ),
        [*first.records.formats, *second.records.formats],
        np.where(is_second, second.records.format + len(first.records.formats), first.records.format).astype(np.int32),
    )
    # What was lost is told by both.
    bad = [*first.bad_rows, *second.bad_rows[len(found.bad_rows) :]]
    return Read(merged, first.good & second.good, bad, first.stored + second.stored)


def _kept(found: Found, records: Records, encoding: Encoding, check: Check) -> Read:
    """Read and look at records in one pass, without a Python object for each."""
    size = _bytes_of(records, found.files)
    out = None if size is None else BUFFERS.array((size,), np.dtype(np.uint8))
    ingested = codec.ingest(
        records, check="header" if check == "none" else "structure", stamps=found.files, out=out, threads=encoding.threads
    )
    good, bad = ingested.good, ingested.bad_rows
    # Where there is no checksum, decoding is the only proof that an image is the one that was meant.
    if check == "decode" and records.checksum is None:
        is_whole, not_whole = _decodes(ingested.records, good, encoding)
        good, bad = good & is_whole, [*bad, *not_whole]
    held = ingested.records
    stored = FieldRecords(ingested.slices, held.formats, held.format)
    whole = _spread(found, stored, good, bad, int(ingested.slices.length[good].sum()))
    return replace(whole, trailing=ingested.trailing) if len(found.present) == found.count else whole


def _bytes_of(records: Records, files: Files | None) -> int | None:
    """Return how many bytes these records have, None where only a look at each file would say."""
    place = records.place
    if isinstance(place, list):
        return sum(len(each) for each in place)
    if files is not None:
        return int(np.maximum(files[0], 0).sum())
    return None if bool((place.length == WHOLE_FILE).any()) else int(place.length.sum())


def _encoded(found: Found, records: Records, encoding: Encoding) -> Read:
    """Decode records and encode them as asked."""
    count = len(records)
    good, bad, places = np.ones(count, bool), [], np.arange(count)
    if found.files is not None:
        # Read first: a file that is another now must not be taken for the one that was planned.
        ingested = codec.ingest(records, check="header", stamps=found.files, threads=encoding.threads)
        good, bad, places = ingested.good, ingested.bad_rows, np.flatnonzero(ingested.good)
        records = codec.take(ingested.records, places)
    images, decodes, failed = codec.decode_masked(records, threads=encoding.threads, io="pread")
    good[places[~decodes]] = False
    kept = np.flatnonzero(decodes)
    offset, length = _nowhere(count)
    if not len(kept):
        nothing = FieldRecords(Slices(b"", offset, length), [ABSENT], np.zeros(count, np.int32))
        return _spread(found, nothing, good, [*bad, *failed], 0)
    made = encode_images(_chosen(images, kept), encoding)
    offset[places[kept]], length[places[kept]] = made.slices.offset, made.slices.length
    form = np.zeros(count, np.int32)
    form[places[kept]] = made.format
    stored = FieldRecords(Slices(made.slices.data, offset, length), made.formats, form)
    return _spread(found, stored, good, [*bad, *failed], _stored(codec.take(records, kept), images))


def _chosen(images: NDArray[Any] | list[Any], kept: Indices) -> NDArray[Any] | list[Any]:
    if len(kept) == len(images):
        return images
    return images[kept] if isinstance(images, np.ndarray) else [images[place] for place in kept.tolist()]


def _decodes(records: Records, good: NDArray[np.bool_], encoding: Encoding) -> tuple[NDArray[np.bool_], list[BadRow]]:
    """Return which of the good records decode, and why the others do not; their pixels are in memory a part at a time."""
    whole, bad = np.ones(len(good), bool), []
    kept = np.flatnonzero(good)
    sizes = np.array([each.decoded_bytes if each.is_known else 0 for each in records.formats], np.int64)[records.format[kept]]
    for start, stop in cut(sizes, 0, len(kept), DECODED_BYTES):
        part = codec.take(records, kept[start:stop])
        _, whole[kept[start:stop]], failed = codec.decode_masked(part, threads=encoding.threads)
        bad += failed
    return whole, bad


DECODED_BYTES = 32 << 20
"""Of pixels that are decoded as a check alone."""


def _spread(found: Found, records: FieldRecords, good: NDArray[np.bool_], bad: list[BadRow], stored: int) -> Read:
    """Return the records over all rows of the batch; a row that never had one is good and has none."""
    if len(found.present) == found.count:
        return Read(records, good, bad, stored)
    offset, length = _nowhere(found.count)
    offset[found.present], length[found.present] = records.slices.offset, records.slices.length
    form = np.full(found.count, len(records.formats), np.int32)
    form[found.present] = records.format
    is_good = np.ones(found.count, bool)
    is_good[found.present] = good
    is_good[found.lost] = False
    spread = replace(records, slices=Slices(records.slices.data, offset, length), formats=[*records.formats, ABSENT], format=form)
    return Read(spread, is_good, [*found.bad_rows, *bad], stored)


def _nowhere(count: int) -> tuple[Indices, Indices]:
    return np.zeros(count, np.int64), np.full(count, -1, np.int64)


def _stored(records: Records, images: NDArray[Any] | list[Any]) -> int:
    """Return the bytes of these records as they lie in the source; their pixels' where only a look at each file would say."""
    place = records.place
    if isinstance(place, list):
        return sum(len(each) for each in place)
    if isinstance(place, Extents) and bool((place.length == WHOLE_FILE).any()):
        return images.nbytes if isinstance(images, np.ndarray) else sum(each.nbytes for each in images)
    return int(place.length.sum())
