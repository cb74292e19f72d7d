"""The matrix of bad input: each row's exact error, through the public API and the command line.

A case is a file, a folder or a store that is bad in one way. All cases go through one watched process (`watched.py`), which opens and
reads each, then converts it; each test then looks at one outcome: the class of the error, the words that name file, place and reason, exit
status 2 with one line (or 0, the bad sample counted), under five seconds and 512 MB, nothing run, nothing written elsewhere, no child left.
What is no file (labels, destinations, interruption) has tests of its own below. `LATER` lists the rows whose formats are not read yet.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import lmdb
import numpy as np
import pytest
from PIL import Image

from pixstore import wire

MOST_SECONDS = 5.0
MOST_BYTES = 512_000_000
PAGE = 4096
CIFAR_10 = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]

ROWS = range(1, 79)
OTHER_HALF = Path(__file__).with_name("test_bad_circumstances.py")
ELSEWHERE = {34: "sources/folders/test_scan.py"}
"""Rows that tests of one module hold: the listing of a large folder is arrays of text, no Python object per file."""
LATER: dict[int, str] = {}


@dataclass(frozen=True)
class Case:
    """One bad input: how it is made below a folder, and what it should lead to."""

    row: int
    name: str
    make: Callable[[Path], Path]
    error: str
    words: tuple[str, ...]
    key: str | None = None
    """The sample to read. With one, the input is a folder that also holds a good image, and converting it counts the bad one."""


@dataclass(frozen=True)
class Outcome:
    """What became of one case."""

    raised: str
    words: str
    status: int
    out: str
    error: str
    seconds: float
    seen: list[str] = field(default_factory=list)
    left: bool = False
    children: bool = False
    peak_bytes: int = 0


# Files and folders, each bad in one way.


def png(width: int, height: int, data: bytes, *, depth: int = 8, colour: int = 2, more: bytes = b"") -> bytes:
    """Return a PNG with this header, these further chunks and this compressed data, whatever they say."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def encoded(form: str, *, mode: str = "RGB", size: tuple[int, int] = (50, 40), **options: Any) -> bytes:
    made = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(made, form, **options)
    return made.getvalue()


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


def frames(form: str) -> bytes:
    """Return an animation, or a file of two pages."""
    made = io.BytesIO()
    pages = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    pages[0].save(made, form, save_all=True, append_images=pages[1:])
    return made.getvalue()


def beside_a_good_image(name: str, data: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "good.png").write_bytes(encoded("PNG"))
        (folder / name).write_bytes(data)
        return folder

    return make


def image(row: int, name: str, data: bytes, error: str, *words: str, title: str = "") -> Case:
    return Case(row, title or name, beside_a_good_image(name, data), error, words, name)


def file(row: int, name: str, data: bytes, error: str, *words: str, title: str = "") -> Case:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return Case(row, title or name, make, error, words)


def link_out(folder: Path) -> Path:
    (folder / "good.png").write_bytes(encoded("PNG"))
    (folder / "passwd.png").symlink_to("/etc/passwd")
    return folder


def special(folder: Path) -> Path:
    (folder / "good.png").write_bytes(encoded("PNG"))
    os.mkfifo(folder / "pipe.png")
    return folder


def lone_fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.png")
    return folder / "pipe.png"


def cifar(**changes: Any) -> bytes:
    """Return a batch of four images with some entries changed."""
    batch = {b"data": np.zeros((4, 3072), np.uint8), b"labels": [0, 1, 2, 3], b"filenames": [b"a", b"b", b"c", b"d"]}
    return pickle.dumps({**batch, **{name.encode(): value for name, value in changes.items()}}, protocol=4)


def batch_with_classes(labels: list[int]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        for name in CIFAR_10:
            (folder / name).write_bytes(cifar(labels=labels))
        (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"x"] * 10}, protocol=4))
        return folder

    return make


class Runs:
    """Unpickled, this would run a program."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def npy(array: Any) -> bytes:
    made = io.BytesIO()
    np.save(made, array, allow_pickle=True)
    return made.getvalue()


def tutorial_value(number: int) -> bytes:
    """Return a value of the tutorial's LMDB: an object pickled by its class's name, which is nowhere to be found."""
    state = {"channels": 3, "size": (32, 32), "image": bytes([number]) * 3072, "label": number}
    return b"\x80\x03ctutorial\nImage\n)\x81" + pickle.dumps(state, protocol=3)[2:-1] + b"b."


def lmdb_at(folder: Path, values: dict[bytes, bytes] | None = None, **options: Any) -> Path:
    """Return the data file of an environment in the tutorial's layout, of more values than one page has places for."""
    items = {b"%08d" % number: tutorial_value(number % 200) for number in range(300)} if values is None else values
    with lmdb.open(str(folder), map_size=1 << 24, **options) as environment, environment.begin(write=True) as transaction:
        for key, value in items.items():
            transaction.put(key, value)
    return folder / "data.mdb"


def lmdb_of(values: dict[bytes, bytes], **files: bytes) -> Callable[[Path], Path]:
    """Return what makes an environment of these values, with files beside it: `meta_info_pkl` is meta_info.pkl."""

    def make(folder: Path) -> Path:
        lmdb_at(folder, values)
        for name, data in files.items():
            stem, _, suffix = name.rpartition("_")
            (folder / f"{stem}.{suffix}").write_bytes(data)
        return folder

    return make


def datum(*, channels: int = 3, data: bytes | None = bytes(48), label: int | None = 1, encoded: bool = False, floats: int = 0) -> bytes:
    """Return Caffe's message of an image of 4 × 4 pixels, whatever else it says."""
    return b"".join((
        *(wire.varint_field(number, value) for number, value in ((1, channels), (2, 4), (3, 4))),
        b"" if data is None else wire.bytes_field(4, data),
        b"" if label is None else wire.varint_field(5, label),
        wire.packed_floats_field(6, [0.5] * floats) if floats else b"",
        wire.varint_field(7, 1) if encoded else b"",
    ))  # fmt: skip


def meta_info(**changed: Any) -> bytes:
    return pickle.dumps({"keys": ["a", "b"], "resolution": ["3_4_4"], **changed})


def newest_root(content: bytes) -> int:
    newest = max((0, PAGE), key=lambda meta: struct.unpack_from("<Q", content, meta + 144)[0])
    return int(struct.unpack_from("<Q", content, newest + 128)[0])


def changed_lmdb(change: Callable[[bytearray], bytes | bytearray]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = lmdb_at(folder)
        path.write_bytes(change(bytearray(path.read_bytes())))
        return folder

    return make


def loop_in_tree(content: bytearray) -> bytearray:
    root = newest_root(content) * PAGE
    node = struct.unpack_from("<H", content, root + 16)[0]
    struct.pack_into("<HHH", content, root + node, newest_root(content), 0, 0)
    return content


def values_that_share_a_page(content: bytearray) -> bytearray:
    leaf = next(start for start in range(2 * PAGE, len(content), PAGE) if struct.unpack_from("<H", content, start + 10)[0] == 2)
    first, second = (leaf + place for place in struct.unpack_from("<2H", content, leaf + 16))
    # A node is 8 bytes, then its key of 8, then the page of its value.
    content[second + 16 : second + 24] = content[first + 16 : first + 24]
    return content


def far_root(content: bytearray) -> bytearray:
    for meta in (0, PAGE):
        struct.pack_into("<Q", content, meta + 128, 1 << 40)
    return content


def flipped_tree(content: bytearray) -> bytearray:
    content[newest_root(content) * PAGE] ^= 0xFF
    return content


def header_at(offset: int, magic: bytes) -> bytes:
    return (bytes(offset) + magic).ljust(2 * PAGE, b"\0")


def hdf5(fill: Callable[[h5py.File], Any], **options: Any) -> bytes:
    made = io.BytesIO()
    with h5py.File(made, "w", **options) as made_file:
        fill(made_file)
    return made.getvalue()


def images_and_labels(images: Any = None, count: int = 3) -> Callable[[h5py.File], None]:
    """Return what fills a file with `count` labels and these images; a dict is passed on as options of the dataset."""

    def fill(opened: h5py.File) -> None:
        opened["meta"] = np.arange(count, dtype=np.uint8)
        if isinstance(images, dict):
            opened.create_dataset("images", **images)
        else:
            opened["images"] = np.zeros((3, 4, 4, 3), np.uint8) if images is None else images

    return fill


def photos(**datasets: Any) -> Callable[[h5py.File], None]:
    """Return what fills a file with these datasets or links, which are of no layout with a name of its own."""

    def fill(opened: h5py.File) -> None:
        for name, value in datasets.items():
            opened[name] = value

    return fill


def unknown_filter(opened: h5py.File) -> None:
    opened["meta"] = np.zeros(3, np.uint8)
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((1, 4, 4, 3))
    properties.set_filter(32020, h5py.h5z.FLAG_OPTIONAL, ())
    h5py.h5d.create(opened.id, b"images", h5py.h5t.STD_U8LE, h5py.h5s.create_simple((3, 4, 4, 3)), properties)


def virtual(opened: h5py.File) -> None:
    layout = h5py.VirtualLayout((3, 4, 4, 3), "u1")
    layout[:] = h5py.VirtualSource("/etc/passwd", "images", (3, 4, 4, 3))
    opened["meta"] = np.zeros(3, np.uint8)
    opened.create_virtual_dataset("images", layout)


def zero_chunk(opened: h5py.File) -> None:
    opened["meta"] = np.zeros(1, np.uint8)
    made = opened.create_dataset("images", (1, 10_000, 10_000, 2), "u1", chunks=(1, 10_000, 10_000, 2), compression="gzip")
    made.id.write_direct_chunk((0, 0, 0, 0), zlib.compress(bytes(200_000_000)))


def left_open(folder: Path) -> Path:
    with h5py.File(folder / "made.h5", "w", libver="latest") as opened:
        images_and_labels()(opened)
        opened.flush()
        content = (folder / "made.h5").read_bytes()
    (folder / "made.h5").unlink()
    (folder / "open.h5").write_bytes(content)
    return folder / "open.h5"


def zipped(name: str, content: bytes = b"evil") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(name, content)
    return made.getvalue()


def shards_without(*missing: int, count: int = 5) -> Callable[[Path], Path]:
    """Return what fills a folder with numbered tar shards but for these."""

    def make(folder: Path) -> Path:
        for number in set(range(count)) - set(missing):
            (folder / f"s-{number:04}.tar").write_bytes(tarred((f"{number}.jpg", JPEG)))
        return folder

    return make


def pattern_of_too_many(folder: Path) -> Path:
    return shards_without(count=4)(folder) / "s-{0000..0007}.tar"


def tarred(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, link: str = "", mode: str = "w") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            member.size = len(data) if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def header_of(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


BATCH = "cifar-10-batches-py/data_batch_1"
JPEG, PNG = encoded("JPEG"), encoded("PNG")
SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>'
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n"
PSD = b"8BPS\0\x01" + bytes(40)
FITS = b"SIMPLE  =                    T".ljust(2880)
HUGE = {"shape": (10**6, 1000, 1000, 3), "dtype": "u1", "chunks": (1, 1000, 1000, 3)}

CASES = (
    image(1, "empty.jpg", b"", "CorruptRecordError", "empty"),
    image(2, "words.jpg", b"hello, I am no image\n" * 20, "CorruptRecordError", "hello"),
    image(3, "page.jpg", b"<!DOCTYPE html><html><body>404</body></html>", "CorruptRecordError", "HTML", "download"),
    image(4, "half.jpg", JPEG[: len(JPEG) // 2], "CorruptRecordError", "truncated"),
    image(5, "endless.jpg", JPEG[:-2], "CorruptRecordError", "truncated"),
    image(8, "large.png", png(20_000, 20_000, b""), "LimitExceededError", "20000", "limit", "178956970"),
    image(9, "hollow.png", png(12_000, 12_000, zlib.compress(b"0" * 100)), "CorruptRecordError", "cannot hold 12000"),
    image(10, "nothing.png", png(0, 0, b""), "UnsupportedImageError", "0"),
    image(11, "wide.png", png(2**31 - 1, 1, b""), "LimitExceededError", "2147483647"),
    image(12, "flipped.png", flipped(PNG, 200), "CorruptRecordError", "IDAT", "byte 33"),
    image(17, "moving.gif", frames("GIF"), "UnsupportedImageError", "single images"),
    image(17, "moving.png", frames("PNG"), "UnsupportedImageError", "animated"),
    image(17, "pages.tif", frames("TIFF"), "UnsupportedImageError", "single images"),
    image(18, "drawing.svg", SVG, "left out", "svg"),
    image(18, "drawing.png", SVG, "UnsupportedImageError", "SVG"),
    image(19, "layers.psd", PSD, "left out", "psd"),
    image(19, "layers.png", PSD, "UnsupportedImageError", "Photoshop"),
    image(19, "script.png", POSTSCRIPT, "UnsupportedImageError", "PostScript"),
    image(19, "stars.png", FITS, "UnsupportedImageError", "FITS"),
    Case(21, "link out of the folder", link_out, "left out", ("leaves the folder",), "passwd.png"),
    Case(22, "FIFO in a folder", special, "left out", ("FIFO",), "pipe.png"),
    Case(22, "FIFO", lone_fifo, "NotAStoreError", ("not a regular file",)),
    file(36, "data.mdb", b"", "NotAStoreError", "empty file"),
    file(37, "text.mdb", b"text " * 2000, "NotAStoreError", "text that starts with"),
    file(37, "image.mdb", b"\x89PNG\r\n\x1a\n" + b"no chunks " * 900, "CorruptRecordError", "image.mdb", title="PNG named .mdb"),
    file(37, "zeros.mdb", bytes(8192), "NotAStoreError", "zeros"),
    Case(38, "LMDB cut", changed_lmdb(lambda content: content[: len(content) // 2]), "StoreTruncatedError", ("needs", "data.mdb")),
    Case(39, "LMDB flipped", changed_lmdb(flipped_tree), "UnsafeInputError", ("page", "data.mdb")),
    Case(40, "LMDB loop", changed_lmdb(loop_in_tree), "UnsafeInputError", ("used twice",)),
    Case(40, "LMDB shared", changed_lmdb(values_that_share_a_page), "UnsafeInputError", ("data.mdb",)),
    Case(40, "LMDB far root", changed_lmdb(far_root), "UnsafeInputError", (str(1 << 40),)),
    file(41, "one.mdb", header_at(24, b"\xde\xc0\xef\xbe"), "IncompatibleStoreError", "LMDB 1.0"),
    file(41, "small.mdb", header_at(12, b"\xde\xc0\xef\xbe"), "IncompatibleStoreError", "32-bit"),
    file(41, "turned.mdb", header_at(16, b"\xbe\xef\xc0\xde"), "IncompatibleStoreError", "byte order"),
    Case(44, "value that is no Datum", lmdb_of({b"a": datum(), b"b": b"\x20\x05"}), "CorruptRecordError",
         ("key 'b'", "no Datum", "field 4")),
    Case(44, "Datum of other sizes", lmdb_of({b"a": datum(), b"b": datum(data=bytes(47))}), "CorruptRecordError",
         ("key 'b'", "47 values", "3 × 4 × 4 needs 48")),
    Case(44, "Datum that says encoded", lmdb_of({b"a": datum(), b"b": datum(encoded=True)}), "CorruptRecordError",
         ("key 'b'", "says encoded", "no image")),
    Case(44, "Datum that does not say encoded", lmdb_of({b"a": datum(), b"b": datum(data=PNG)}), "CorruptRecordError",
         ("key 'b'", "encoded image without the flag")),
    Case(44, "Datum without a label", lmdb_of({b"a": datum(), b"b": datum(label=None)}), "LabelMismatchError", ("without a label", "'b'")),
    Case(44, "Datum of few floats", lmdb_of({b"a": datum(data=None, floats=48), b"b": datum(data=None, floats=47)}), "CorruptRecordError",
         ("key 'b'", "float_data has 47 values", "needs 48")),
    Case(44, "Datum of 2 GB", lmdb_of({b"a": datum(), b"b": b"\x22\xff\xff\xff\xff\x07"}), "CorruptStoreError",
         ("key 'b'", "field 4 ends at")),
    Case(45, "Datum of features", lmdb_of({b"a": datum(), b"b": datum(channels=0, data=b"")}), "UnsupportedImageError",
         ("key 'b'", "0 channels of 4 × 4 pixels")),
    Case(46, "meta_info.pkl that runs", lmdb_of({b"a": bytes(48)}, meta_info_pkl=pickle.dumps({"keys": Runs()})), "UnsafeInputError",
         ("meta_info.pkl", "posix.system", "byte")),
    Case(47, "meta_info.pkl of other keys", lmdb_of({b"a": bytes(48), b"c": bytes(48)}, meta_info_pkl=meta_info()), "LabelMismatchError",
         ("2 keys", "has 2", "'b'", "'c'")),
    Case(47, "meta_info.pkl of other sizes", lmdb_of({b"a": bytes(48), b"b": bytes(47)}, meta_info_pkl=meta_info()), "CorruptStoreError",
         ("1 of 2", "'b' has 47 bytes", "4 × 4 × 3 needs 48")),
    Case(47, "meta_info.pkl of few sizes", lmdb_of({b"a": bytes(48)}, meta_info_pkl=meta_info(resolution=["3_4_4"] * 3)),
         "LabelMismatchError", ("2 keys and 3 resolutions",)),
    Case(47, "meta_info.txt of other keys", lmdb_of({b"a": PNG, b"c": PNG}, meta_info_txt=b"a.png (40,50,3) 1\nb.png (40,50,3) 1\n"),
         "LabelMismatchError", ("meta_info.txt", "'b.png'", "'c'")),
    Case(48, "meta_info.pkl cut", lmdb_of({b"a": bytes(48)}, meta_info_pkl=meta_info()[:-9]), "StoreTruncatedError", ("meta_info.pkl",)),
    Case(49, "meta_info.pkl of 4 GB", lmdb_of({b"a": bytes(48)}, meta_info_pkl=b"\x80\x04\x8e" + struct.pack("<Q", 4 << 30) + b"x."),
         "StoreTruncatedError", ("meta_info.pkl", "needs")),
    file(46, "meta_info.pkl", pickle.dumps({"keys": Runs()}), "NotAStoreError", "pickle", "not loaded"),
    file(46, "data_batch_1", pickle.dumps({b"data": Runs()}), "UnsafeInputError", "posix.system", "byte", title="pickle that runs"),
    file(48, "data_batch_1", cifar()[:-900], "StoreTruncatedError", "needs", title="pickle cut"),
    file(48, "data_batch_1", b"\x80\x06}.", "UnsafeInputError", "protocol 6", title="pickle of protocol 6"),
    file(48, "data_batch_1", b"\x80\x04\x8b" + struct.pack("<I", 5_000_000) + bytes(5_000_000) + b".", "LimitExceededError", "integer",
         title="pickle of a huge integer"),
    file(48, "data_batch_1", b"\x80\x04" + b"]" * 200_000 + b"a" * 199_999 + b".", "LimitExceededError", "deep",
         title="pickle of 200,000 levels"),
    file(49, "data_batch_1", b"\x80\x04\x8e" + struct.pack("<Q", 4 << 30) + b"x.", "StoreTruncatedError", "needs",
         title="pickle of 4 GB of bytes"),
    file(49, "data_batch_1", b"\x80\x04]\x94" + b"(" + b"h\0" * 8 + b"e." , "UnsafeInputError", "itself", title="pickle within itself"),
    file(50, "data_batch_1", cifar(data=np.zeros((4, 3000), np.uint8)), "CorruptStoreError", "(4, 3000)", "3072",
         title="CIFAR of odd size"),
    file(50, "data_batch_1", cifar(data=np.zeros((4, 3072), np.int16)), "CorruptStoreError", "int16", title="CIFAR of odd type"),
    file(50, "data_batch_1", cifar(labels=[0, 1]), "LabelMismatchError", "2 labels for 4 images", title="CIFAR of few labels"),
    Case(50, "CIFAR of odd labels", batch_with_classes([0, 1, 2, 99]), "LabelMismatchError", ("beyond the 10 class names",)),
    file(51, "objects.npy", npy(np.array([Runs()], object)), "UnsafeInputError", "Python objects", "nothing was run"),
    file(51, "objects.npz", zipped("data.npy", npy(np.array([Runs()], object))), "UnsafeInputError", "data", "nothing was run"),
    file(51, "evil.npz", zipped("data.npy"), "CorruptStoreError", "data", "does not begin as a NumPy array"),
    file(51, "fortran.npy", npy(np.asfortranarray(np.zeros((3, 4, 5), "u1"))), "UnsupportedImageError", "Fortran order"),
    file(51, "cut.npy", npy(np.zeros((3, 4, 5), "u1"))[:-9], "StoreTruncatedError", "needs 188 bytes, 179 are there"),
    file(51, "data_batch_1", cifar(data=np.array([[None] * 2], object)), "UnsafeInputError", "'O8'", "nothing was run",
         title="CIFAR of objects"),
    file(52, "empty.h5", b"", "NotAStoreError", "empty file"),
    file(52, "image.h5", b"\x89PNG\r\n\x1a\n" + b"no chunks " * 900, "CorruptRecordError", "image.h5", title="PNG named .h5"),
    file(52, "four.h5", b"\x0e\x03\x13\x01" + bytes(1000), "NotAStoreError", "HDF4"),
    file(53, "cut.h5", hdf5(images_and_labels(np.zeros((3, 64, 64, 3), np.uint8)))[:9000], "StoreTruncatedError", "truncated file",
         "h5clear"),
    Case(54, "HDF5 left open", left_open, "StoreBusyError", ("h5clear -s", "copy")),
    file(55, "stored.h5", hdf5(images_and_labels({"shape": (3, 4, 4, 3), "dtype": "u1", "external": [("/etc/passwd", 0, 144)]})),
         "UnsafeInputError", "lies in other files", title="HDF5 external storage"),
    file(55, "linked.h5", hdf5(images_and_labels(h5py.ExternalLink("/etc/passwd", "/images"))), "UnsafeInputError", "/etc/passwd"),
    file(55, "virtual.h5", hdf5(virtual), "UnsafeInputError", "lies in other files"),
    file(56, "dangling.h5", hdf5(images_and_labels(h5py.SoftLink("/nope"))), "UnsafeInputError", "/nope"),
    file(56, "circle.h5", hdf5(images_and_labels(h5py.SoftLink("/images"))), "UnsafeInputError", "/images"),
    file(57, "huge.h5", hdf5(images_and_labels(HUGE)), "LimitExceededError", "declares 3000000000000 bytes with 0 stored"),
    file(58, "bomb.h5", hdf5(zero_chunk), "LimitExceededError", "chunks of 200000000 bytes"),
    file(59, "filter.h5", hdf5(unknown_filter), "UnsafeInputError", "filter 32020", "no plugin"),
    file(60, "compound.h5", hdf5(images_and_labels(np.zeros(3, [("a", "u1")]))), "NotAStoreError", "not plain numbers"),
    file(60, "text.h5", hdf5(images_and_labels("text")), "UnsupportedImageError", "'images'", "text"),
    file(60, "nan.h5", hdf5(images_and_labels(np.full((3, 4, 4, 3), np.nan))), "UnsupportedImageError", "float64"),
    file(60, "flat.h5", hdf5(images_and_labels(np.zeros((3, 48), np.uint8))), "UnsupportedImageError", "(3, 48)"),
    file(60, "group.h5", hdf5(lambda opened: opened.create_group("train")), "NotAStoreError", "HDF5 file"),
    file(61, "labels.h5", hdf5(images_and_labels(count=2)), "LabelMismatchError", "3 images and 2 labels"),
    file(55, "photos.h5", hdf5(photos(x=h5py.ExternalLink("/etc/passwd", "/x"))), "UnsafeInputError", "'x'", "/etc/passwd"),
    file(56, "nowhere.h5", hdf5(photos(x=h5py.SoftLink("/nope"))), "UnsafeInputError", "'x'", "/nope"),
    file(59, "scaled.h5", hdf5(lambda opened: opened.create_dataset("x", data=np.zeros((3, 4, 4, 3), "i4"), scaleoffset=0)),
         "UnsupportedImageError", "'x'", "scaleoffset", "h5repack"),
    file(60, "table.h5", hdf5(photos(x=np.zeros((3, 48), "f4"))), "UnsupportedImageError", "'x' 3x48 float32", "height x width"),
    file(60, "references.h5", hdf5(lambda opened: opened.create_dataset("x", data=[opened.ref] * 3, dtype=h5py.ref_dtype)),
         "UnsupportedImageError", "'x' 3 object"),
    file(60, "several.h5", hdf5(photos(a=np.zeros((3, 4, 4, 3), "u1"), b=np.zeros((3, 4, 4), "f4"))), "InvalidInputError",
         "holds 2 sets of images", "several.h5::/a' (3x4x4x3 uint8)", "several.h5::/b' (3x4x4 float32)"),
    file(61, "pair.h5", hdf5(photos(train_set_x=np.zeros((3, 4, 4, 3), "u1"), train_set_y=np.zeros(2, "i8"))), "LabelMismatchError",
         "3 images in 'train_set_x' and 2 labels in 'train_set_y'"),
    file(62, "cut.tar", tarred((BATCH, cifar()))[:3000], "StoreTruncatedError", "ends", title="tar cut"),
    file(62, "body.tar", tarred(("0.jpg", JPEG), ("1.jpg", JPEG))[: 1100 + -(-len(JPEG) // 512) * 512], "StoreTruncatedError",
         "the last whole member is '0.jpg' at byte 0", title="tar shard cut in a body"),
    file(62, "header.tar", tarred(("0.jpg", JPEG), ("1.jpg", JPEG))[: 700 + -(-len(JPEG) // 512) * 512], "StoreTruncatedError",
         "within a header", "'0.jpg' at byte 0", title="tar shard cut in a header"),
    file(63, "slip.tar", tarred(("../../evil.txt", b"evil")), "UnsafeInputError", "'../../evil.txt' at byte 0", "leads elsewhere"),
    file(63, "root.tar", tarred(("/etc/passwd", b"evil")), "UnsafeInputError", "'/etc/passwd'", "leads elsewhere"),
    file(63, "symbolic.tar", tarred(("0.jpg", b""), kind=tarfile.SYMTYPE, link="/etc/passwd"), "UnsafeInputError", "'0.jpg'", "is a link"),
    file(63, "hard.tar", tarred(("0.jpg", b""), kind=tarfile.LNKTYPE, link="/etc/passwd"), "UnsafeInputError", "'0.jpg'", "hard link"),
    file(63, "fifo.tar", tarred(("0.jpg", b""), kind=tarfile.FIFOTYPE), "UnsafeInputError", "'0.jpg'", "a FIFO"),
    file(63, "link.tar", tarred((BATCH, b""), kind=tarfile.SYMTYPE, link="/etc/passwd"), "NotAStoreError", "without CIFAR batches"),
    file(63, "device.tar", tarred((BATCH, b""), kind=tarfile.CHRTYPE), "NotAStoreError", "without CIFAR batches"),
    file(64, "twice.tar", tarred((BATCH, cifar()), (BATCH, cifar())), "DuplicateKeyError", "twice"),
    file(64, "member.tar", tarred(("0.cls", b"1"), ("0.cls", b"2")), "DuplicateKeyError", "'0.cls' is there twice", "byte 0", "byte 1024"),
    file(64, "sample.tar", tarred(("0.cls", b"1"), ("1.cls", b"2"), ("0.cls", b"1")), "DuplicateKeyError", "'0'", "byte 0", "byte 2048"),
    file(64, "split.tar", tarred(("0.cls", b"1"), ("1.cls", b"2"), ("0.jpg", JPEG)), "CorruptStoreError", "'0' is split", "byte 2048"),
    file(65, "huge.tar", header_of("0.jpg", 8 << 60) + bytes(1024), "LimitExceededError", "9223372036854775808 bytes"),
    file(65, "attributes.tar", header_of("0.jpg", 1 << 30, tarfile.XHDTYPE) + bytes(1024), "LimitExceededError", "1073741824 bytes"),
    file(65, "names.tar", header_of("0.jpg", 1 << 30, tarfile.GNUTYPE_LONGNAME) + bytes(1024), "LimitExceededError", "1073741824 bytes"),
    file(65, "sparse.tar", header_of("0.jpg", 100, tarfile.GNUTYPE_SPARSE) + bytes(1024), "LimitExceededError", "is sparse"),
    file(65, "sizes.tar", header_of(BATCH, 8 << 60) + bytes(1024), "LimitExceededError", "9223372036854775808 bytes", title="tar of 8 EB"),
    file(66, "bomb.tar.gz", tarred((BATCH, bytes(200_000_000)), mode="w:gz"), "LimitExceededError", "unpacks to more", title="tar.gz bomb"),
    file(66, "shard.tar.gz", tarred(("0.jpg", bytes(200_000_000)), mode="w:gz"), "LimitExceededError", "unpacks to more", "gunzip"),
    file(66, "again.tar", tarred(("0.jpg", JPEG)) * 2, "CorruptStoreError", "second archive"),
    file(67, "code.tar", tarred(("a.pyd", b"MZ"), ("b.pkl", pickle.dumps(Runs()))), "NotAStoreError", "tar archive"),
    file(68, "slip.zip", zipped("../../evil.txt"), "UnsafeInputError", "'../../evil.txt'", "leads elsewhere"),
    file(68, "zip.tar", zipped("a.txt"), "NotAStoreError", "a zip archive without images"),
    file(68, "nested.zip", zipped("inner.tar", tarred(("0.jpg", JPEG))), "NotAStoreError", "'inner.tar'", "unpacked first"),
    file(68, "cut.zip", zipped("a.png", PNG)[:-30], "StoreTruncatedError", "no readable directory"),
    Case(69, "missing shards", shards_without(1, 3), "PathNotFoundError", ("2 of 5 files", "0001, 0003")),
    Case(69, "pattern of too many shards", pattern_of_too_many, "PathNotFoundError", ("4 of 8 files are missing", "s-0004.tar")),
)  # fmt: skip


def identity(case: Case) -> str:
    return f"{case.row}-{case.name}"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Return what became of every case, by its identity."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "warm").mkdir()
    (folder / "warm" / "a.png").write_bytes(PNG)
    requests = []
    for number, case in enumerate(CASES):
        place = folder / "in" / str(number)
        place.mkdir(parents=True)
        path = case.make(place)
        arguments = ["convert", str(path), *(["--json", "-"] if case.key else []), str(folder / "dest" / str(number))]
        requests.append({"name": identity(case), "open": str(path), "key": case.key, "arguments": arguments})
    (folder / "dest").mkdir()
    request = {"dest": str(folder / "dest"), "warm": ["convert", str(folder / "warm"), str(folder / "dest" / "warm")], "cases": requests}
    done = subprocess.run([sys.executable, Path(__file__).with_name("watched.py")], input=json.dumps(request), stdout=subprocess.PIPE,
                          text=True, check=True, timeout=170, cwd=folder)  # fmt: skip
    found: dict[str, Outcome] = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            value: dict[str, Any] = json.loads(line)
            name = value.pop("name")
            found[name] = Outcome(**value)
    return found


NOTICED = """
import collections, os, pickle, subprocess, sys
from watched import watch
seen = []
watch((sys.argv[1] + "/allowed",), seen)
os.mkdir(sys.argv[1] + "/allowed")
os.mkdir(sys.argv[1] + "/elsewhere")
open(sys.argv[1] + "/file", "w").close()
pickle.loads(pickle.dumps(collections.OrderedDict()))
subprocess.run(["true"])
print([each.split()[0] for each in seen])
"""


def test_the_watch_notices_what_no_bad_input_may_bring_about(tmp_path: Path) -> None:
    surroundings = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", NOTICED, tmp_path], stdout=subprocess.PIPE, text=True, check=True, env=surroundings)
    assert done.stdout.strip() == "['os.mkdir', 'open', 'pickle.find_class', 'subprocess.Popen']"


def test_every_row_of_the_matrix_has_its_test() -> None:
    named = re.findall(r"^def test_rows?_([0-9_]+(?:to_[0-9]+)?)_", OTHER_HALF.read_text(encoding="utf-8"), re.MULTILINE)
    there = {case.row for case in CASES} | set(ELSEWHERE) | set(LATER)
    for numbers in named:
        first, _, last = numbers.partition("_to_")
        there |= set(range(int(first), int(last) + 1)) if last else {int(number) for number in numbers.strip("_").split("_")}
    assert there == set(ROWS), sorted(set(ROWS) ^ there)
    assert all((OTHER_HALF.parent / path).exists() for path in ELSEWHERE.values())


@pytest.mark.parametrize("case", CASES, ids=identity)
def test_bad_input_is_an_error_that_names_file_and_reason(case: Case, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[identity(case)]
    assert outcome.raised == case.error, outcome.words
    assert all(word in outcome.words for word in case.words), outcome.words
    assert outcome.seen == [] and not outcome.children
    assert outcome.seconds < MOST_SECONDS and outcome.peak_bytes < MOST_BYTES
    if case.key is not None:
        assert outcome.status == 0, outcome.error
        report = json.loads(outcome.out)
        left_out = {each["path"]: each["reason"] for each in report["skipped"]} | {
            each["key"]: each["reason"] for each in report["bad_rows"]
        }
        assert report["samples"] == 1 and list(left_out) == [case.key]
        assert all(word in left_out[case.key] for word in case.words)
        return
    assert outcome.status == 2 and not outcome.left
    assert outcome.error.count("\n") == 1 and "Traceback" not in outcome.error
    assert all(word in outcome.error for word in case.words)
