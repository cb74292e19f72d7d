"""Processes: few descriptors, little address space, forks, files that change under a reader. Each test is a program of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore.core import core_name

MAPPED = pytest.mark.skipif(core_name() == "reference", reason="the reference maps no files")
ENGINES = ["packed", "files", "lmdb", "hdf5", "parquet", "sqlite", "zarr", "leveldb"]
SHARDS = 70
ROWS = 4
BEGIN = """
    import os, resource, signal, sys
    import numpy as np
    import pixstore
    from pixstore import codec
    path = sys.argv[1]

    def lines(name):
        with open(f"/proc/self/{name}") as file:
            return file.read().splitlines()

    def virtual_bytes():
        return next(int(line.split()[1]) for line in lines("status") if line.startswith("VmSize")) << 10

    def mapped_pixels():
        return [line for line in lines("maps") if line.endswith(".bin")]

    def expected(rows):
        return (np.asarray(rows, np.int64)[:, None, None, None] * 7 % 251 + np.zeros((1, 6, 5, 3), np.int64)).astype(np.uint8)
"""


def expected(rows: np.ndarray) -> np.ndarray:
    """Return images of which each pixel tells the row."""
    return (rows[:, None, None, None] * 7 % 251 + np.zeros((1, 6, 5, 3), np.int64)).astype(np.uint8)


def run(program: str, *arguments: object, seconds: int = 60) -> subprocess.CompletedProcess[str]:
    """Run a program in a fresh process; a hang is a failure."""
    text = textwrap.dedent(BEGIN) + textwrap.dedent(program)
    command = [sys.executable, "-W", "error", "-c", text, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


def succeeds(program: str, *arguments: object) -> str:
    done = run(program, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a store of many shards for each engine."""
    folder = tmp_path_factory.mktemp("many")
    rows = np.arange(SHARDS * ROWS)
    for engine in ENGINES:
        with pixstore.Writer(folder / engine, engine=engine, durability="process", shard_bytes=ROWS * 90) as writer:
            writer.add_batch(expected(rows), key=[f"key-{row}" for row in rows], label=rows)
    return {engine: folder / engine for engine in ENGINES}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a packed store of 192 MB in three files."""
    path = tmp_path_factory.mktemp("large") / "s"
    with pixstore.Writer(path, durability="process", shard_bytes=64 << 20) as writer:
        for number in range(96):
            writer.add_batch(np.full((2, 1024, 1024), number, np.uint8))
    return path


@pytest.mark.parametrize("engine", ENGINES)
def test_a_store_of_many_shards_needs_few_descriptors(many: dict[str, Path], engine: str) -> None:
    succeeds(
        """
        resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))
        dataset = pixstore.open(path)
        rows = np.arange(len(dataset))
        from pathlib import Path
        from pixstore.manifest import load
        assert len(load(Path(path)).shards) > 48, "there are more shards than descriptors"
        assert np.array_equal(dataset[:]["image"], expected(rows))
        assert dataset[[f"key-{row}" for row in rows]]["label"].tolist() == rows.tolist()
        from pixstore.store import StoreRows
        by_library = StoreRows(Path(path)).read("image", rows)
        assert np.array_equal(codec.decode(by_library), expected(rows))
        loader = dataset.loader(32, shuffle=True, seed=1)
        seen = [(batch["label"], batch["image"].copy()) for batch in loader]
        assert sorted(np.concatenate([label for label, _ in seen]).tolist()) == rows.tolist()
        assert all(np.array_equal(image, expected(label)) for label, image in seen)
        for io in ("map", "pread"):
            assert np.array_equal(pixstore.open(path, io=io)[:]["image"], expected(rows))
        assert len(os.listdir("/proc/self/fd")) < 40
        """,
        many[engine],
    )


LITTLE_SPACE = """
    import mmap
    dataset = pixstore.open(path, threads=2)
    dataset[0]  # threads and libraries are there
    used = virtual_bytes()
    resource.setrlimit(resource.RLIMIT_AS, (used + (60 << 20), used + (60 << 20)))
    files = [os.path.join(path, "shards", name) for name in os.listdir(os.path.join(path, "shards")) if name.endswith(".bin")]
    try:
        kept = mmap.mmap(-1, 64 << 20)
    except OSError:
        kept = None
    assert kept is None, "a file can be mapped: the limit is not tight"
"""


def test_a_store_larger_than_the_address_space_is_read(large: Path) -> None:
    succeeds(
        LITTLE_SPACE
        + """
    for start in (0, 64, 128, 40):
        batch = dataset[np.arange(start, start + 16)]["image"]
        assert np.array_equal(batch[:, 0, 0], np.arange(start, start + 16) // 2), batch[:, 0, 0]
        assert (batch == batch[:, :1, :1]).all()
    scattered = np.arange(0, 192, 17)
    assert np.array_equal(dataset[scattered]["image"][:, 5, 7], scattered // 2)
    from pixstore.records import check
    located = dataset.located("image", np.arange(192))
    assert check(located) == check(located, io="map") == []
    """,
        large,
    )


@MAPPED
def test_maps_leave_half_of_the_free_address_space_to_others(large: Path) -> None:
    told = succeeds(
        """
        pixstore.open(path, io="pread", threads=1)[0]  # threads and libraries are there, nothing is mapped
        dataset = pixstore.open(path, threads=1)
        room = 200 << 20
        resource.setrlimit(resource.RLIMIT_AS, (virtual_bytes() + room, virtual_bytes() + room))
        for row in (0, 64, 128):
            assert dataset[row].image[0, 0] == row // 2
            ranges = [line.split()[0].split("-") for line in mapped_pixels()]
            total = sum(int(stop, 16) - int(start, 16) for start, stop in ranges)
            assert total <= room // 2, total
        print(total)
        """,
        large,
    )
    assert int(told) > 0, "one file is mapped"


@pytest.mark.parametrize("engine", ENGINES)
def test_children_of_a_fork_read_what_their_parent_reads(many: dict[str, Path], engine: str) -> None:
    """The parent has threads, maps and engine readers of its own when it forks, and goes on reading meanwhile."""
    succeeds(
        """
        from pathlib import Path
        from pixstore.store import StoreRows
        dataset = pixstore.open(path)
        rows = np.arange(len(dataset))
        library = StoreRows(Path(path))
        loader = dataset.loader(50, shuffle=True, seed=3)
        epoch = iter(loader)
        next(epoch)

        def is_right():
            picked = np.random.default_rng(os.getpid()).permutation(rows)
            read = codec.decode(library.read("image", picked[:40]))
            return np.array_equal(dataset[picked]["image"], expected(picked)) and np.array_equal(read, expected(picked[:40]))

        assert is_right()
        children = []
        for _ in range(4):
            child = os.fork()
            if child == 0:
                signal.alarm(40)
                try:
                    own = sum(len(batch["label"]) for batch in dataset.loader(50, seed=3))
                    os._exit(0 if is_right() and own == len(rows) else 1)
                except BaseException as error:
                    print(repr(error), file=sys.stderr, flush=True)
                    os._exit(2)
            children.append(child)
        assert is_right()
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert codes == [0] * 4, codes
        assert is_right() and sum(len(batch["label"]) for batch in epoch) == len(rows) - 50
        """,
        many[engine],
    )


@MAPPED
def test_two_datasets_of_one_store_share_its_files(large: Path) -> None:
    succeeds(
        """
        one, other = pixstore.open(path), pixstore.open(os.path.join(path, "..", "s"))
        for dataset in (one, other, one):
            dataset[np.arange(0, 192, 3)]
        mapped = [line.split()[-1] for line in mapped_pixels()]
        assert len(mapped) == len(set(mapped)) > 1, mapped
        opened = [os.readlink(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{each}")]
        assert not [each for each in opened if "/shards/" in each], opened
        """,
        large,
    )


def test_shared_memory_is_not_used(many: dict[str, Path]) -> None:
    succeeds(
        """
        def shared():
            links = [f"/proc/self/fd/{each}" for each in os.listdir("/proc/self/fd")]
            opened = [os.readlink(each) for each in links if os.path.exists(each)]
            return [each for each in [*lines("maps"), *opened] if "/dev/shm" in each]

        dataset = pixstore.open(path)
        for batch in dataset.loader(64, shuffle=True, seed=0):
            assert shared() == []
        assert np.array_equal(dataset[:]["image"], expected(np.arange(len(dataset))))
        assert shared() == []
        """,
        many["packed"],
    )


# ---- files that change under a reader ----

PIXELS = """
    (file,) = [os.path.join(path, "shards", name) for name in os.listdir(os.path.join(path, "shards")) if name.endswith(".bin")]
    dataset = pixstore.open(path, io=sys.argv[2], threads=1)
    rows = np.arange(40)
    assert np.array_equal(dataset[rows]["image"][:, 0, 0, 0], rows)

    def outcome():
        try:
            return "right" if np.array_equal(dataset[rows]["image"][:, 0, 0, 0], rows) else "WRONG"
        except pixstore.PixstoreError as error:
            return type(error).__name__
"""


@pytest.fixture
def one_file(tmp_path: Path) -> Path:
    """Return a packed store of 4.7 MB in one file, which is mapped."""
    path = tmp_path / "s"
    with pixstore.Writer(path, durability="process") as writer:
        writer.add_batch(np.arange(40, dtype=np.uint8)[:, None, None, None] + np.zeros((1, 200, 200, 3), np.uint8))
    return path


@pytest.mark.parametrize("io", ["map", "pread"])
def test_a_file_that_shrank_between_two_reads_is_an_error(one_file: Path, io: str) -> None:
    succeeds(PIXELS + '    os.truncate(file, 1_000_000)\n    assert outcome() == "CorruptRecordError", outcome()\n', one_file, io)


@pytest.mark.parametrize("io", ["map", "pread"])
def test_a_file_that_was_replaced_or_removed_is_noticed(one_file: Path, io: str) -> None:
    program = """
    other = file + ".new"
    with open(file, "rb") as before, open(other, "wb") as after:
        after.write(before.read()[:-1_000_000])
    os.replace(other, file)
    assert outcome() == "CorruptRecordError", outcome()
    os.remove(file)
    assert outcome() == "MissingRecordError", outcome()
    """
    succeeds(PIXELS + program, one_file, io)


SHRINKING = """
    import threading
    whole = open(file, "rb").read()

    def disturb():
        for _ in range(300):
            os.truncate(file, 4096)
            with open(file, "r+b") as again:
                again.write(whole)

    disturber = threading.Thread(target=disturb)
    disturber.start()
    seen = set()
    while disturber.is_alive():
        seen.add(outcome())
    disturber.join()
    assert "WRONG" not in seen
"""


def test_a_file_that_shrinks_while_it_is_read_is_an_error_with_pread(one_file: Path) -> None:
    succeeds(PIXELS + SHRINKING, one_file, "pread")


def test_a_file_that_shrinks_while_it_is_mapped_ends_the_process_at_worst(one_file: Path) -> None:
    """What docs/reliability.md says: cut off in place during a read, a mapped file is SIGBUS; never wrong pixels."""
    done = run(PIXELS + SHRINKING, one_file, "map")
    assert done.returncode in (0, -7), done.stderr
