"""What the columns of an Arrow or Parquet table mean: which hold images, which are labels with names, which is the key.

Hugging Face's `datasets` keeps an image as a struct of `bytes` and `path`, and writes the kinds of its columns as JSON into the schema's
metadata under "huggingface": {"info": {"features": {"label": {"_type": "ClassLabel", "names": […]}}}}. Other tools keep images in plain
binary columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pixstore.errors import CorruptStoreError, DuplicateKeyError, InvalidInputError, LabelMismatchError, SchemaError
from pixstore.samples import IMAGE
from pixstore.schema import KEY, NAME, type_to_name
from pixstore.source import SourceReport
from pixstore.sources import labels

METADATA = b"huggingface"
MAX_METADATA_BYTES = 64 << 20
LABEL = "label"
NO_LABEL = -1
"""What `datasets` writes where a sample has no label, as in a test set."""


@dataclass(frozen=True)
class ImageColumn:
    """A column with one encoded image per row: its name in the file, the field it becomes, whether it is a struct of bytes and path."""

    name: str
    field: str
    is_struct: bool
    has_path: bool = False

    @property
    def leaf(self) -> str:
        """The path of its bytes, as Parquet names it."""
        return f"{self.name}.bytes" if self.is_struct else self.name


def checked_names(schema: pa.Schema, origin: str) -> None:
    """Raise CorruptStoreError for two columns of one name, or a name, of a field in a column too, that is not UTF-8."""
    try:
        names = [each.name for each in schema]
        waiting = [each.type for each in schema]
        while waiting:
            kind = waiting.pop()
            if pa.types.is_nested(kind):
                children = [kind.field(number) for number in range(kind.num_fields)]
                waiting += [child.type for child in children if child.name is not None]
    except UnicodeDecodeError as error:
        raise CorruptStoreError(f"{origin}: the name of a column is not UTF-8: {error}; get the file again") from error
    if len(set(names)) < len(names):
        raise CorruptStoreError(f"{origin}: has two columns of one name: {', '.join(names)[:200]}; rename one")


def class_names(metadata: Mapping[bytes, bytes] | None, origin: str) -> dict[str, tuple[str, ...]]:
    """Return the class names that Hugging Face metadata state, by column."""
    features = features_of((metadata or {}).get(METADATA, b"{}"), origin)
    return {name: names for name, feature in features.items() if (names := names_of(feature)) is not None}


def names_of(feature: object) -> tuple[str, ...] | None:
    """Return the names of a feature that is a class label with names."""
    names = feature.get("names") if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" else None
    return tuple(names) if isinstance(names, list) and all(isinstance(each, str) for each in names) else None


def features_of(text: bytes, origin: str) -> dict[str, Any]:
    """Return the features by column; none where the JSON has another form. Raises CorruptStoreError for what is no JSON."""
    if len(text) > MAX_METADATA_BYTES:
        raise CorruptStoreError(f"{origin}: {len(text)} bytes of Hugging Face metadata, the limit is {MAX_METADATA_BYTES}")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorruptStoreError(f"{origin}: its Hugging Face metadata are no JSON: {error}; write the file again") from error
    for name in ("info", "features"):
        found = found.get(name, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}


def image_columns(
    schema: pa.Schema, is_image: Callable[[str], bool], chosen: str | None, origin: str, report: SourceReport
) -> tuple[ImageColumn, ...]:
    """Return the columns that hold images, all of them or the one that is chosen; `is_image` looks at the first bytes of a binary one.

    A single one becomes the field `image`, several keep their names. Raises InvalidInputError naming the columns where there is none.
    """
    found = [each for each in (_image_column(field, is_image) for field in schema) if each is not None]
    report.notes.extend(f"column {each.name!r} holds lists of images and is left out" for each in schema if _is_list_of_images(each.type))
    if chosen is not None:
        found = [each for each in found if each.name == chosen]
    if not found:
        wanted = "no column of images" if chosen is None else f"no column {chosen!r} of images"
        columns = ", ".join(f"{each.name} ({each.type})" for each in schema)[:500]
        raise InvalidInputError(f"{origin}: has {wanted}; its columns are {columns}")
    if len(found) == 1:
        return (replace(found[0], field=IMAGE),)
    return tuple(replace(each, field=_usable(each.name)) for each in found)


def _image_column(field: pa.Field, is_image: Callable[[str], bool]) -> ImageColumn | None:
    if pa.types.is_struct(field.type):
        names = {each.name: each.type for each in field.type}
        if set(names) <= {"bytes", "path"} and "bytes" in names and _is_binary(names["bytes"]):
            return ImageColumn(field.name, field.name, True, "path" in names)
        return None
    return ImageColumn(field.name, field.name, False) if _is_binary(field.type) and is_image(field.name) else None


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _is_list_of_images(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return is_list and pa.types.is_struct(kind.value_type) and "bytes" in {each.name for each in kind.value_type}


def _usable(name: str) -> str:
    usable = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return usable if NAME.match(usable) else f"image_{usable}"


def kept_names(schema: pa.Schema, images: Sequence[ImageColumn], report: SourceReport) -> list[str]:
    """Return the columns that are kept as columns; a type that stores do not keep is named in the report."""
    kept = []
    for field in schema:
        if field.name in {each.name for each in images} or _is_list_of_images(field.type):
            continue
        if keepable(field.type) is None:
            report.notes.append(f"column {field.name!r} of type {field.type} is left out: numbers, text, bytes and lists of them are kept")
        else:
            kept.append(field.name)
    return kept


def keepable(kind: pa.DataType) -> pa.DataType | None:
    """Return the type in which a column is kept, None where it cannot be."""
    if pa.types.is_dictionary(kind):
        return keepable(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = keepable(kind.value_type)
        return None if inner is None else pa.list_(inner)
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    try:
        type_to_name(kind)
    except SchemaError:
        return None
    return kind


def settled(
    table: pa.Table, classes: Mapping[str, tuple[str, ...]], taken: Sequence[str], origin: str
) -> tuple[pa.Table, dict[str, tuple[str, ...]]]:
    """Return the columns in types that are kept, with `label` as int64, and the class names of those that have some.

    The one column with class names becomes `label` where there is none of that name. A name that a field has gets an underscore.
    Raises LabelMismatchError for a label beyond its names.
    """
    table = table.cast(pa.schema([(each.name, keepable(each.type)) for each in table.schema]))
    named = {
        name: names for name, names in classes.items() if name in table.column_names and pa.types.is_integer(table.schema.field(name).type)
    }
    for name, names in named.items():
        table = table.set_column(table.column_names.index(name), name, _checked_label(table[name], name, names, origin))
    if len(named) == 1 and LABEL not in table.column_names:
        (name,) = named
        table = table.rename_columns([LABEL if each == name else each for each in table.column_names])
        named = {LABEL: named[name]}
    if LABEL in table.column_names and LABEL not in named:
        table, names_of_text = _with_label(table, origin)
        named |= names_of_text
    return table.rename_columns(beside(table.column_names, taken)), named


def beside(names: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Return the names of columns, with an underscore or more where a field has the name."""
    found = []
    for name in names:
        free = name
        while free in taken or (free != name and free in names):
            free += "_"
        found.append(free)
    return found


def _checked_label(values: pa.ChunkedArray, name: str, names: Sequence[str], origin: str) -> pa.ChunkedArray:
    numbers = _as_int64(values, origin)
    is_beyond = pc.fill_null(pc.or_(pc.greater_equal(numbers, len(names)), pc.less(numbers, NO_LABEL)), False)
    if pc.any(is_beyond).as_py():
        beyond = pc.index(is_beyond, True).as_py()
        raise LabelMismatchError(
            f"{origin}: row {beyond} has {name} {numbers[beyond]}, and there are {len(names)} class names; correct one of them"
        )
    return pc.if_else(pc.equal(numbers, NO_LABEL), pa.scalar(None, pa.int64()), numbers)


def _with_label(table: pa.Table, origin: str) -> tuple[pa.Table, dict[str, tuple[str, ...]]]:
    values = table[LABEL]
    place = table.column_names.index(LABEL)
    if pa.types.is_integer(values.type):
        return table.set_column(place, LABEL, _as_int64(values, origin)), {}
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if not is_text or values.null_count:
        return table, {}
    found = labels_of_texts(values.cast(pa.string()).combine_chunks())
    return table.set_column(place, LABEL, found.values), {} if found.classes is None else {LABEL: found.classes}


def labels_of_texts(texts: pa.Array) -> labels.Labels:
    """Return integers where all texts are such, else the numbers of class names."""
    named = texts.dictionary_encode()
    distinct: list[str] = named.dictionary.to_pylist()
    if distinct and all(labels.INTEGER.match(each) for each in distinct):
        return labels.Labels(pa.array([int(each) for each in distinct], pa.int64()).take(named.indices), None)
    return labels.from_dictionary(named)


def _as_int64(values: pa.ChunkedArray, origin: str) -> pa.ChunkedArray:
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise LabelMismatchError(f"{origin}: a label is beyond 64 bits with a sign: {error}; correct it") from error


def unique_keys(table: pa.Table, origin: str) -> pa.ChunkedArray | None:
    """Return the column `key` as text, None where there is none. Raises DuplicateKeyError for a key twice or one that is missing."""
    if KEY not in table.column_names:
        return None
    keys = table[KEY]
    if not (pa.types.is_string(keys.type) or pa.types.is_large_string(keys.type) or pa.types.is_integer(keys.type)):
        raise InvalidInputError(f"{origin}: its column 'key' is {keys.type}; keys are text; rename the column")
    keys = keys.cast(pa.string())
    if not is_unique(keys):
        counts = pc.value_counts(keys.combine_chunks())
        twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
        raise DuplicateKeyError(
            f"{origin}: column 'key' has {labels.shown(twice)} more than once, or no key; correct it or rename the column"
        )
    return keys


def is_unique(values: pa.ChunkedArray | pa.Array) -> bool:
    """Return whether every value is there, is not empty, and is there once."""
    return values.null_count == 0 and pc.count_distinct(values).as_py() == len(values) and not pc.any(pc.equal(values, "")).as_py()
