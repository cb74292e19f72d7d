"""Readers of shards: few open at once, none shared with a child."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pixstore.engine import ShardReader
from pixstore.readers import MOST_OPEN, Readers
from pixstore.rows import Buffer


class FileReader(ShardReader):
    """Reads bytes of one file, whose descriptor it keeps."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY)

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        return [os.pread(self.descriptor, 1, row) for row in rows]

    def close(self) -> None:
        os.close(self.descriptor)


def files(folder: Path, count: int) -> list[Path]:
    paths = [folder / str(number) for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number, 255 - number]))
    return paths


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_any_number_of_shards_is_read_with_few_files(tmp_path: Path) -> None:
    paths = files(tmp_path, 3 * MOST_OPEN)
    before = descriptors()
    readers = Readers(lambda number: FileReader(paths[number]))
    for number in [*range(len(paths)), *reversed(range(len(paths)))]:
        assert readers.read(number, "image", [1, 0]) == [bytes([255 - number]), bytes([number])]
        assert descriptors() <= before + MOST_OPEN
    readers.close()
    assert descriptors() == before


def test_the_readers_used_last_stay_open(tmp_path: Path) -> None:
    paths = files(tmp_path, MOST_OPEN + 1)
    opened: list[int] = []

    def opening(number: int) -> FileReader:
        opened.append(number)
        return FileReader(paths[number])

    readers = Readers(opening)
    for number in [*range(MOST_OPEN), 0, MOST_OPEN, 0, 1]:
        readers.read(number, "image", [0])
    assert opened == [*range(MOST_OPEN), MOST_OPEN, 1]
    readers.close()


def test_a_child_opens_its_own_and_leaves_those_of_its_parent_alone(tmp_path: Path) -> None:
    paths = files(tmp_path, 2)
    opened: list[int] = []

    def opening(number: int) -> FileReader:
        opened.append(os.getpid())
        return FileReader(paths[number])

    readers = Readers(opening)
    readers.read(0, "image", [0])
    child = os.fork()
    if child == 0:
        is_own = readers.read(0, "image", [0]) == [b"\0"] and opened == [os.getppid(), os.getpid()]
        readers.close()
        os._exit(0 if is_own else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert readers.read(0, "image", [1]) == [b"\xff"]
    assert opened == [os.getpid()]
    readers.close()
