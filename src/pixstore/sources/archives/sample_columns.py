"""What the members of WebDataset samples are: image fields, labels, columns, or bytes that nobody here decodes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pixstore.errors import LabelMismatchError, LimitExceededError
from pixstore.rows import Indices
from pixstore.schema import KEY, NAME
from pixstore.sources.archives.sample_groups import NONE, Samples
from pixstore.sources.folders.image_names import IMAGE_SUFFIXES
from pixstore.sources.folders.metadata import column_name, json_column
from pixstore.sources.labels import INTEGER, from_texts, shown

IMAGE, LABEL = "image", "label"
CLASS = "cls"
NUMBERS = frozenset({"cls2", "class", "count", "index", "inx", "id"})
TEXTS = frozenset({"txt", "text", "transcript"})
JSON = "json"
MAX_VALUE_BYTES = 16 << 20
MAX_OPAQUE_BYTES = 64 << 20
Read = Callable[[int], bytes]
"""Returns the bytes of a member by its number."""


def fields_of(members: dict[str, Indices]) -> dict[str, list[str]]:
    """Return the image fields, the first to be `image` where it can be, each with its extensions.

    `jpg` and `png` are one field where no sample has both: images of two formats. `mask.png` is the field `mask`.
    """
    fields: dict[str, list[str]] = {}
    for extension in members:
        *words, suffix = extension.split(".")
        if suffix not in IMAGE_SUFFIXES:
            continue
        name = "_".join(words) if words else IMAGE
        for wanted in (name, extension.replace(".", "_"), f"field_{extension.replace('.', '_')}"):
            if NAME.match(wanted) and wanted not in (KEY, LABEL) and not _meet(members, fields.get(wanted, ()), extension):
                fields.setdefault(wanted, []).append(extension)
                break
    return {name: fields[name] for name in sorted(fields, key=lambda each: each != IMAGE)}


def _meet(members: dict[str, Indices], others: Sequence[str], extension: str) -> bool:
    """Return whether a sample has both the extension and one of the others."""
    return any(bool(((members[other] != NONE) & (members[extension] != NONE)).any()) for other in others)


class Columns:
    """The columns that members make, gathered extension by extension."""

    def __init__(self, samples: Samples, sizes: Indices, read: Read, origin: str, taken: Sequence[str]) -> None:
        """`sizes` are the bytes of each member, `taken` the names of the image fields."""
        self.columns: dict[str, pa.Array] = {}
        self.classes: dict[str, tuple[str, ...]] = {}
        self.keys: list[str] | None = None
        """The samples' own keys, where JSON says them."""
        self.notes: list[str] = []
        self._samples = samples
        self._sizes = sizes
        self._read = read
        self._origin = origin
        self._taken = {KEY, *taken}

    def add(self, extension: str) -> None:
        """Add what the members of this extension say. Raises LabelMismatchError, naming samples, for labels that are none."""
        members = self._samples.members[extension]
        *words, kind = extension.split(".")
        if extension == CLASS:
            self._add_labels(self._texts(members, "a class label"))
        elif kind in NUMBERS:
            self._add_numbers(extension, self._texts(members, "a number"))
        elif kind in TEXTS:
            self._add("_".join(words) or kind, pa.array(self._texts(members, "text"), pa.string()))
        elif extension == JSON:
            self._add_json(self._texts(members, "JSON"))
        elif kind == JSON:
            self._add("_".join(words), pa.array(self._texts(members, "JSON"), pa.string()))
        else:
            self._add_opaque(extension, members)

    def _texts(self, members: Indices, what: str) -> list[str | None]:
        self._refuse_large(members)
        found: list[str | None] = []
        for sample, member in enumerate(members.tolist()):
            try:
                found.append(None if member == NONE else self._read(member).decode("utf-8"))
            except UnicodeDecodeError as error:
                raise LabelMismatchError(
                    f"{self._origin}: what should be {what} of sample {self._samples.keys[sample]!r} is not UTF-8 at byte {error.start}"
                ) from error
        return found

    def _refuse_large(self, members: Indices) -> None:
        present = np.flatnonzero(members != NONE)
        large = present[self._sizes[members[present]] > MAX_VALUE_BYTES]
        if len(large):
            key, size = self._samples.keys[large[0]], int(self._sizes[members[large[0]]])
            raise LimitExceededError(f"{self._origin}: text of {size} bytes in sample {key!r}, the limit is {MAX_VALUE_BYTES}")

    def _add_labels(self, texts: list[str | None]) -> None:
        keys = self._samples.keys
        without = [key for key, text in zip(keys, texts, strict=True) if text is None]
        if without:
            raise LabelMismatchError(f"{self._origin}: samples without a .{CLASS} file: {shown(without)}; add it to them, or to none")
        labels = from_texts([(text or "").strip() for text in texts], keys, f"{self._origin}: .{CLASS}")
        self.columns[LABEL] = labels.values
        if labels.classes is not None:
            self.classes[LABEL] = labels.classes

    def _add_numbers(self, extension: str, texts: list[str | None]) -> None:
        """Add a column of integers; where some are none, of text."""
        if all(text is None or INTEGER.match(text.strip()) for text in texts):
            self._add(extension, pa.array([None if text is None else int(text) for text in texts], pa.int64()))
        else:
            self._add(extension, pa.array(texts, pa.string()))

    def _add_json(self, texts: list[str | None]) -> None:
        """Add a column per entry where every text is an object, else the text."""
        objects: list[dict[str, Any]] = []
        for key, text in zip(self._samples.keys, texts, strict=True):
            try:
                value = {} if text is None else json.loads(text)
            except (ValueError, RecursionError) as error:
                raise LabelMismatchError(f"{self._origin}: the .{JSON} file of sample {key!r} is not JSON: {error}; correct it") from error
            if not isinstance(value, dict):
                self._add(JSON, pa.array(texts, pa.string()))
                return
            objects.append(value)
        self._take_keys(objects)
        for name in dict.fromkeys(name for each in objects for name in each):
            self._add(name, json_column(name, [each.get(name) for each in objects], self.notes))

    def _take_keys(self, objects: list[dict[str, Any]]) -> None:
        """Take the entries `key` as the samples' keys, where each has one and no two are alike."""
        keys = [each.get(KEY) for each in objects]
        if all(isinstance(key, str) and key for key in keys) and len(set(keys)) == len(keys):
            self.keys = [str(each.pop(KEY)) for each in objects]

    def _add_opaque(self, extension: str, members: Indices) -> None:
        present = members[members != NONE]
        total = int(self._sizes[present].sum())
        if total > MAX_OPAQUE_BYTES:
            self.notes.append(f"{len(present)} files .{extension} have {total} bytes together; they are not decoded and were left out")
            return
        self._add(extension, pa.array([None if member == NONE else self._read(member) for member in members.tolist()], pa.binary()))
        self.notes.append(f"{len(present)} files .{extension} are kept as bytes; they are not decoded")

    def _add(self, name: str, values: pa.Array) -> None:
        self.columns[column_name(name, self.notes, {*self._taken, *self.columns})] = values
