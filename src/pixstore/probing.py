"""What records hold, from the headers of their images alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore import formats
from pixstore.core import core
from pixstore.errors import BadRow
from pixstore.headers import JPEG, OTHER, PNG, QOI, WEBP, RecordFailedError
from pixstore.records import Failure, Io, bad_rows, core_place, good_mask, record_error, take
from pixstore.rows import Buffer, Records
from pixstore.schema import Format

Codes: TypeAlias = NDArray[np.uint8]
Check: TypeAlias = Literal["header", "structure"]

NAMES = {PNG: "png", JPEG: "jpeg", QOI: "qoi", WEBP: "webp"}
PLACES = np.zeros(OTHER + 1, np.uint64)
PLACES[[*NAMES]] = np.arange(1, len(NAMES) + 1)
"""A number below 8 for each codec number that probing finds."""
FETCHED_AT_ONCE = 64


def probe(records: Records, *, on_error: Literal["raise", "keep"] = "raise", check: Check = "header") -> Records:
    """Return the records with every format known: codec, shape and dtype from the images' headers.

    Grey images have the shape (H, W), others (H, W, C). With "keep", a record that is not an image keeps its unknown format;
    with "raise", one RecordError names all of them. check="structure" looks at all parts of what the core knows: every chunk, every marker.
    """
    probed, failures = probe_all(records, check=check)
    if failures and on_error == "raise":
        raise record_error(records, failures)
    return probed


def probe_masked(records: Records, *, check: Check = "header") -> tuple[Records, NDArray[np.bool_], list[BadRow]]:
    """Return the records with their formats, which of them are images, and why the others are not."""
    probed, failures = probe_all(records, check=check)
    return probed, good_mask(len(records), failures), bad_rows(records, failures)


def probe_all(records: Records, *, check: Check = "header") -> tuple[Records, list[Failure]]:
    """Return the records with the formats that were found, and what failed. Records of a known format are not looked at."""
    if all(each.is_known for each in records.formats):
        return records, []
    unknown = np.array([not each.is_known for each in records.formats], np.bool_)
    rows = np.flatnonzero(unknown[records.format])
    if not len(rows):
        return records, []
    found, number, failures = _found_formats(take(records, rows), check)
    format_of = records.format.copy()
    good = good_mask(len(rows), failures)
    format_of[rows[good]] = number[good] + len(records.formats)
    failures = [(int(rows[index]), kind, reason) for index, kind, reason in failures]
    return replace(records, formats=[*records.formats, *found], format=format_of), failures


def _found_formats(records: Records, check: Check) -> tuple[list[Format], NDArray[np.int32], list[Failure]]:
    """Return the formats found, the number of each record's format among them, and what failed."""
    *headers, _, failures = core().probe(core_place(records.place), check=check)
    return formats_of(records, headers, failures)


def formats_of(
    records: Records, headers: Sequence[NDArray[Any]], failures: Sequence[Failure]
) -> tuple[list[Format], NDArray[np.int32], list[Failure]]:
    """Return the formats that headers (codecs, shapes, bytes per sample) say, which of them each record has, and what failed so far or now.

    What the core does not know is looked at by Pillow.
    """
    codecs, shapes, sample_bytes = headers
    all_failures = list(failures)
    first, inverse = _distinct(codecs, shapes, sample_bytes)
    found = [_format(int(codecs[index]), shapes[index].tolist(), int(sample_bytes[index])) for index in first.tolist()]
    number: NDArray[np.int32] = inverse.astype(np.int32)
    failed = {index for index, _, _ in failures}
    others = [index for index in np.flatnonzero(codecs == OTHER).tolist() if index not in failed]
    for start in range(0, len(others), FETCHED_AT_ONCE):
        _probe_others(records, others[start : start + FETCHED_AT_ONCE], found, number, all_failures)
    return found, number, sorted(all_failures)


def orientations(records: Records, *, threads: int | None = None, io: Io = "map") -> Codes:
    """Return the EXIF orientation (1 to 8) of each record's pixels; 1 where none is stated, or where the record cannot be read.

    Only headers are read where the core knows the format, and whole AVIF records; other formats have none, or are decoded upright (TIFF).
    """
    found = np.ones(len(records), np.uint8)
    in_header = _rows_of(records, NAMES.values())
    if len(in_header):
        place = core_place(records.place if len(in_header) == len(records) else take(records, in_header).place)
        found[in_header] = core().probe(place, threads=threads or 0, io=io)[3]
    others = _rows_of(records, formats.HAVE_ORIENTATION)
    for start in range(0, len(others), FETCHED_AT_ONCE):
        taken = take(records, others[start : start + FETCHED_AT_ONCE])
        stored, _ = core().fetch(core_place(taken.place), threads=threads or 0, io=io)
        for row, data, number in zip(others[start:].tolist(), stored, taken.format.tolist(), strict=False):
            found[row] = formats.orientation(data, records.formats[number].codec or "")
    return found


def _rows_of(records: Records, codecs: Collection[str]) -> NDArray[np.int64]:
    used = np.unique(records.format).tolist()
    wanted = [number for number in used if records.formats[number].codec in codecs]
    if len(wanted) == len(used):
        return np.arange(len(records))
    return np.flatnonzero(np.isin(records.format, wanted)) if wanted else np.zeros(0, np.int64)


def _distinct(codecs: Codes, shapes: NDArray[np.int32], sample_bytes: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first record of each distinct format, and which of these each record has."""
    # Height and width are below 2**28, as their product is below the limit of pixels: one number holds everything.
    size = (shapes[:, 0].astype(np.uint64) << 28) | shapes[:, 1].astype(np.uint64)
    rest = (PLACES[codecs] << 5) | (shapes[:, 2].astype(np.uint64) << 2) | sample_bytes
    _, first, inverse = np.unique((size << 8) | rest, return_index=True, return_inverse=True)
    return first, inverse


def _format(codec: int, shape: list[int], sample_bytes: int) -> Format:
    if codec not in NAMES:
        return Format(None, None, None)
    return Format(NAMES[codec], tuple(shape if shape[2] > 1 else shape[:2]), "uint16" if sample_bytes == 2 else "uint8")


def _probe_others(records: Records, rows: list[int], found: list[Format], number: NDArray[np.int32], failures: list[Failure]) -> None:
    taken = take(records, np.array(rows, np.int64))
    stored, not_read = core().fetch(core_place(taken.place))
    failures.extend((rows[index], kind, reason) for index, kind, reason in not_read)
    unread = {index for index, _, _ in not_read}
    for index, (row, data) in enumerate(zip(rows, stored, strict=True)):
        if index in unread:
            continue
        try:
            described = formats.describe(data)
        except RecordFailedError as error:
            failures.append((row, error.kind, error.detail))
            continue
        if described not in found:
            found.append(described)
        number[row] = found.index(described)


def describe_encoded(buffers: Sequence[Buffer]) -> list[Format]:
    """Return codec, shape and dtype of each encoded image. Raises one RecordError that names every one that is none."""
    unknown = Records([*buffers], [Format(None, None, None)], np.zeros(len(buffers), np.int32), _name_of_buffer)
    probed = probe(unknown)
    return [probed.formats[number] for number in probed.format.tolist()]


def _name_of_buffer(index: int) -> tuple[int, str, str]:
    return index, f"image {index}", ""
