"""The native core's functions in NumPy and Pillow: the oracle of the tests, and what runs where the core cannot be built.

`native/python/pixstore_native.pyi` says what each function returns; `io` and `threads` have no effect. Pillow is given only the parts of a
file that make pixels, after the header has passed the limits; 16-bit PNGs, of which Pillow drops half the bits, are decoded here.
"""

from __future__ import annotations

import io as streams
import itertools
import os
import stat
import struct
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import PIL
import xxhash
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from pixstore.headers import (
    JPEG,
    OTHER,
    PNG,
    PNG_SAMPLES,
    PNG_SIGNATURE,
    RAW,
    RAW_PLANAR,
    Header,
    Record,
    RecordFailedError,
    png_chunk,
    png_chunks,
    png_ihdr,
    read_header,
)

Buffer: TypeAlias = bytes | bytearray | memoryview | NDArray[Any]
Place: TypeAlias = (
    tuple[Sequence[str], NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]
    | tuple[Buffer, NDArray[np.int64], NDArray[np.int64]]
    | list[Buffer]
)
Failure: TypeAlias = tuple[int, str, str]
Io: TypeAlias = Literal["map", "pread"]
Bytes: TypeAlias = NDArray[np.uint8]

MAX_PIXELS = 178_956_970
MAX_BYTES = 1 << 31
PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
OPEN_FILES = 32


def info() -> dict[str, Any]:
    """Return the same entries as the native core's info()."""
    libraries = {"numpy": np.__version__, "pillow": PIL.__version__, "xxhash": xxhash.VERSION, "zlib": zlib.ZLIB_RUNTIME_VERSION}
    return {"version": "reference", "profile": "release", "simd": "none", "libraries": libraries}


def release(folder: str) -> None:
    """Let go of nothing: no file is kept open from one call to the next."""


def usable_cpus() -> int:
    """Return how many CPUs this process may use: affinity mask and cgroup quota, at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return allowed
    return allowed if quota == "max" else max(1, min(allowed, int(quota) // int(period)))


# ---- checksums ----


def hash_bytes(data: Buffer, seed: int = 0) -> int:
    """Return xxh3_64 of the bytes."""
    return xxhash.xxh3_64_intdigest(_as_bytes(data).data, seed)


def hash_strings(prefix: bytes, data: Buffer, offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return xxh3_64(prefix + data[offsets[i]:offsets[i + 1]]) for each string."""
    text = bytes(data)
    ends = offsets.tolist()
    if ends and not (ends[0] >= 0 and ends[-1] <= len(text) and bool(np.all(np.diff(offsets) >= 0))):
        raise ValueError("offsets must ascend within the data")
    hashes = [xxhash.xxh3_64_intdigest(prefix + text[start:stop]) for start, stop in itertools.pairwise(ends)]
    return np.array(hashes, np.uint64)


def hash_tiles(data: Buffer, tile_bytes: int, *, threads: int = 0) -> NDArray[np.uint64]:
    """Return xxh3_64 of each tile of `tile_bytes` bytes, the last one shorter; none for empty data."""
    if tile_bytes < 1:
        raise ValueError(f"tile_bytes must be at least 1, not {tile_bytes}")
    view = _as_bytes(data)
    return np.array([hash_bytes(view[start : start + tile_bytes]) for start in range(0, len(view), tile_bytes)], np.uint64)


def addresses(buffers: Sequence[Buffer]) -> NDArray[np.uint64]:
    """Return the memory address of the first byte of each buffer."""
    return np.array([np.frombuffer(each, np.uint8).ctypes.data for each in buffers], np.uint64)


# ---- places: where the bytes are ----


class _BufferRecord:
    def __init__(self, view: Bytes) -> None:
        self.view = view
        self.size = len(view)

    def read(self, start: int, count: int) -> bytes:
        return self.view[start : start + count].tobytes()


class _FileRecord:
    def __init__(self, descriptor: int, offset: int, size: int) -> None:
        self.descriptor = descriptor
        self.offset = offset
        self.size = size

    def read(self, start: int, count: int) -> bytes:
        """Return the bytes asked for, fewer at the record's end. Raises OSError."""
        parts: list[bytes] = []
        position, wanted = self.offset + start, min(count, self.size - start)
        while wanted > 0:
            part = os.pread(self.descriptor, wanted, position)
            if not part:
                raise RecordFailedError("truncated", f"the file ends at byte {position}, the record {wanted} bytes later")
            parts.append(part)
            position, wanted = position + len(part), wanted - len(part)
        return b"".join(parts)


class _Files:
    """Open files by path, the most recently used ones only."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            self._close_oldest()

    def _close_oldest(self) -> None:
        os.close(self._open.popitem(last=False)[1][0])

    def get(self, path: str) -> tuple[int, int]:
        """Return descriptor and size of a regular file."""
        if path not in self._open:
            self._open[path] = self._open_regular(path)
        self._open.move_to_end(path)
        if len(self._open) > OPEN_FILES:
            self._close_oldest()
        return self._open[path]

    @staticmethod
    def _open_regular(path: str) -> tuple[int, int]:
        try:
            # O_NONBLOCK: opening a FIFO must not wait for its writer.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise RecordFailedError("missing", "no such file") from error
        except (OSError, ValueError) as error:
            raise RecordFailedError("read", str(error)) from error
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            os.close(descriptor)
            raise RecordFailedError("read", "not a regular file")
        return descriptor, state.st_size


def _open_record(place: Place, index: int, files: _Files) -> Record:
    if isinstance(place, list):
        return _BufferRecord(_as_bytes(place[index]))
    if len(place) == 4:
        paths, file, offsets, lengths = place
        offset, length = int(offsets[index]), int(lengths[index])
        if offset < 0:
            raise RecordFailedError("missing", "no record is stored")
        descriptor, size = files.get(paths[int(file[index])])
        length = size - offset if length < 0 else length
        if offset + length > size or length < 0:
            raise RecordFailedError("truncated", f"needs bytes {offset} to {offset + length}, the file has {size}")
        return _FileRecord(descriptor, offset, length)
    data, offsets, lengths = place
    offset, length = int(offsets[index]), int(lengths[index])
    if length < 0:
        raise RecordFailedError("missing", "no record is stored")
    whole = _as_bytes(data)
    if offset < 0 or offset + length > len(whole):
        raise RecordFailedError("truncated", f"needs bytes {offset} to {offset + length}, the buffer has {len(whole)}")
    return _BufferRecord(whole[offset : offset + length])


def _count(place: Place) -> int:
    return len(place) if isinstance(place, list) else len(place[-1])


def _each(place: Place, work: Callable[[int, Record], None]) -> list[Failure]:
    """Do the work for every record; return what failed."""
    failures: list[Failure] = []
    with _Files() as files:
        for index in range(_count(place)):
            try:
                work(index, _open_record(place, index, files))
            except RecordFailedError as error:
                failures.append((index, error.kind, error.detail))
            except OSError as error:
                failures.append((index, "read", str(error)))
    return failures


def checksum(place: Place, seeds: NDArray[np.uint64], *, io: Io = "map", threads: int = 0) -> tuple[NDArray[np.uint64], list[Failure]]:
    """Return xxh3_64 of each record, seeded; 0 where it failed."""
    found = np.zeros(_count(place), np.uint64)

    def work(index: int, record: Record) -> None:
        found[index] = hash_bytes(record.read(0, record.size), int(seeds[index]))

    return found, _each(place, work)


def _read_checked(
    record: Record, index: int, checksums: NDArray[np.uint64] | None, seeds: NDArray[np.uint64] | None, max_bytes: int
) -> bytes:
    if record.size > max_bytes:
        raise RecordFailedError("limit", f"{record.size} bytes, the limit is {max_bytes}")
    data = record.read(0, record.size)
    if checksums is not None and hash_bytes(data, 0 if seeds is None else int(seeds[index])) != int(checksums[index]):
        raise RecordFailedError("checksum", f"the {len(data)} bytes are not those that were written (checksum differs)")
    return data


def fetch(
    place: Place,
    *,
    checksums: NDArray[np.uint64] | None = None,
    seeds: NDArray[np.uint64] | None = None,
    max_bytes: int = MAX_BYTES,
    io: Io = "map",
    threads: int = 0,
) -> tuple[list[bytes], list[Failure]]:
    """Return each record's bytes, checked where checksums are given; a failed record is b""."""
    records = [b""] * _count(place)

    def work(index: int, record: Record) -> None:
        records[index] = _read_checked(record, index, checksums, seeds, max_bytes)

    return records, _each(place, work)


# ---- headers ----


def probe(
    place: Place, *, max_pixels: int = MAX_PIXELS, io: Io = "map", threads: int = 0
) -> tuple[Bytes, NDArray[np.int32], Bytes, list[Failure]]:
    """Return codec number, (height, width, channels) and bytes per sample of each image; failed ones as 255 and zeros."""
    codecs = np.full(_count(place), OTHER, np.uint8)
    shapes = np.zeros((_count(place), 3), np.int32)
    sample_bytes = np.zeros(_count(place), np.uint8)

    def work(index: int, record: Record) -> None:
        header = read_header(record, max_pixels)
        codecs[index] = header.codec
        shapes[index] = header.height, header.width, header.channels
        sample_bytes[index] = header.sample_bytes

    return codecs, shapes, sample_bytes, _each(place, work)


# ---- decoding ----


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
    count = _count(place)
    slots = _slots(out, count)
    if len(codecs) not in (1, count) or len(shapes) not in (1, count):
        raise ValueError(f"{len(codecs)} codecs and {len(shapes)} shapes for {count} records: one row, or one for each, is needed")

    def work(index: int, record: Record) -> None:
        data = _read_checked(record, index, checksums, seeds, max_bytes)
        codec = int(codecs[index if len(codecs) > 1 else 0])
        height, width, channels = shapes[index if len(shapes) > 1 else 0].tolist()
        slots[index][:] = _decode_one(data, codec, (height, width, channels), slots[index].size, max_pixels)

    failures = _each(place, work)
    for index, _, _ in failures:
        slots[index][:] = 0
    return failures


def _slots(buffers: Buffer | list[Buffer], count: int) -> list[Bytes]:
    if isinstance(buffers, list):
        if len(buffers) != count:
            raise ValueError(f"{len(buffers)} buffers for {count} records")
        return [_as_bytes(each) for each in buffers]
    whole = _as_bytes(buffers)
    if whole.size % (count or 1):
        raise ValueError(f"a buffer of {whole.size} bytes does not divide into {count} equal slots")
    return list(whole.reshape(count, whole.size // count)) if count else []


def _as_bytes(buffer: Buffer) -> Bytes:
    return buffer.reshape(-1).view(np.uint8) if isinstance(buffer, np.ndarray) else np.frombuffer(buffer, np.uint8)


def _decode_one(data: bytes, codec: int, shape: tuple[int, int, int], slot_bytes: int, max_pixels: int) -> Bytes:
    """Return the pixels as bytes, as many as the slot has."""
    if codec in (RAW, RAW_PLANAR):
        return _decode_raw(data, codec, shape, slot_bytes)
    if codec not in (PNG, JPEG):
        raise RecordFailedError("unsupported", f"codec number {codec}")
    record = _BufferRecord(_as_bytes(data))
    header = read_header(record, max_pixels)
    if header.codec != codec:
        raise RecordFailedError("corrupt", f"not a {'PNG' if codec == PNG else 'JPEG'} image")
    found = (header.height, header.width, header.channels)
    if found != shape or slot_bytes != header.sample_bytes * int(np.prod(found, dtype=np.int64)):
        raise RecordFailedError("mismatch", f"the image is {found} of {8 * header.sample_bytes} bits, not {shape} in {slot_bytes} bytes")
    pixels = _decode_png(record, header) if codec == PNG else _load(JpegImageFile, data)
    return np.ascontiguousarray(pixels).reshape(-1).view(np.uint8)


def _decode_raw(data: bytes, codec: int, shape: tuple[int, int, int], slot_bytes: int) -> Bytes:
    if len(data) != slot_bytes:
        raise RecordFailedError("mismatch", f"the record has {len(data)} bytes, {slot_bytes} are expected")
    pixels = np.frombuffer(data, np.uint8)
    if codec == RAW or not slot_bytes:
        return pixels
    height, width, channels = shape
    return np.moveaxis(pixels.reshape(channels, height, width, -1), 0, 2).reshape(-1)


def _load(reader: Callable[[streams.BytesIO], Image.Image], data: bytes) -> NDArray[Any]:
    """Return the pixels that Pillow's reader of one format gives."""
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise RecordFailedError("unsupported", "not read while PIL.ImageFile.LOAD_TRUNCATED_IMAGES hides damage: set it to False")
    try:
        with reader(streams.BytesIO(data)) as image:
            if image.mode == "P":
                return np.asarray(image.convert("RGBA" if "transparency" in image.info else "RGB"))
            return np.asarray(image.convert("L") if image.mode == "1" else image)
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises errors of a dozen kinds on damaged bytes
        raise RecordFailedError("corrupt", f"does not decode: {error}") from error


def _decode_png(record: Record, header: Header) -> NDArray[Any]:
    chunks = [(name, png_chunk(record, name, start, length)) for name, start, length in png_chunks(record)]
    _, _, depth, colour, interlaced = png_ihdr(record)
    passes = _png_passes(header, bool(interlaced))
    row_bytes = [(len(range(x, header.width, dx)) * depth * PNG_SAMPLES[colour] + 7) // 8 for _, x, _, dx in passes]
    heights = [len(range(y, header.height, dy)) for y, _, dy, _ in passes]
    stream = _inflate(b"".join(data for name, data in chunks if name == b"IDAT"), [*zip(heights, row_bytes, strict=True)])
    if depth < 16:
        kept = [_png_pack(name, data) for name, data in chunks if name in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")]
        return _load(PngImageFile, b"".join([PNG_SIGNATURE, *kept]))
    pixels = np.empty((header.height, header.width, header.channels), np.uint16)
    for (y, x, dy, dx), filtered in zip(passes, stream, strict=True):
        part = pixels[y::dy, x::dx]
        part[:] = _unfilter(filtered[:, 0], filtered[:, 1:].reshape(len(part), part.shape[1], -1)).view(">u2")
    return pixels


def _png_passes(header: Header, interlaced: bool) -> list[tuple[int, int, int, int]]:
    """Return first row, first column, row step and column step of each pass that has pixels."""
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    return [each for each in passes if each[0] < header.height and each[1] < header.width]


def _inflate(packed: bytes, parts: list[tuple[int, int]]) -> list[Bytes]:
    """Return the filtered rows, each with its filter's number in front, of parts of so many rows of so many bytes."""
    sizes = [height * (1 + row_bytes) for height, row_bytes in parts]
    try:
        stream = zlib.decompressobj().decompress(packed, sum(sizes))
    except zlib.error as error:
        raise RecordFailedError("corrupt", f"does not decode: {error}") from error
    if len(stream) < sum(sizes):
        raise RecordFailedError("corrupt", f"truncated PNG: {len(stream)} of {sum(sizes)} bytes of pixels")
    flat = np.split(np.frombuffer(stream, np.uint8), np.cumsum(sizes)[:-1])
    return [rows.reshape(height, 1 + row_bytes) for rows, (height, row_bytes) in zip(flat, parts, strict=True)]


def _png_pack(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data), name) + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


def _unfilter(filters: Bytes, filtered: Bytes) -> Bytes:
    """Undo the PNG filters of an image of shape (height, width, bytes per pixel).

    A pixel depends on those to its left, above, and above left: pixels of one diagonal are independent of each other.
    """
    if filters.max() > 4:
        raise RecordFailedError("corrupt", f"PNG of unknown row filter {filters.max()}")
    height, width, step = filtered.shape
    done = np.zeros((height + 1, width + 1, step), np.int16)
    for diagonal in range(height + width - 1):
        y = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        x = diagonal - y
        predicted = np.choose(filters[y, None], _predictions(done[y + 1, x], done[y, x + 1], done[y, x]))
        done[y + 1, x + 1] = (filtered[y, x] + predicted) & 255
    return np.ascontiguousarray(done[1:, 1:].astype(np.uint8))


def _predictions(left: NDArray[np.int16], up: NDArray[np.int16], corner: NDArray[np.int16]) -> list[NDArray[np.int16]]:
    """Return what each of the five PNG filters (None, Sub, Up, Average, Paeth) predicts."""
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    paeth = np.where((to_left <= to_up) & (to_left <= to_corner), left, np.where(to_up <= to_corner, up, corner))
    return [np.zeros_like(left), left, up, (left + up) // 2, paeth]


# ---- encoding ----


def encode(
    images: Buffer | list[Buffer],
    shapes: NDArray[np.int32],
    bytes_per_sample: int,
    codec: int,
    *,
    level: int = 1,
    quality: int = 90,
    threads: int = 0,
) -> tuple[bytes, NDArray[np.int64], list[Failure]]:
    """Return the encoded records end to end, their lengths (-1 where failed), and failures."""
    image_bytes = int(np.prod(shapes[0], dtype=np.int64)) * bytes_per_sample if len(shapes) else 0
    count = len(images) if isinstance(images, list) else _as_bytes(images).size // (image_bytes or 1)
    pixels = _slots(images, count)
    records: list[bytes] = []
    lengths = np.full(count, -1, np.int64)
    failures: list[Failure] = []
    for index in range(count):
        shape = shapes[index if len(shapes) > 1 else 0].tolist()
        try:
            records.append(_encode_one(pixels[index], shape, bytes_per_sample, codec, level, quality))
            lengths[index] = len(records[-1])
        except RecordFailedError as error:
            failures.append((index, error.kind, error.detail))
    return b"".join(records), lengths, failures


def _encode_one(pixels: Bytes, shape: list[int], sample_bytes: int, codec: int, level: int, quality: int) -> bytes:
    height, width, channels = shape
    fits = channels in PNG_COLOURS and sample_bytes in (1, 2) if codec == PNG else channels in (1, 3) and sample_bytes == 1
    if codec not in (PNG, JPEG) or not fits:
        raise RecordFailedError("unsupported", f"codec number {codec} does not hold {channels} channels of {8 * sample_bytes} bits")
    if not height or not width or (codec == JPEG and max(height, width) > 65500):
        raise RecordFailedError("unsupported", f"images of {height} x {width} pixels cannot be encoded")
    if pixels.size != height * width * channels * sample_bytes:
        raise RecordFailedError("mismatch", f"{pixels.size} bytes are not an image of shape {tuple(shape)}")
    if codec == PNG:
        return _encode_png(pixels, height, width, channels, sample_bytes, level)
    target = streams.BytesIO()
    Image.fromarray(pixels.reshape((height, width) if channels == 1 else (height, width, channels))).save(target, "JPEG", quality=quality)
    return target.getvalue()


def _encode_png(pixels: Bytes, height: int, width: int, channels: int, sample_bytes: int, level: int) -> bytes:
    samples = pixels if sample_bytes == 1 else pixels.view(np.uint16).astype(">u2").view(np.uint8)
    step = channels * sample_bytes
    padded = np.zeros((height + 1, width + 1, step), np.int16)
    padded[1:, 1:] = samples.reshape(height, width, step)
    predictions = _predictions(padded[1:, :-1], padded[:-1, 1:], padded[:-1, :-1])
    candidates = np.stack([(padded[1:, 1:] - each).astype(np.uint8).reshape(height, -1) for each in predictions])
    # The usual choice: the filter whose row, taken as signed bytes, has the smallest sum of magnitudes.
    best = abs(candidates.view(np.int8).astype(np.int16)).sum(2, dtype=np.int64).argmin(0)
    rows = np.empty((height, 1 + width * step), np.uint8)
    rows[:, 0] = best
    rows[:, 1:] = candidates[best, np.arange(height)]
    header = struct.pack(">IIBBBBB", width, height, 8 * sample_bytes, PNG_COLOURS[channels], 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), min(level, 9))), (b"IEND", b"")]
    return PNG_SIGNATURE + b"".join(_png_pack(name, data) for name, data in parts)
