"""Which dataset of an HDF5 file are the labels of its images, and which text names the classes.

A label is found by its name beside the images' name (`train_set_x` and `train_set_y`, `x_test` and `y_test`, `images` and `labels`), by a
name of its own (`label`, `target`, `y` …), or as the only integers beside them; first in the images' group, then in those around it.
What lies in a group around them and is as long as another set of images below that group is not theirs for certain, and not taken.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import LabelMismatchError
from pixstore.sources import labels
from pixstore.sources.hdf5.file import Hdf5File
from pixstore.sources.hdf5.nodes import DATASET, FIXED_TEXT, NUMBERS, ROOT, TEXT, Node

PAIRS = (
    (re.compile(r"(^|_)x(?=_|$)"), (r"\1y",)),
    (re.compile(r"images?|imgs?|data|pixels"), ("label", "labels", "target", "targets", "y", "meta")),
)
LABELS = ("label", "labels", "target", "targets", "y", "meta", "class", "category")
KEYS = ("key", "keys")
CLASSES = ("list_classes", "classes", "class_names", "label_names", "categories")
NO_LABEL = re.compile(r"(^|_)(ids?|idx|index|indices|offsets?|(ind)?ptr|starts?|ends?|lengths?|sizes?|fold|split|time)($|_)")
WHOLE = 2
"""From this many images on, one value more or less is taken for a mistake."""


@dataclass(frozen=True)
class Names:
    """The images' name, how many there are, and the groups to look in, the images' own first.

    `others` says of a group around them how many images other sets below it have.
    """

    file: Hdf5File
    name: str
    count: int
    groups: tuple[str, ...]
    others: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def datasets(self, group: str) -> list[Node]:
        """Return the datasets of numbers or text in a group that may belong to the images, but for the images themselves."""
        return [node for node in self._there(group) if not self._is_of_others(group, node)]

    def doubtful(self) -> list[Node]:
        """Return the datasets that are as long as these images, and as other images that they may belong to."""
        there = ((group, node) for group in self.groups for node in self._there(group))
        return [node for group, node in there if self._is_of_others(group, node) and node.shape and node.shape[0] == self.count]

    def _there(self, group: str) -> list[Node]:
        there = self.file.nodes_in(group)
        return [node for node in there if node.kind == DATASET and node.name != self.name and node.number in (*NUMBERS, TEXT, FIXED_TEXT)]

    def _is_of_others(self, group: str, node: Node) -> bool:
        return bool(node.shape) and (node.shape or (0,))[0] in self.others.get(group, ())


def groups_around(group: str) -> tuple[str, ...]:
    """Return a group's name and those of the groups around it, up to the file itself."""
    parts = group.split("/") if group else []
    return (*("/".join(parts[:end]) for end in range(len(parts), 0, -1)), ROOT)


def last(node: Node) -> str:
    return node.name.rpartition("/")[2]


def length_of(node: Node) -> int:
    """Return how many values there are for as many images; -1 where each image would have several."""
    return node.count if math.prod((node.shape or ())[1:]) == 1 else -1


def label_dataset(names: Names) -> tuple[Node | None, str]:
    """Return the dataset of labels and how it was found, or None.

    Raises LabelMismatchError where what is called like labels, or the only integers beside the images, are more or fewer than these.
    """
    for group in names.groups:
        there = names.datasets(group)
        by_name = {last(node).lower(): node for node in there}
        for wanted in (*_paired(names.name), *LABELS):
            node = by_name.get(wanted)
            if node is not None and _may_be_labels(node, names):
                return node, ""
    if any(last(node).lower() in KEYS for group in names.groups for node in names.datasets(group)):
        # A file that gives its keys gives its labels their name, too.
        return None, ""
    for group in names.groups:
        integers = [node for node in names.datasets(group) if node.number in "ui" and not NO_LABEL.search(last(node).lower())]
        fitting = [node for node in integers if length_of(node) == names.count and node.shape]
        if len(fitting) == 1:
            return fitting[0], f"took {fitting[0].name!r} for the labels: the only integers, one per image"
        if not fitting:
            _refuse_nearly(names, integers)
    return None, ""


def _paired(name: str) -> Iterable[str]:
    """Yield what the labels of images of this name are called, in small letters."""
    own = name.rpartition("/")[2].lower()
    for pattern, replacements in PAIRS:
        if pattern.search(own):
            yield from (pattern.sub(each, own) for each in replacements)


def _may_be_labels(node: Node, names: Names) -> bool:
    count = length_of(node)
    if count == names.count:
        return node.number in "uib" or node.number in (TEXT, FIXED_TEXT)
    if count < 0 or node.number == "f":
        return False
    if node.number in (TEXT, FIXED_TEXT) and count < names.count:
        # Fewer texts than images name classes.
        return False
    raise _mismatch(names, node)


def _refuse_nearly(names: Names, integers: Sequence[Node]) -> None:
    for node in integers:
        if names.count > WHOLE and abs(length_of(node) - names.count) == 1:
            raise _mismatch(names, node)


def _mismatch(names: Names, node: Node) -> LabelMismatchError:
    return LabelMismatchError(
        f"{names.file.path}: {names.count} images in {names.name!r} and {length_of(node)} labels in {node.name!r}; they should be as many"
    )


def values_of_labels(file: Hdf5File, node: Node) -> tuple[pa.Array, tuple[str, ...] | None] | None:
    """Return labels as int64, and the names of the classes where they were text; None where they were not read.

    Raises LabelMismatchError for numbers beyond int64.
    """
    values = file.values(node)
    if values is None:
        return None
    if isinstance(values, pa.Array):
        found = labels.from_texts(values.to_pylist(), [f"row {row}" for row in range(len(values))], f"{file.path}: {node.name!r}")
        return found.values, found.classes
    flat = values.reshape(-1)
    if flat.dtype.kind == "u" and len(flat) and int(flat.max()) >= 1 << 63:
        raise LabelMismatchError(f"{file.path}: {node.name!r} holds {int(flat.max())}, which is no label; correct it")
    return pa.array(flat.astype(np.int64)), None


def class_names(names: Names, label: Node, values: NDArray[np.int64]) -> tuple[tuple[str, ...], str]:
    """Return the names of the classes that labels are numbers of, and a note where there are names that do not fit; () for none."""
    for found, origin in _lists_of_names(names, label):
        if len(set(found)) < len(found):
            return (), f"{origin} names a class twice; the names were left out"
        least, most = (int(values.min()), int(values.max())) if len(values) else (0, 0)
        if least < 0 or most >= max(1, len(found)):
            words = f"{len(found)} names for labels of {least} to {most}"
            return (), f"{origin} does not name the classes: {words}; the names were left out"
        return found, ""
    return (), ""


def _lists_of_names(names: Names, label: Node) -> Iterable[tuple[tuple[str, ...], str]]:
    wanted = (f"{last(label).lower()}_classes", *CLASSES)
    for group in names.groups:
        by_name = {last(node).lower(): node for node in names.file.nodes_in(group) if node.number in (TEXT, FIXED_TEXT)}
        for name in wanted:
            values = names.file.values(by_name[name]) if name in by_name else None
            if isinstance(values, pa.Array):
                yield tuple(values.to_pylist()), repr(by_name[name].name)
    owners = (label.name, names.name, *names.groups)
    for node in (names.file.nodes[owner] for owner in owners if owner in names.file.nodes):
        for name in CLASSES:
            value: Any = node.attributes.get(name)
            if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
                yield tuple(value), f"attribute {name!r} of {'/' + node.name!r}"


def is_class_names(node: Node, label: Node | None) -> bool:
    """Return whether text is a list of names of classes, by its name."""
    return node.number in (TEXT, FIXED_TEXT) and last(node).lower() in (*CLASSES, *([f"{last(label).lower()}_classes"] if label else []))
