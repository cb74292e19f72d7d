"""Where records lie, and their stored bytes: extents in files, slices of one buffer, buffers."""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from pixstore.headers import Record, RecordFailedError
from pixstore.reference.buffers import Buffer, Bytes, as_bytes
from pixstore.reference.hashes import hash_bytes

Paths: TypeAlias = Sequence[str] | tuple[bytes, Buffer, NDArray[np.int64]]
Place: TypeAlias = (
    tuple[Paths, NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]
    | tuple[Buffer, NDArray[np.int64], NDArray[np.int64]]
    | list[Buffer]
)
Failure: TypeAlias = tuple[int, str, str]
Io: TypeAlias = Literal["map", "pread"]

MAX_BYTES = 1 << 31
OPEN_FILES = 8


def path_count(paths: Paths) -> int:
    """Return how many paths these are."""
    return max(len(paths[2]) - 1, 0) if is_joined(paths) else len(paths)


def path_of(paths: Paths, number: int) -> str:
    """Return one path; of those laid end to end it is the prefix and data[offsets[number] : offsets[number + 1]]."""
    if not is_joined(paths):
        return cast("Sequence[str]", paths)[number]
    prefix, data, offsets = paths
    start, stop = int(offsets[number]), int(offsets[number + 1])
    if not 0 <= start <= stop <= as_bytes(data).size:
        raise ValueError(f"the offsets of path {number} lead out of the buffer")
    return os.fsdecode(prefix + as_bytes(data)[start:stop].tobytes())


def is_joined(paths: Paths) -> TypeGuard[tuple[bytes, Buffer, NDArray[np.int64]]]:
    """Return whether these paths lie end to end in one buffer."""
    return isinstance(paths, tuple) and len(paths) == 3 and isinstance(paths[0], bytes)


class BufferRecord:
    def __init__(self, view: Bytes) -> None:
        self.view = view
        self.size = len(view)

    def read(self, start: int, count: int) -> bytes:
        return self.view[start : start + count].tobytes()


class FileRecord:
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
        return BufferRecord(as_bytes(place[index]))
    if len(place) == 4:
        paths, file, offsets, lengths = place
        offset, length = int(offsets[index]), int(lengths[index])
        if offset < 0:
            raise RecordFailedError("missing", "no record is stored")
        descriptor, size = files.get(path_of(paths, int(file[index])))
        length = size - offset if length < 0 else length
        if offset + length > size or length < 0:
            raise RecordFailedError("truncated", f"needs bytes {offset} to {offset + length}, the file has {size}")
        return FileRecord(descriptor, offset, length)
    data, offsets, lengths = place
    offset, length = int(offsets[index]), int(lengths[index])
    if length < 0:
        raise RecordFailedError("missing", "no record is stored")
    whole = as_bytes(data)
    if offset < 0 or offset + length > len(whole):
        raise RecordFailedError("truncated", f"needs bytes {offset} to {offset + length}, the buffer has {len(whole)}")
    return BufferRecord(whole[offset : offset + length])


def count_of(place: Place) -> int:
    """Return how many records the place holds."""
    return len(place) if isinstance(place, list) else len(place[-1])


def each_record(place: Place, work: Callable[[int, Record], None]) -> list[Failure]:
    """Do the work for every record; return what failed."""
    failures: list[Failure] = []
    with _Files() as files:
        for index in range(count_of(place)):
            try:
                work(index, _open_record(place, index, files))
            except RecordFailedError as error:
                failures.append((index, error.kind, error.detail))
            except OSError as error:
                failures.append((index, "read", str(error)))
    return failures


def checksum(place: Place, seeds: NDArray[np.uint64], *, io: Io = "map", threads: int = 0) -> tuple[NDArray[np.uint64], list[Failure]]:
    """Return xxh3_64 of each record, seeded; 0 where it failed."""
    found = np.zeros(count_of(place), np.uint64)

    def work(index: int, record: Record) -> None:
        found[index] = hash_bytes(record.read(0, record.size), int(seeds[index]))

    return found, each_record(place, work)


def check(place: Place, *, checksums: NDArray[np.uint64], seeds: NDArray[np.uint64], io: Io = "pread", threads: int = 0) -> list[Failure]:
    """Compare each record, whatever its size, with its checksum; return what failed."""

    def work(index: int, record: Record) -> None:
        read_checked(record, index, checksums, seeds, record.size)

    return each_record(place, work)


def read_checked(
    record: Record, index: int, checksums: NDArray[np.uint64] | None, seeds: NDArray[np.uint64] | None, max_bytes: int
) -> bytes:
    """Return a record's bytes within the limit, checked where checksums are given. Raises RecordFailedError."""
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
    records = [b""] * count_of(place)

    def work(index: int, record: Record) -> None:
        records[index] = read_checked(record, index, checksums, seeds, max_bytes)

    return records, each_record(place, work)
