"""BasicSR's LMDB: encoded images under keys without suffix or dots, and meta_info.txt with a line `key.png (h,w,c) 1` for each.

PNG and JPEG images stay as they are, others become PNG. BasicSR takes for a key what stands before the first dot of a line.
Format: BasicSR, docs/DatasetPreparation.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pixstore.dataset import Dataset
from pixstore.errors import InvalidInputError
from pixstore.layout import Export, Layout, Loss, require_image_field
from pixstore.layouts.images import Kept, encoded_images
from pixstore.layouts.lmdb_file import new_lmdb
from pixstore.layouts.losses import attributes_lost, columns_lost, fields_lost, missing_lost, require_pixels
from pixstore.schema import Format

META_FILE = "meta_info.txt"
SUFFIXES = {"png": ".png", "jpeg": ".jpg"}
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm")
COMPRESSION = 1
"""BasicSR's own choice for PNG; its readers do not look at it."""


class BasicsrLmdb(Layout):
    """An LMDB environment (a folder) of encoded images with the list that BasicSR reads."""

    name = "basicsr-lmdb"
    words = "LMDB of PNG or JPEG images with meta_info.txt, as BasicSR and Real-ESRGAN read it"

    def losses(self, dataset: Dataset) -> list[Loss]:
        require_image_field(dataset, self.name)
        require_pixels(dataset, self.name, "PNG")
        lost = [*columns_lost(dataset, set()), *fields_lost(dataset), *attributes_lost(dataset)]
        return [*missing_lost(dataset), *_keys_lost(dataset), *lost]

    def write(self, export: Export) -> None:
        keys = _keys(export.dataset)
        lines: list[str] = []
        with new_lmdb(export.place) as environment:
            for part in _entries(export, keys, lines):
                environment.put(part)
        Path(export.place, META_FILE).write_text("".join(lines), encoding="utf-8")


def _keys(dataset: Dataset) -> list[str]:
    """Return the keys as BasicSR takes them. Raises InvalidInputError where two become the same."""
    keys = [_plain(key) for key in dataset.keys.to_pylist()]
    first: dict[str, int] = {}
    for row, key in enumerate(keys):
        if first.setdefault(key, row) != row:
            known = dataset.keys[first[key]].as_py(), dataset.keys[row].as_py()
            raise InvalidInputError(
                f"{BasicsrLmdb.name}: keys have neither suffix nor dots, and {known[0]!r} and {known[1]!r} would both be {key!r}"
            )
    return keys


def _plain(key: str) -> str:
    stem, dot, suffix = key.rpartition(".")
    name = stem if stem and dot + suffix.lower() in IMAGE_SUFFIXES else key
    return "".join(name.replace(".", "_").splitlines()) or "_"


def _keys_lost(dataset: Dataset) -> list[Loss]:
    changed = [(key, plain) for key, plain in zip(dataset.keys.to_pylist(), _keys(dataset), strict=True) if key != plain]
    if not changed:
        return []
    return [Loss("keys", f"{len(changed):,} keys lose their suffix or dots: {changed[0][0]!r} becomes {changed[0][1]!r}")]


def _entries(export: Export, keys: list[str], lines: list[str]) -> Iterator[list[tuple[bytes, bytes]]]:
    """Yield keys and images, and add the line of each to `lines`."""
    for part in encoded_images(export, Kept(tuple(SUFFIXES))):
        found = []
        for row, record, form in zip(part.rows.tolist(), part.records, part.formats, strict=True):
            if record is not None:
                found.append((keys[row].encode(), record))
                lines.append(f"{keys[row]}{SUFFIXES[form.codec or 'png']} ({_size(form)}) {COMPRESSION}\n")
        yield found


def _size(form: Format) -> str:
    height, width, *channels = form.shape or ()
    return f"{height},{width},{channels[0] if channels else 1}"


LAYOUT = BasicsrLmdb()
