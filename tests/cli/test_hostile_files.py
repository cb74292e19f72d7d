"""Broken, hostile and non-image files: exit 2, one line with file and reason, nothing run, nothing written elsewhere.

All files of one kind go through one child process, which an audit hook watches; each test then looks at one file's outcome.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

MOST_SECONDS = 5.0
MOST_BYTES = 512_000_000
MOST_PIXELS = 178_956_970

WATCHED = Path(__file__).parents[1] / "watched.py"


@dataclass(frozen=True)
class Outcome:
    """What became of one file."""

    status: int
    error: str
    seconds: float
    seen: list[str]
    left: bool
    children: bool
    peak_bytes: int

    def check(self, path: Path, reason: str) -> None:
        assert self.status == 2, self.error
        assert self.error.count("\n") == 1 and "Traceback" not in self.error
        assert path.name in self.error
        assert reason in self.error
        assert self.seen == [] and not self.left and not self.children
        assert self.seconds < MOST_SECONDS and self.peak_bytes < MOST_BYTES


def outcomes_of(paths: list[Path], folder: Path) -> dict[Path, Outcome]:
    """Convert each file in one watched process (`watched.py`); return what became of each."""
    good, dest = folder / "good.png", folder / "dest"
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(good)
    dest.mkdir()
    cases = [{"name": os.fspath(path), "arguments": ["convert", os.fspath(path), f"{dest}/{number}"]} for number, path in enumerate(paths)]
    request = {"dest": os.fspath(dest), "warm": ["convert", str(good), f"{dest}/good", "--codec", "png"], "cases": cases}
    done = subprocess.run([sys.executable, WATCHED], input=json.dumps(request), stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    found: dict[Path, Outcome] = {}
    for line in done.stdout.splitlines():
        value: dict[str, Any] = json.loads(line)
        wanted = {name: value[name] for name in Outcome.__dataclass_fields__}
        found[Path(value["name"])] = Outcome(**wanted)
    return found


# Made up: every class of bad input, wherever the tests run.


def png(width: int, height: int, data: bytes, *, depth: int = 8, colour: int = 2) -> bytes:
    """Return a PNG with this header and this compressed data, whatever they say."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def encoded(form: str) -> bytes:
    made = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)).save(made, form)
    return made.getvalue()


class Runs:
    """Unpickled, this would make a folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("pwned",)


def cifar_that_runs() -> bytes:
    return pickle.dumps({b"data": Runs(), b"labels": [0], b"filenames": [b"a.png"]})


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("../../evil.txt", "evil")
    return made.getvalue()


def tarred(name: str, data: bytes = b"evil", *, link: str = "") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = 0 if link else len(data)
        member.type, member.linkname = (tarfile.SYMTYPE, link) if link else (tarfile.REGTYPE, "")
        archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def hdf5(fill: Callable[[h5py.File], Any]) -> bytes:
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        fill(file)
    return made.getvalue()


def external_images(file: h5py.File) -> None:
    file["meta"] = np.zeros(3, np.uint8)
    file.create_dataset("images", (3, 2, 2, 3), "u1", external=[("/etc/passwd", 0, 36)])


def huge_images(file: h5py.File) -> None:
    file["meta"] = np.zeros(3, np.uint8)
    file.create_dataset("images", (10**6, 1000, 1000, 3), "u1", chunks=(1, 1000, 1000, 3))


MADE: dict[str, tuple[bytes, str]] = {
    "empty.jpg": (b"", "empty"),
    "words.jpg": (b"hello, I am no image\n" * 20, "hello"),
    "page.png": (b"<!DOCTYPE html><html><body>404</body></html>", "HTML"),
    "drawing.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"></svg>', ""),
    "half.jpg": (encoded("JPEG")[:600], "half.jpg"),
    "half.png": (encoded("PNG")[:600], "half.png"),
    "header.png": (encoded("PNG")[:20], "header.png"),
    "flipped.png": (encoded("PNG")[:300] + b"\xff" + encoded("PNG")[301:], "flipped.png"),
    "bomb.png": (png(20_000, 20_000, b""), "limit"),
    "wide.png": (png(2**31 - 1, 1, b""), "limit"),
    "hollow.png": (png(12_000, 12_000, zlib.compress(b"0" * 100)), "hollow.png"),
    "nothing.png": (png(0, 0, b""), "nothing.png"),
    "odd.png": (png(2, 2, zlib.compress(b"0" * 14), depth=7), "odd.png"),
    "pointer.png": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "LFS"),
    "runs.pkl": (pickle.dumps(Runs()), "pickle"),
    "data_batch_1": (cifar_that_runs(), "mkdir"),
    "slip.zip": (zipped(), "zip"),
    "slip.tar": (tarred("../../evil.txt"), "tar"),
    "link.tar": (tarred("cifar-10-batches-py/data_batch_1", link="/etc/passwd"), "link.tar"),
    "runs.tar": (tarred("cifar-10-batches-py/data_batch_1", cifar_that_runs()), "mkdir"),
    "cut.tar.gz": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03cut", "cut.tar.gz"),
    "external.h5": (hdf5(external_images), "external.h5"),
    "huge.h5": (hdf5(huge_images), "huge.h5"),
    "other.h5": (hdf5(lambda file: file.create_dataset("weights", data=np.zeros(3))), "HDF5"),
    "cut.h5": (hdf5(lambda file: file.create_dataset("images", data=np.zeros((9, 9)))) [:1000], "cut.h5"),
    "zeros.mdb": (bytes(8192), "zeros.mdb"),
    "names\x1b[2J\n.txt": (b"text", "names\\x1b[2J\\n"),
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[Path, Outcome]]:
    folder = tmp_path_factory.mktemp("made")
    (folder / "in").mkdir()
    for name, (content, _) in MADE.items():
        (folder / "in" / name).write_bytes(content)
    os.mkfifo(folder / "in" / "pipe.png")
    (folder / "in" / "empty folder").mkdir()
    (folder / "in" / "device.png").symlink_to("/dev/zero")
    return folder / "in", outcomes_of(sorted((folder / "in").iterdir()), folder)


@pytest.mark.parametrize("name", MADE)
def test_made_up_file_is_refused_in_one_line(name: str, made: tuple[Path, dict[Path, Outcome]]) -> None:
    folder, outcomes = made
    outcome = outcomes[folder / name]
    shown = Path(name.encode("unicode_escape").decode())
    outcome.check(shown, MADE[name][1])


@pytest.mark.parametrize("name", ["pipe.png", "empty folder", "device.png"])
def test_what_is_no_file_of_images_is_refused_without_waiting(name: str, made: tuple[Path, dict[Path, Outcome]]) -> None:
    folder, outcomes = made
    outcomes[folder / name].check(Path(name), "")


def test_bad_files_inside_a_folder_are_counted_and_the_rest_converted(pixstore: Callable[..., Any], photos: Path, tmp_path: Path) -> None:
    bad = ["empty.jpg", "words.jpg", "page.png", "half.jpg", "half.png", "bomb.png", "hollow.png", "runs.pkl", "slip.zip"]
    for name in bad:
        (photos / "cats" / name).write_bytes(MADE[name][0])
    os.mkfifo(photos / "dogs" / "pipe.jpg")
    (photos / "dogs" / "passwd.jpg").symlink_to("/etc/passwd")
    done = pixstore("convert", photos, tmp_path / "out", "--json", "-")
    assert done.status == 0, done.err
    report = json.loads(done.out)
    assert report["samples"] == 3
    left_out = {Path(each["path"]).name for each in report["skipped"]} | {Path(each["key"]).name for each in report["bad_rows"]}
    assert left_out == {*bad, "pipe.jpg", "passwd.jpg", "notes.txt"}


# Real: what became of every file of ../shared/data that Pillow cannot load within our limits.

REASONS = {
    "badinput-lfs-pointers/UCMerced_LandUse/": "LFS pointer",
    "badinput-lfs-pointers/data": "LFS pointer",
    "exif-orientation/LICENSE": "text that starts with",
    "libjpeg-turbo/LICENSE.md": "text that starts with",
    "libjpeg-turbo/testimages/LICENSE.txt": "text that starts with",
    "libjpeg-turbo/testimages/monkey12.jpg": "12",
    "libjpeg-turbo/testimages/test.scan": "text that starts with",
    "libjpeg-turbo/testimages/test1.icc": "unknown to pixstore",
    "libjpeg-turbo/testimages/test3.icc": "unknown to pixstore",
    "mnist-idx/t10k-labels-idx1-ubyte.gz": "no images",
    "lmdb-foreign/basicsr-realesrgan/LICENSE": "text that starts with",
    "malicious/jpeg-bomb-lottapixel/lottapixel.jpg": "limit",
    "malicious/jpeg-bomb-lottapixel/polyglot.jpg": "text that starts with",
    "malicious/pickles/": "pickle; it was not loaded",
    "malicious/zip-slip/archives/zip-slip-win.tar": "a name that leads elsewhere",
    "malicious/zip-slip/archives/zip-slip-win.zip": "a name that leads elsewhere",
    "malicious/zip-slip/archives/zip-slip.tar": "a name that leads elsewhere",
    "malicious/zip-slip/archives/zip-slip.zip": "a name that leads elsewhere",
    "pillow-broken/broken.png": "PNG",
    "pillow-broken/broken_data_stream.png": "PNG",
    "pillow-broken/decompression_bomb.gif": "limit",
    "pillow-broken/decompression_bomb.ico": "icon file",
    "pillow-broken/truncated_end_chunk.png": "PNG",
    "pillow-broken/truncated_image.png": "PNG",
    "pillow-broken/truncated_jpeg.jpg": "truncated_jpeg.jpg",
    "pngsuite-lunapaint/LICENSE": "text that starts with",
    "pngsuite-lunapaint/PngSuite.README": "text that starts with",
    "pngsuite-lunapaint/json/": "text that starts with",
    "pngsuite-lunapaint/png/xc": "xc",
    "pngsuite-lunapaint/png/xd": "PNG",
    "pngsuite-lunapaint/png/xh": "PNG",
    "pngsuite-lunapaint/png/xl": "unknown to pixstore",
    "pngsuite-lunapaint/png/xs": "unknown to pixstore",
    "truncated/data_batch_1": "the input has 3145728",
}
TEXTS = ("README.md", "README.source.txt", "meta_info.txt", "meta_info_gt.txt", "meta_info_pair.txt", "train.txt", "val.txt")
READ_IN_PLACE = (
    "cifar-10-batches-py.tar.xz",
    "data.mdb",
    "-images-idx3-ubyte.gz",
    "catvnoncat/datasets/train_catvnoncat.h5",
    "catvnoncat/datasets/test_catvnoncat.h5",
    "captcha/train.tfrecord",
)
"""How the names of files end that are opened where they lie."""
PHOTOGRAPHS = ("human-seg/", "kodak24/")


def loads(path: Path) -> bool:
    """Return whether Pillow loads the file within our limit of pixels."""
    try:
        with warnings.catch_warnings(action="error"), Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                return False
            image.load()
    except Exception:  # Whatever Pillow raises for a hostile file, it did not load.
        return False
    return True


def reason_of(name: str) -> str | None:
    if name.endswith(TEXTS):
        return "text that starts with"
    if name.endswith(("lock.mdb", ".DS_Store")):
        return "unknown to pixstore"
    return next((REASONS[start] for start in sorted(REASONS, key=len, reverse=True) if name.startswith(start)), None)


def test_every_bad_file_of_the_real_data_is_refused_in_one_line(shared_data: Path, tmp_path: Path) -> None:
    files = [path for path in sorted(shared_data.rglob("*")) if path.is_file() and "/pngsuite-lunapaint/json/b" not in str(path)]
    names = {path: path.relative_to(shared_data).as_posix() for path in files}
    known_good = {path for path in files if names[path].startswith(PHOTOGRAPHS) and path.suffix in (".jpg", ".png")}
    doubtful = [path for path in files if path not in known_good and not names[path].endswith(READ_IN_PLACE)]
    bad = [path for path in doubtful if reason_of(names[path]) is not None or not loads(path)]
    assert len(bad) > 80
    outcomes = outcomes_of(bad, tmp_path)
    for path in bad:
        reason = reason_of(names[path])
        assert reason is not None, f"{names[path]}: Pillow cannot load it, and no outcome is listed for it"
        outcomes[path].check(path, reason)


def test_real_folder_with_bad_files_is_converted_without_them(shared_data: Path, pixstore: Callable[..., Any], tmp_path: Path) -> None:
    folder = shared_data / "pillow-broken"
    done = pixstore("convert", folder, tmp_path / "out", "--json", "-")
    assert done.status == 0, done.err
    report = json.loads(done.out)
    kept = sum(loads(path) for path in folder.iterdir())
    assert report["samples"] == kept
    assert len(report["skipped"]) + len(report["bad_rows"]) == len(list(folder.iterdir())) - kept
