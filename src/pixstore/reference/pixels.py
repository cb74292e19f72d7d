"""Records to pixels as they are stored, whatever their codec."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

from pixstore.headers import (
    JPEG,
    LZ4,
    OTHER,
    PNG,
    QOI,
    RAW,
    RAW_BGR,
    RAW_PLANAR,
    RAW_PLANAR_BGR,
    WEBP,
    ZSTD,
    Header,
    Record,
    RecordFailedError,
)
from pixstore.reference.buffers import Buffer, Bytes, as_bytes, slots_of
from pixstore.reference.looking import read_header
from pixstore.reference.lz4 import decode_lz4
from pixstore.reference.pillow import load_by_pillow
from pixstore.reference.places import MAX_BYTES, BufferRecord, Failure, Io, Place, count_of, each_record, read_checked
from pixstore.reference.png import decode_png
from pixstore.reference.qoi import decode_qoi
from pixstore.reference.structure import examine
from pixstore.reference.webp import decode_webp
from pixstore.reference.zstandard import decode_zstd

IMAGES = {PNG: "PNG", JPEG: "JPEG", WEBP: "WebP", QOI: "QOI"}
MAX_PIXELS = 178_956_970
Check: TypeAlias = Literal["none", "header", "structure"]


def probe(
    place: Place, *, check: Check = "header", max_pixels: int = MAX_PIXELS, io: Io = "map", threads: int = 0
) -> tuple[Bytes, NDArray[np.int32], Bytes, Bytes, list[Failure]]:
    """Return codec number, (height, width, channels), bytes per sample and orientation of each image; failed ones as 255, zeros and 1."""
    codecs = np.full(count_of(place), OTHER, np.uint8)
    shapes = np.zeros((count_of(place), 3), np.int32)
    sample_bytes = np.zeros(count_of(place), np.uint8)
    orientations = np.ones(count_of(place), np.uint8)

    if check not in get_args(Check):
        raise ValueError(f"check {check!r} is none of {', '.join(get_args(Check))}")

    def work(index: int, record: Record) -> None:
        header, _ = look(record, check, max_pixels)
        codecs[index] = header.codec
        shapes[index] = header.height, header.width, header.channels
        sample_bytes[index] = header.sample_bytes
        orientations[index] = header.orientation

    return codecs, shapes, sample_bytes, orientations, each_record(place, work)


def look(record: Record, check: Check, max_pixels: int) -> tuple[Header, int]:
    """Return a record's header, and how many bytes follow the end of the image where that is looked for."""
    if check == "structure":
        return examine(record, max_pixels)
    return (read_header(record, max_pixels) if check == "header" else Header(OTHER)), 0


def decode(
    place: Place,
    codecs: Bytes,
    shapes: NDArray[np.int32],
    out: Buffer | list[Buffer],
    *,
    checksums: NDArray[np.uint64] | None = None,
    seeds: NDArray[np.uint64] | None = None,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    io: Io = "map",
    threads: int = 0,
) -> list[Failure]:
    """Read, check and decode n records into their slots; zero the slots of those that failed."""
    count = count_of(place)
    slots = slots_of(out, count)
    if len(codecs) not in (1, count) or len(shapes) not in (1, count):
        raise ValueError(f"{len(codecs)} codecs and {len(shapes)} shapes for {count} records: one row, or one for each, is needed")

    def work(index: int, record: Record) -> None:
        data = read_checked(record, index, checksums, seeds, max_bytes)
        codec = int(codecs[index if len(codecs) > 1 else 0])
        height, width, channels = shapes[index if len(shapes) > 1 else 0].tolist()
        slots[index][:] = decode_record(data, codec, (height, width, channels), slots[index].size, max_pixels)

    failures = each_record(place, work)
    for index, _, _ in failures:
        slots[index][:] = 0
    return failures


def decode_record(data: bytes, codec: int, shape: tuple[int, int, int], slot_bytes: int, max_pixels: int) -> Bytes:
    """Return the pixels as bytes, as many as the slot has. Raises RecordFailedError."""
    if codec in (RAW, RAW_PLANAR, RAW_BGR, RAW_PLANAR_BGR):
        return _decode_raw(data, codec, shape, slot_bytes)
    if codec == ZSTD:
        return np.frombuffer(decode_zstd(data, slot_bytes), np.uint8)
    if codec == LZ4:
        return np.frombuffer(decode_lz4(data, slot_bytes), np.uint8)
    if codec not in IMAGES:
        raise RecordFailedError("unsupported", f"codec number {codec}")
    record = BufferRecord(as_bytes(data))
    header = read_header(record, max_pixels)
    if header.codec != codec:
        raise RecordFailedError("corrupt", f"not a {IMAGES[codec]} image")
    if codec == WEBP and (header.channels, shape[2]) == (3, 4):
        header = replace(header, channels=4)
    found = (header.height, header.width, header.channels)
    if found != shape or slot_bytes != header.sample_bytes * int(np.prod(found, dtype=np.int64)):
        raise RecordFailedError("mismatch", f"the image is {found} of {8 * header.sample_bytes} bits, not {shape} in {slot_bytes} bytes")
    return np.ascontiguousarray(_decode_image(data, record, header)).reshape(-1).view(np.uint8)


def _decode_image(data: bytes, record: Record, header: Header) -> NDArray[Any]:
    if header.codec == PNG:
        return decode_png(record, header)
    if header.codec == WEBP:
        return decode_webp(data, header.channels)
    if header.codec == QOI:
        return np.frombuffer(decode_qoi(data, header), np.uint8)
    return load_by_pillow(JpegImageFile, data)


def _decode_raw(data: bytes, codec: int, shape: tuple[int, int, int], slot_bytes: int) -> Bytes:
    if len(data) != slot_bytes:
        raise RecordFailedError("mismatch", f"the record has {len(data)} bytes, {slot_bytes} are expected")
    pixels = np.frombuffer(data, np.uint8)
    if codec == RAW or not slot_bytes:
        return pixels
    height, width, channels = shape
    if codec == RAW_BGR:
        image = pixels.reshape(height, width, channels, -1)
    else:
        image = np.moveaxis(pixels.reshape(channels, height, width, -1), 0, 2)
    if codec != RAW_PLANAR and channels in (3, 4):
        image = image[:, :, [2, 1, 0, 3][:channels]]
    return image.reshape(-1)
