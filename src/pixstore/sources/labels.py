"""Labels of images: from class names, from a regular expression on the key, from a CSV file of names and labels."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pixstore.errors import InvalidInputError, LabelMismatchError
from pixstore.sources.foreign_file import read_whole

MAX_LABEL_FILE_BYTES = 1 << 30
SHOWN = 5
INTEGER = re.compile(r"[+-]?[0-9]{1,18}\Z")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")
NOT_A_LABEL = frozenset({"", "nan", "na", "n/a", "null", "none", "inf", "-inf"})


@dataclass(frozen=True)
class Labels:
    """One integer per image; `classes` are the names of the integers where the labels were names."""

    values: pa.Array
    classes: tuple[str, ...] | None


def shown(names: Sequence[str] | pa.Array) -> str:
    """Return how many names there are and the first five, for a message."""
    few = names[:SHOWN].to_pylist() if isinstance(names, pa.Array) else names[:SHOWN]
    first = ", ".join(repr(each) for each in few)
    return f"{len(names)} ({first}{', …' if len(names) > SHOWN else ''})"


def from_names(names: Sequence[str]) -> Labels:
    """Return each name's place among the sorted distinct names."""
    classes = tuple(sorted(set(names)))
    number = {name: index for index, name in enumerate(classes)}
    return Labels(pa.array(np.fromiter((number[name] for name in names), np.int64, len(names))), classes)


def from_dictionary(names: pa.DictionaryArray) -> Labels:
    """Return what `from_names` returns, for the names of many images; each image has one."""
    found: list[str] = names.dictionary.to_pylist()
    classes = tuple(sorted(found))
    number = {name: index for index, name in enumerate(classes)}
    places = np.array([number[name] for name in found], np.int64)
    return Labels(pa.array(places[names.indices.to_numpy()]), classes)


def from_texts(texts: Sequence[str], keys: Sequence[str], origin: str) -> Labels:
    """Return labels written as text: all integers, or all class names.

    Raises LabelMismatchError, naming `origin` and the first keys, for empty labels, NaN, fractions, and a mixture of integers and names.
    """
    integers = [INTEGER.match(text) is not None for text in texts]
    if all(integers):
        return Labels(pa.array([int(text) for text in texts], pa.int64()), None)
    bad = [key for key, text in zip(keys, texts, strict=True) if _is_no_label(text)]
    if not bad and any(integers):
        bad = [key for key, is_integer in zip(keys, integers, strict=True) if not is_integer]
    if bad:
        example = texts[list(keys).index(bad[0])]
        raise LabelMismatchError(f"{origin}: labels that are no integers, such as {example!r}: {shown(bad)}; correct them")
    return from_names(texts)


def from_expression(expression: str, keys: Sequence[str]) -> Labels:
    """Return what the one group of a regular expression finds in each key. Raises InvalidInputError, LabelMismatchError."""
    try:
        compiled = re.compile(expression)
    except re.error as error:
        raise InvalidInputError(
            f"label_from {expression!r} is neither 'folder', nor an existing CSV file, nor a regular expression: {error}"
        ) from error
    if compiled.groups != 1:
        raise InvalidInputError(f"label_from {expression!r} has {compiled.groups} groups; put exactly one (…) around the label")
    found = [compiled.search(key) for key in keys]
    missing = [key for key, each in zip(keys, found, strict=True) if each is None or each[1] is None]
    if missing:
        raise LabelMismatchError(f"label_from {expression!r} finds no label in {shown(missing)} of {len(keys)} keys; correct it")
    return from_texts([each[1] for each in found if each is not None], keys, f"label_from {expression!r}")


def from_file(path: Path, keys: Sequence[str]) -> Labels:
    """Return the labels of a CSV file whose rows name an image (by key, file name or stem) and its label.

    A header is recognised by its first cell naming no image. Raises LabelMismatchError where rows and images do not match one to one.
    """
    rows = read_rows(path)
    finder = Finder(keys)
    rows, label_cell = _without_header(path, rows, finder)
    by_image: dict[int, str] = {}
    unknown: list[str] = []
    twice: list[str] = []
    for row in rows:
        image = finder.find(row[0])
        if image is None:
            unknown.append(row[0])
        elif image in by_image:
            twice.append(keys[image])
        else:
            by_image[image] = row[label_cell] if label_cell < len(row) else ""
    missing = [key for index, key in enumerate(keys) if index not in by_image]
    raise_mismatch(path, len(keys), missing=missing, unknown=unknown, twice=twice)
    return from_texts([by_image[index] for index in range(len(keys))], keys, str(path))


def raise_mismatch(path: Path, images: int, *, missing: Sequence[str], unknown: Sequence[str], twice: Sequence[str]) -> None:
    """Raise LabelMismatchError if any of the lists has an entry."""
    found = [
        text
        for names, text in (
            (missing, f"images without a row: {shown(missing)}"),
            (unknown, f"rows without an image: {shown(unknown)}"),
            (twice, f"images with more than one row: {shown(twice)}"),
        )
        if names
    ]
    if found:
        raise LabelMismatchError(f"{path}: does not match the {images} images one to one; {'; '.join(found)}; correct the file")


def read_text(path: Path) -> str:
    """Return a label file's text without its byte-order mark. Raises LabelMismatchError where it is not UTF-8."""
    try:
        return read_whole(path, max_bytes=MAX_LABEL_FILE_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabelMismatchError(f"{path}: is not UTF-8 text at byte {error.start}; save it as UTF-8") from error


def read_rows(path: Path, *, delimiter: str | None = None, quote: str = '"') -> list[list[str]]:
    """Return the rows of a CSV file, cells stripped, empty lines left out; the delimiter is found in the first line unless given."""
    text = read_text(path)
    if delimiter is None:
        first = text.lstrip().partition("\n")[0]
        delimiter = next((each for each in ",\t;" if each in first), " ")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, strict=True))
    except csv.Error as error:
        raise LabelMismatchError(f"{path}: is not a readable CSV file: {error}; correct it") from error
    return [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]


class Finder:
    """Finds images by what a label file calls them: key, key without suffix, file name, or stem; a name that fits two finds none."""

    def __init__(self, keys: Sequence[str]) -> None:
        forms: tuple[Callable[[str], str], ...] = (str, _stem, _base, lambda key: _stem(_base(key)))
        self._forms = [_unique(map(form, keys)) for form in forms]

    def find(self, name: str) -> int | None:
        """Return the number of the image, or None."""
        name = name.removeprefix("./")
        return next((index for form in self._forms if (index := form.get(name, -1)) >= 0), None)


def _without_header(path: Path, rows: list[list[str]], finder: Finder) -> tuple[list[list[str]], int]:
    if not rows:
        raise LabelMismatchError(f"{path}: is empty; it should have one row per image: name, label")
    header: list[str] = []
    if finder.find(rows[0][0]) is None:
        header, rows = [cell.lower() for cell in rows[0]], rows[1:]
    if "label" in header[1:]:
        return rows, header.index("label", 1)
    width = max([len(header), *(len(row) for row in rows)])
    if width != 2:
        raise LabelMismatchError(f"{path}: has rows of {width} cells and no column named 'label'; keep two: name, label")
    return rows, 1


def _is_no_label(text: str) -> bool:
    return text.lower() in NOT_A_LABEL or (NUMBER.match(text) is not None and INTEGER.match(text) is None)


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _unique(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for index, name in enumerate(names):
        found[name] = -1 if name in found else index
    return found
