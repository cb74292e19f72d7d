"""A NumPy array of images in a .npy file, read in place; labels lie beside it, as `labels.npy` or `y_train.npy` beside `x_train.npy`.

The header is read as data (npy_header.py): no pickle is loaded, arrays of objects and of Fortran order are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError, PixstoreError, StoreTruncatedError
from pixstore.rows import Extents
from pixstore.source import SourceOptions, SourceReport
from pixstore.sources.foreign_file import is_regular, read_head, read_range, refuse_changed, state_of
from pixstore.sources.image_arrays import Images, described, images_of, is_images, label_names, labels_of
from pixstore.sources.located import LocatedSource
from pixstore.sources.npy_header import HEAD_BYTES, MAGIC, ArrayHeader, parsed

SUFFIX = ".npy"


class Npy(LocatedSource):
    """An array of images in one file."""

    name: ClassVar[str] = "NumPy array of images"
    takes: ClassVar[frozenset[str]] = frozenset({"channel_order"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the first bytes are those of a NumPy array file."""
        return read_head(path, len(MAGIC)) == MAGIC

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> Npy:
        """Read the header and the labels. Raises a PixstoreError that names the file and what is wrong with it."""
        report, state = SourceReport(), state_of(path)
        header = _header(path)
        images = images_of(path.stem, header, options.channel_order, str(path))
        images = _with_labels(path, images, report)
        schema, table = described([images], {}, None, None)
        size = images.format.decoded_bytes
        offset = images.start + size * np.arange(images.count, dtype=np.int64)
        place = Extents([str(path)], np.zeros(images.count, np.uint32), offset, np.full(images.count, size, np.int64))
        refuse_changed(path, state)
        return cls(schema, table, report, place=place, formats=(images.format,), origin=str(path), states={str(path): state})


def _header(path: Path) -> ArrayHeader:
    """Return a file's header, checked against its size."""
    header, size = parsed(read_head(path, HEAD_BYTES), str(path)), state_of(path)[1]
    needed = header.start + header.size
    if size != needed:
        what = f"{header.dtype} of shape {header.shape} needs {needed} bytes, {size} are there"
        raise (StoreTruncatedError if size < needed else CorruptStoreError)(f"{path}: {what}; save it again")
    return header


def _with_labels(path: Path, images: Images, report: SourceReport) -> Images:
    names = dict.fromkeys(label_names(path.stem, is_alone=_is_alone(path)))
    for beside in (path.with_name(name + SUFFIX) for name in names):
        if beside == path or not is_regular(beside):
            continue
        array = _array(beside)
        return images.with_labels(labels_of(array, images, str(beside), report))
    report.notes.append(f"no file of labels beside {path.name}")
    return images


def _is_alone(path: Path) -> bool:
    """Return whether no other array of images lies beside this one: of several, `labels.npy` could belong to any."""
    others = (each for each in path.parent.glob("*" + SUFFIX) if each != path and Npy.recognises(each))
    for other in others:
        try:
            if is_images(parsed(read_head(other, HEAD_BYTES), str(other))):
                return False
        except PixstoreError:
            # What cannot be read is no array of images.
            continue
    return True


def _array(path: Path) -> NDArray[Any]:
    header = _header(path)
    return np.frombuffer(read_range(str(path), header.start, header.size), header.dtype).reshape(header.shape)


SOURCE = Npy
