"""What an HDF5 file says beside its images: labels, further values of each, names of classes, attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixstore.errors import DuplicateKeyError, KeyInvalidError
from pixstore.samples import IMAGE
from pixstore.schema import KEY
from pixstore.sources import labels
from pixstore.sources.hdf5.candidates import Candidate, sizes_of_others
from pixstore.sources.hdf5.file import Hdf5File
from pixstore.sources.hdf5.labels import (
    KEYS,
    Names,
    class_names,
    groups_around,
    is_class_names,
    label_dataset,
    last,
    length_of,
    values_of_labels,
)
from pixstore.sources.hdf5.nodes import ROOT, Node

LABEL = "label"


@dataclass
class Beside:
    """Columns by name, the key and the label first, classes by column, attributes, and notes for the user."""

    columns: dict[str, pa.Array]
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def beside(file: Hdf5File, images: Candidate, count: int, fields: Sequence[Candidate] = ()) -> Beside:
    """Return what belongs to these images, and to those of further fields.

    Raises LabelMismatchError, DuplicateKeyError, KeyInvalidError.
    """
    around = groups_around(images.place)
    names = Names(file, images.name, count, around, sizes_of_others(file, (images, *fields), around[1:]))
    inside = [file.nodes[name] for name in images.names] if images.place == images.name and images.name not in images.names else []
    found = Beside({KEY: _names_of(file, inside) if inside else pa.array([f"{row:08}" for row in range(count)], pa.string())})
    label, note = label_dataset(names)
    _add_label(found, names, label, note)
    taken = [name for each in fields for name in (each.name, *each.names)]
    used = {images.name, *images.names, *taken, *([label.name] if label else [])}
    for group in names.groups:
        for node in names.datasets(group):
            if node.name not in used:
                _add_column(found, names, node, is_class_names(node, label))
    found.notes += [f"{node.name!r} was left out: other images are as many, and it may be theirs" for node in names.doubtful()]
    _add_attributes_of_each(found, inside)
    owners = [
        ROOT,
        *reversed(names.groups[:-1]),
        *([] if inside else images.names),
        *([label.name] if label else []),
        *(each.name for each in fields),
    ]
    found.attributes = _attributes(file, list(dict.fromkeys(owners)), found.notes)
    return found


def _names_of(file: Hdf5File, nodes: Sequence[Node]) -> pa.Array:
    try:
        return pa.array([last(node) for node in nodes], pa.string())
    except UnicodeEncodeError as error:
        raise KeyInvalidError(f"{file.path}: the name of a dataset is not UTF-8: {error.object!r}; rename it") from error


def _add_label(found: Beside, names: Names, label: Node | None, note: str) -> None:
    known = values_of_labels(names.file, label) if label is not None else None
    if label is None:
        return
    if known is None:
        found.notes.append(f"{label.name!r} was not read: it is too large for labels, or damaged")
        return
    found.columns[LABEL], classes = known
    if note:
        found.notes.append(note)
    if classes is None:
        classes, note = class_names(names, label, known[0].to_numpy())
        found.notes += [note] if note else []
    if classes:
        found.classes[LABEL] = classes


def _add_column(found: Beside, names: Names, node: Node, are_classes: bool) -> None:
    """Add what has one value, or a row of numbers, per image; what is called `key` and is text is the keys."""
    if not node.shape or node.shape[0] != names.count or (are_classes and found.classes):
        return
    values = names.file.values(node)
    name = last(node)
    if values is None or len(values) != names.count:
        if length_of(node) == names.count:
            found.notes.append(f"{node.name!r} was not read: it is too large for a column, or damaged")
        return
    if isinstance(values, pa.Array) and name.lower() in KEYS:
        found.columns[KEY] = _keys(names, node, values)
    elif name in (*found.columns, IMAGE) or not _is_text(name):
        found.notes.append(f"{node.name!r} was left out: {name!r} is the name of something else")
    else:
        found.columns[name] = values if isinstance(values, pa.Array) else _column(values)


def _column(values: NDArray[Any]) -> pa.Array:
    """Return N numbers as a column, N rows of them as a column of lists."""
    width = math.prod(values.shape[1:])
    flat = pa.array(values.reshape(-1))
    if len(values.shape) == 1 or width == 1:
        return flat
    return pa.ListArray.from_arrays(pa.array(np.arange(len(values) + 1, dtype=np.int32) * width), flat)


def _keys(names: Names, node: Node, values: pa.Array) -> pa.Array:
    counts = pc.value_counts(values)
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        raise DuplicateKeyError(f"{names.file.path}: {node.name!r} holds {twice[0]['values'].as_py()!r} twice; keys are told apart by it")
    if pc.any(pc.equal(pc.binary_length(values), 0)).as_py():
        raise KeyInvalidError(f"{names.file.path}: {node.name!r} holds a key without a character; write it again")
    return values


def _is_text(name: str) -> bool:
    return name.isprintable()


def _add_attributes_of_each(found: Beside, nodes: Sequence[Node]) -> None:
    """Add attributes that every dataset of a group has, numbers or text, as columns; `label` is the label."""
    shared = set(nodes[0].attributes) if nodes else set()
    for node in nodes:
        shared &= node.attributes.keys()
    for name in sorted(shared):
        values = [node.attributes[name] for node in nodes]
        if name in (*found.columns, IMAGE) or not _is_text(name) or len({type(value) for value in values} - {bool}) > 1:
            continue
        if isinstance(values[0], (bool, int, float, str)) and (column := _from_python(values)) is not None:
            found.columns[name] = column
    if pa.types.is_string(found.columns.get(LABEL, pa.nulls(0)).type):
        named = labels.from_texts(found.columns[LABEL].to_pylist(), found.columns[KEY].to_pylist(), "attribute 'label'")
        found.columns[LABEL] = named.values
        found.classes |= {LABEL: named.classes} if named.classes else {}
    left = sorted({name for node in nodes for name in node.attributes} - set(found.columns))
    if left:
        found.notes.append(f"attributes that not every image has, or that are no numbers or text, were left out: {', '.join(left[:5])}")


def _from_python(values: Sequence[Any]) -> pa.Array | None:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        # Values of several kinds; they are named as left out.
        return None


def _attributes(file: Hdf5File, owners: Sequence[str], notes: list[str]) -> dict[str, Any]:
    """Return the attributes of the file under their own names, those of a group or dataset under its address."""
    found: dict[str, Any] = {}
    for owner, node in ((each, file.nodes[each]) for each in owners if each in file.nodes):
        values: Mapping[str, Any] = node.attributes
        if node.unread:
            notes.append(f"attributes of '/{owner}' that are no numbers or text, or too large, were left out: {', '.join(node.unread)}")
        if owner == ROOT:
            found |= values
        elif values:
            found[f"/{owner}"] = dict(values)
    return found
