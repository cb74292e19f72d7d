"""The matrix of bad input, second half: images that are odd but good, keys, labels, manifests, destinations and interruption.

Each test bears the number of its row. What one file or folder can be bad in is in test_bad_input.py.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore import codec, disk, manifest
from pixstore.errors import (
    CorruptRecordError,
    CorruptStoreError,
    DestinationExistsError,
    DuplicateKeyError,
    IncompatibleStoreError,
    JobMismatchError,
    KeyInvalidError,
    LabelMismatchError,
    PathNotFoundError,
    PixstoreError,
    StoreBusyError,
)
from pixstore.lock import WriterLock

ENGINES = ("packed", "files", "lmdb", "hdf5")
ODD_KEYS = [
    "../../x", "/etc/passwd", "C:\\x", "..", ".", ".hidden", "a/b/c.png", "con", "NUL.png", "a\0b", "a\nb", "a\x1b[2Jb", "A.png", "a.png",
    "é", "e\u0301", "K", "\u212a", "x" * 300, "鹿" * 200, " ", "a ", "a.", "~1", "%41", "🦌", "<script>", "a:b", "a*?", "-rf",
]  # fmt: skip


def encoded(form: str = "PNG", *, seed: int = 0, mode: str = "RGB", **options: Any) -> bytes:
    made = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(made, form, **options)
    return made.getvalue()


def folder_of(path: Path, count: int) -> Path:
    """Return a folder of this many images, all different."""
    path.mkdir(parents=True)
    for number in range(count):
        (path / f"{number:05}.png").write_bytes(encoded(seed=number))
    return path


PROGRAM = [sys.executable, "-c", "import sys; from pixstore.cli.main import main; sys.exit(main())"]


def program(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the program as users do."""
    command = [*options.pop("before", []), *PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, text=True, timeout=60, **options)


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    last = done.stderr.rstrip("\n").rpartition("\n")[2]
    assert all(word in last for word in words), last


def without_root_rights() -> list[str]:
    """Return what to put before a command so that permissions hold for it, whoever runs the tests."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may do everything, and setpriv is not here to take that away")
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


# Images that are odd but good.


def chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def with_long_text() -> bytes:
    data = encoded()
    return data[:33] + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000))) + data[33:]


def deep() -> bytes:
    made = io.BytesIO()
    Image.fromarray(np.full((4, 5), 40_000, np.uint16)).save(made, "PNG")
    return made.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded("JPEG", exif=exif)


@pytest.mark.parametrize(
    ("row", "name", "data", "shape", "dtype"),
    [
        (6, "tail.jpg", encoded("JPEG") + bytes(1 << 20), (40, 50, 3), "uint8"),
        (7, "other.png", encoded("JPEG"), (40, 50, 3), "uint8"),
        (13, "text.png", with_long_text(), (40, 50, 3), "uint8"),
        (15, "print.jpg", encoded("JPEG", mode="CMYK"), (40, 50, 4), "uint8"),
        (16, "deep.png", deep(), (4, 5), "uint16"),
        (20, "turned.jpg", turned(), (40, 50, 3), "uint8"),
    ],
    ids=lambda value: str(value) if isinstance(value, int | str) else "",
)
def test_rows_6_7_13_15_16_20_odd_images_are_kept_byte_for_byte(
    row: int, name: str, data: bytes, shape: tuple[int, ...], dtype: str, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(data)
    report = pixstore.convert(tmp_path / "in", tmp_path / "out")
    assert report.samples == 1 and not report.bad_rows
    with pixstore.open(tmp_path / "out") as dataset:
        assert bytes(dataset.encoded(name)) == data
        assert dataset[name].image.shape == shape and dataset[name].image.dtype == dtype
    if row == 16:
        assert dataset[name].image.max() == 40_000


@pytest.mark.parametrize(
    ("name", "data", "word"), [("tail.jpg", encoded("JPEG") + bytes(99), "after the end"), ("other.png", encoded("JPEG"), "named")]
)
def test_rows_6_7_odd_images_are_counted(name: str, data: bytes, word: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(data)
    notes = pixstore.convert(tmp_path / "in", tmp_path / "out").notes
    assert any(word in note and name in note for note in notes)


def test_row_14_a_flipped_bit_is_found_in_our_store(tmp_path: Path) -> None:
    pixstore.convert(folder_of(tmp_path / "in", 3), tmp_path / "out")
    pixels = next((tmp_path / "out" / "shards").glob("*.bin"))
    content = bytearray(pixels.read_bytes())
    place = bytes(content).find(encoded(seed=1)) + 500
    content[place] ^= 1
    pixels.write_bytes(content)
    with pixstore.open(tmp_path / "out") as dataset:
        with pytest.raises(CorruptRecordError, match=rf"'00001\.png' .*{pixels.name}"):
            dataset[1]
        assert dataset[0].key == "00000.png" and dataset[2].key == "00002.png"
    refused(program("get", tmp_path / "out", "00001.png", "-o", tmp_path / "copy.png"), "00001.png", pixels.name)
    assert not (tmp_path / "copy.png").exists()


# Files that cannot be read, that vanish or change.


def test_row_23_an_unreadable_file_is_counted_before_the_work_begins(tmp_path: Path) -> None:
    (folder_of(tmp_path / "in", 2) / "00001.png").chmod(0)
    done = program("convert", tmp_path / "in", tmp_path / "out", "--json", "-", before=without_root_rights())
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["samples"] == 1 and [each["path"] for each in report["skipped"]] == ["00001.png"]
    assert "permission denied" in report["skipped"][0]["reason"]


@pytest.mark.parametrize(("row", "word"), [(24, "missing|vanished|gone|No such"), (25, "changed|bytes now")])
def test_rows_24_25_a_file_that_vanishes_or_changes_meanwhile_is_counted(row: int, word: str, tmp_path: Path) -> None:
    last = folder_of(tmp_path / "in", 60) / "00059.png"

    def change(done: int, total: int, count: int) -> None:
        if total and last.exists() and last.stat().st_size < 10_000:
            if row == 24:
                last.unlink()
            else:
                last.write_bytes(encoded(seed=99) + bytes(10_000))

    size = len(encoded())
    report = pixstore.convert(tmp_path / "in", tmp_path / "out", shard_bytes=4 * size, threads=1, memory=6 * size, progress=change)
    assert report.samples == 59 and [bad.key for bad in report.bad_rows] == ["00059.png"]
    assert re.search(word, report.bad_rows[0].reason)


# Keys.


def test_row_26_an_empty_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyInvalidError, match="empty"), pixstore.Writer(tmp_path / "out") as writer:
        writer.add(encoded(), key="")


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_27_to_32_odd_keys_come_back_exactly_and_stay_inside_the_store(engine: str, tmp_path: Path) -> None:
    keys = [*ODD_KEYS, "k" * 600, "/".join(["d" * 100] * 40)]
    with pixstore.Writer(tmp_path / "deep" / "deeper" / "out", engine=engine) as writer:
        for number, key in enumerate(keys):
            writer.add(encoded(seed=number), key=key)
    with pixstore.open(tmp_path / "deep" / "deeper" / "out") as dataset:
        assert dataset.keys.to_pylist() == keys
        assert all(bytes(dataset.encoded(key)) == encoded(seed=number) for number, key in enumerate(keys))
    assert [path.name for path in tmp_path.iterdir()] == ["deep"] and os.listdir(tmp_path / "deep") == ["deeper"]
    assert os.listdir(tmp_path / "deep" / "deeper") == ["out"]
    listed = program("ls", tmp_path / "deep" / "deeper" / "out")
    assert listed.returncode == 0 and "\x1b" not in listed.stdout


def test_row_30_a_name_that_is_no_text_is_a_key_that_is(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with open(os.path.join(os.fsencode(tmp_path / "in"), b"caf\xe9.png"), "wb") as file:
        file.write(encoded())
    pixstore.convert(tmp_path / "in", tmp_path / "out")
    with pixstore.open(tmp_path / "out") as dataset:
        assert dataset.keys.to_pylist() == ["caf%E9.png"]
    with pytest.raises(KeyInvalidError), pixstore.Writer(tmp_path / "second") as writer:
        writer.add(encoded(), key="lone \ud800 surrogate")


@pytest.mark.parametrize("engine", ENGINES)
def test_row_33_the_same_key_twice_is_refused(engine: str, tmp_path: Path) -> None:
    with pytest.raises(DuplicateKeyError, match="'a'"), pixstore.Writer(tmp_path / "out", engine=engine) as writer:
        for key in ("a", "b", "a"):
            writer.add(encoded(), key=key)


# Labels.


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("00000.png,1\n", "images without a row: 2 ('00001.png', '00002.png')"),
        ("00000.png,1\n00001.png,2\n00002.png,3\nx.png,4\n", "rows without an image: 1 ('x.png')"),
        ("00000.png,1\n00001.png,2\n00001.png,2\n00002.png,3\n", "more than one row: 1 ('00001.png')"),
        ("00000.png,1\n00001.png,nan\n00002.png,3\n", "no integers, such as 'nan': 1 ('00001.png')"),
        ("00000.png,1\n00001.png,2.5\n00002.png,3\n", "no integers, such as '2.5'"),
        ("00000.png,1\n00001.png,cat\n00002.png,3\n", "no integers, such as 'cat'"),
        ("00000.png,1\n00001.png,\n00002.png,3\n", "no integers, such as ''"),
        ("", "is empty"),
        ('00000.png,"1\n', "not a readable CSV"),
    ],
)
def test_row_35_labels_that_do_not_fit_are_named(content: str, words: str, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(content)
    with pytest.raises(LabelMismatchError) as caught:
        pixstore.open(folder_of(tmp_path / "in", 3), label_from=str(labels))
    assert words in str(caught.value) and str(labels) in str(caught.value)


def test_row_35_labels_that_do_not_fit_stop_a_conversion_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("00000.png,1\n")
    done = program("convert", folder_of(tmp_path / "in", 3), tmp_path / "out", "--label-from", tmp_path / "labels.csv")
    refused(done, "labels.csv: does not match the 3 images one to one", "'00001.png'")
    assert not (tmp_path / "out").exists()


def test_row_35_byte_order_marks_and_line_ends_of_others_are_no_matter(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_bytes("\ufefffile;label\r\n00001.png;2\r\n00000.png;1\r\n".encode())
    with pixstore.open(folder_of(tmp_path / "in", 2), label_from=str(labels)) as dataset:
        assert dataset.table["label"].to_pylist() == [1, 2]


# LMDB that somebody else holds, and file systems.


def values(environment: lmdb.Environment, number: int) -> None:
    state = b"\x80\x03ctutorial\nImage\n)\x81}(X\x08\0\0\0channelsK\x03X\x04\0\0\0sizeK K \x86X\x05\0\0\0imageB"
    with environment.begin(write=True) as transaction:
        pixels = bytes([number]) * 3072
        transaction.put(
            b"%08d" % number, state + len(pixels).to_bytes(4, "little") + pixels + b"X\x05\0\0\0labelK" + bytes([number]) + b"ub."
        )


def test_row_42_a_mistyped_path_creates_nothing(tmp_path: Path) -> None:
    (tmp_path / "images_lmdb").mkdir()
    with pytest.raises(PathNotFoundError, match=r"does not exist; did you mean .*images_lmdb"):
        pixstore.open(tmp_path / "imges_lmdb")
    refused(program("info", tmp_path / "imges_lmdb"), "does not exist", "images_lmdb")
    assert os.listdir(tmp_path) == ["images_lmdb"]


def test_row_43_an_lmdb_that_is_being_written_is_read_as_last_committed_or_refused(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path / "env"), map_size=1 << 24) as environment:
        values(environment, 1)
        with environment.begin(write=True) as unfinished:
            unfinished.put(b"00000002", b"half")
            dataset = pixstore.open(tmp_path / "env")
            assert dataset.keys.to_pylist() == ["00000001"] and dataset[0].image.max() == 1
            unfinished.abort()
        values(environment, 3)
    with pytest.raises(StoreBusyError, match=r"data\.mdb: was changed after it was opened"):
        dataset[0]
    assert os.path.exists(tmp_path / "env" / "lock.mdb")
    assert pixstore.open(tmp_path / "env").keys.to_pylist() == ["00000001", "00000003"]


def test_row_76_lmdb_on_a_network_file_system_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The table is a list of names; with the name of this file system in it, this one is such.
    monkeypatch.setattr(disk, "NETWORK", {disk.file_system(tmp_path)})
    with lmdb.open(str(tmp_path / "env"), map_size=1 << 24) as environment:
        values(environment, 1)
    with pytest.warns(UserWarning, match=r"data\.mdb: lies on a network file system"):
        assert pixstore.open(tmp_path / "env").keys.to_pylist() == ["00000001"]
    with pytest.warns(UserWarning, match="lies on a network file system"), pixstore.Writer(tmp_path / "out", engine="lmdb") as writer:
        writer.add(encoded(), key="a")


# Manifests.


def edited(store: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Write the manifest again, changed, with a digest that matches: as somebody who means harm would."""
    value = json.loads((store / "manifest.json").read_bytes())
    value.pop("digest")
    change(value)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))[:-1].encode()
    (store / "manifest.json").write_bytes(text + f',"digest":"{codec.hash_bytes(text):016x}"}}\n'.encode())


def set_in_shard(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest["shards"][0].__setitem__(name, value)


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        (lambda manifest: manifest.update(pixstore=99), IncompatibleStoreError, "format 99"),
        (lambda manifest: manifest.update(next_key=-1), CorruptStoreError, "-1"),
        (lambda manifest: manifest.update(version="one"), CorruptStoreError, "one"),
        (lambda manifest: manifest.update(version=1 << 70), CorruptStoreError, "1180591620717411303424"),
        (lambda manifest: manifest.pop("shards"), CorruptStoreError, "shards"),
        (set_in_shard("rows", -5), CorruptStoreError, "-5"),
        (set_in_shard("deleted", [[0, 2], [1, 3]]), CorruptStoreError, "deleted"),
        (set_in_shard("deleted", [[2, 900]]), CorruptStoreError, "deleted"),
        (set_in_shard("id", "../../evil"), CorruptStoreError, "../../evil"),
        (set_in_shard("borrows", ["/etc/passwd"]), CorruptStoreError, "/etc/passwd"),
        (set_in_shard("rows", 1 << 50), CorruptStoreError, "rows"),
    ],
    ids=[f"change{number}" for number in range(11)],
)
def test_row_70_a_manifest_that_cannot_be_is_refused(
    change: Callable[[dict[str, Any]], None], error: type[PixstoreError], word: str, tmp_path: Path
) -> None:
    pixstore.convert(folder_of(tmp_path / "in", 3), tmp_path / "out")
    edited(tmp_path / "out", change)
    with pytest.raises(error) as caught:
        pixstore.open(tmp_path / "out")[:]
    assert word in str(caught.value) and str(tmp_path / "out") in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda data: data.replace(b'"rows":3', b'"rows":4', 1), lambda data: data + b"x",
     lambda data: b'{"pixstore":' + b"[" * 100_000, lambda data: b'{"pixstore":1}', lambda data: b'{"pixstore":"' + b"x" * 1000],
    ids=["half", "changed", "longer", "nested", "bare", "text"],
)  # fmt: skip
def test_row_70_a_damaged_manifest_is_refused_in_one_line(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    pixstore.convert(folder_of(tmp_path / "in", 3), tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CorruptStoreError, match=r"manifest\.json"):
        pixstore.open(tmp_path / "out")


def test_row_70_a_manifest_of_2_gb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    pixstore.convert(folder_of(tmp_path / "in", 1), tmp_path / "out")
    with open(tmp_path / "out" / "manifest.json", "r+b") as file:
        file.truncate(2 << 30)
    with pytest.raises(CorruptStoreError, match="2,147,483,648 bytes is no manifest"):
        pixstore.open(tmp_path / "out")


# Destinations.


def test_row_71_a_destination_that_is_taken_stays_as_it_is(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 2)
    pixstore.convert(source, tmp_path / "store")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    before = (tmp_path / "store" / "manifest.json").read_bytes()
    for taken in (tmp_path / "store", tmp_path / "file", tmp_path / "full", source / "inside", source):
        with pytest.raises(DestinationExistsError) as caught:
            pixstore.convert(source, taken)
        assert str(taken) in str(caught.value)
    refused(program("convert", source, tmp_path / "full"), str(tmp_path / "full"))
    assert (tmp_path / "store" / "manifest.json").read_bytes() == before and (tmp_path / "file").read_text() == "mine"
    assert os.listdir(tmp_path / "full") == ["notes.txt"] and len(os.listdir(source)) == 2


class StopHere(Exception):
    """Raised in the middle of a conversion, as an interrupt would be."""


def half_done(source: Path, place: Path, **options: Any) -> None:
    """Leave an unfinished conversion of the source at the place."""

    def stop(done: int, total: int, count: int) -> None:
        if total and manifest.is_store(place) and manifest.load(place).rows:
            raise StopHere
        # What is finished is committed now and then, not at once.
        time.sleep(0.1)

    with pytest.raises(StopHere):
        pixstore.convert(source, place, shard_bytes=20_000, threads=1, memory=60_000, durability="process", progress=stop, **options)


def test_row_72_going_on_with_other_options_or_another_source_is_refused(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 60)
    half_done(source, tmp_path / "out")
    asked = {"shard_bytes": 20_000, "threads": 1, "memory": 60_000, "durability": "process"}
    with pytest.raises(JobMismatchError, match=r"codec.*keep.*raw"):
        pixstore.convert(source, tmp_path / "out", codec="raw", **asked)
    (source / "more.png").write_bytes(encoded(seed=100))
    with pytest.raises(JobMismatchError):
        pixstore.convert(source, tmp_path / "out", **asked)
    (source / "more.png").unlink()
    assert pixstore.convert(source, tmp_path / "out", **asked).samples == 60


def test_row_73_a_disk_that_is_full_is_said_so_and_leaves_no_half_store(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 40)
    # A limit on the size of files stands for a full disk; tests/faults fills real ones.
    done = program("convert", source, tmp_path / "out", before=["prlimit", "--fsize=50000"])
    refused(done, str(tmp_path / "out"))
    assert program("convert", source, tmp_path / "out").returncode == 0
    assert len(pixstore.open(tmp_path / "out")) == 40


def test_row_74_a_store_that_cannot_be_written_is_read_all_the_same(tmp_path: Path) -> None:
    pixstore.convert(folder_of(tmp_path / "in", 2), tmp_path / "parent" / "out")
    (tmp_path / "parent" / "out" / ".lock").unlink(missing_ok=True)
    folders = [tmp_path / "parent", *(path for path in (tmp_path / "parent").rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        listed = program("ls", tmp_path / "parent" / "out", before=without_root_rights())
        assert listed.returncode == 0 and "00001.png" in listed.stdout
        removed = program("rm", tmp_path / "parent" / "out", "00001.png", before=without_root_rights())
        refused(removed, "cannot be written", str(tmp_path / "parent" / "out"))
        refused(program("convert", tmp_path / "in", tmp_path / "parent" / "more", before=without_root_rights()), "cannot be written")
    finally:
        for path in folders:
            path.chmod(0o755)


def test_row_75_a_second_converter_is_told_who_has_the_store(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 60)
    half_done(source, tmp_path / "out")
    lock = WriterLock(tmp_path / "out")
    try:
        done = program("convert", source, tmp_path / "out", "--shard-size", "20000", "--durability", "process")
        refused(done, f"pid {os.getpid()} on", "since")
    finally:
        lock.release()


# Surroundings and interruption.


def test_row_77_locale_time_zone_umask_and_odd_places_are_no_matter(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in put\n🦌" / "é", 3)
    place = tmp_path / "out put\n🦌 'x'"
    surroundings = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "Pacific/Kiritimati"}
    done = program("convert", source, place, env=surroundings, umask=0o077, cwd="/")
    assert done.returncode == 0, done.stderr
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in [place, *place.rglob("*")])
    assert program("ls", place.name, env=surroundings, cwd=tmp_path).returncode == 0


def test_row_77_a_dataset_opened_by_a_relative_path_outlives_a_change_of_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixstore.convert(folder_of(tmp_path / "in", 2), tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    store, source = pixstore.open("out"), pixstore.open("in")
    monkeypatch.chdir("/")
    assert store[1].image.shape == source[1].image.shape == (40, 50, 3)


def test_row_77_a_clock_that_goes_back_is_no_matter(tmp_path: Path) -> None:
    pixstore.convert(folder_of(tmp_path / "in", 2), tmp_path / "out")
    edited(tmp_path / "out", lambda manifest: manifest.update(created="2199-01-01T00:00:00+00:00"))
    for path in tmp_path.rglob("*"):
        os.utime(path, (7e9, 7e9))
    with pixstore.Writer(tmp_path / "out", mode="a") as writer:
        writer.add(encoded(seed=7), key="new")
    assert pixstore.open(tmp_path / "out").keys.to_pylist() == ["00000.png", "00001.png", "new"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [([signal.SIGINT], 130), ([signal.SIGINT, signal.SIGINT], 130), ([signal.SIGTERM], 143), ([signal.SIGHUP], 143)],
    ids=["once", "twice", "terminated", "hung-up"],
)
def test_row_78_an_interrupted_conversion_stops_cleanly_and_goes_on(sent: list[signal.Signals], status: int, tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 30)
    for number in range(30, 1500):
        os.link(source / f"{number % 30:05}.png", source / f"{number:05}.png")
    command = ["convert", str(source), str(tmp_path / "out"), "--shard-size", "60000", "--threads", "1"]
    # Whatever the tests were started from may ignore these signals, and its children would too.
    listens = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
    running = subprocess.Popen([*PROGRAM[:2], listens + PROGRAM[2], *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "out" / "manifest.json").exists():
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        for each in sent:
            running.send_signal(each)
            time.sleep(0.05)
        error = running.communicate(timeout=30)[1]
    finally:
        running.kill()
        running.wait()
    assert running.returncode == status, error
    assert "Traceback" not in error and len(error.splitlines()[-1]) < 200
    done = program(*command, "--json", "-")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["samples"] == 1500


def test_row_78_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    pixstore.convert(folder_of(tmp_path / "in", 2), tmp_path / "out")
    command = f"{shlex.join(PROGRAM)} ls {tmp_path / 'out'} | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 0 and done.stderr == ""
