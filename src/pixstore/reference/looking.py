"""What a record is, told by its first bytes, and what its header says."""

from __future__ import annotations

from pixstore import headers
from pixstore.headers import Header, Record
from pixstore.reference.qoi import MAGIC, qoi_header
from pixstore.reference.webp import FILE_HEADER, is_webp, webp_header


def read_header(record: Record, max_pixels: int) -> Header:
    """Return what the header says; codec OTHER where the bytes are none of PNG, JPEG, WebP and QOI. Raises RecordFailedError."""
    head = record.read(0, FILE_HEADER)
    if is_webp(head):
        return webp_header(record, max_pixels)
    if head.startswith(MAGIC):
        return qoi_header(record, max_pixels)
    return headers.read_header(record, max_pixels)
