"""What a dataset holds: image fields and columns."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa

from pixstore.errors import IncompatibleStoreError, SchemaError

ChannelOrder: TypeAlias = Literal["rgb", "bgr"]

SOURCE_CODECS = frozenset({"raw-planar", "raw-bgr", "raw-planar-bgr"})
"""Arrays as only sources keep them: channel by channel (C·H·W), blue first, or both. Read, they are H·W·C and red first, as in stores."""
ARRAY_CODECS = frozenset({"raw", "zstd", "lz4", *SOURCE_CODECS})
"""Arrays, as they are or compressed, whose bytes do not say their shape and dtype."""

KEY = "key"
MOST_DIMENSIONS = 32
MOST_IMAGE_BYTES = 1 << 40
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")


@dataclass(frozen=True)
class Format:
    """How one stored record is to be understood.

    codec: one of ARRAY_CODECS, "png", "jpeg", "webp", "qoi", "avif", or another Pillow format name in small letters.
    shape and dtype are those of the decoded array; None where only the bytes can tell.
    """

    codec: str | None
    shape: tuple[int, ...] | None
    dtype: str | None

    @property
    def is_known(self) -> bool:
        return self.codec is not None and self.shape is not None and self.dtype is not None

    @property
    def decoded_bytes(self) -> int:
        """Bytes of the decoded array."""
        if self.shape is None or self.dtype is None:
            raise SchemaError(f"the size of {self} is not known before its bytes are read")
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def sound_format(codec: str | None, shape: tuple[int, ...] | None, dtype: str | None) -> Format:
    """Return the format that a store states. Raises ValueError for one that no image has."""
    if shape is not None and (len(shape) > MOST_DIMENSIONS or any(type(each) is not int or each < 0 for each in shape)):
        raise ValueError(f"an image of shape {shape}")
    if dtype is not None and (not isinstance(dtype, str) or np.dtype(dtype).kind not in "biufc"):
        raise ValueError(f"an image of dtype {dtype!r}")
    if codec is not None and not isinstance(codec, str):
        raise ValueError(f"codec {codec!r}")
    if shape is not None and math.prod(shape) * (np.dtype(dtype).itemsize if dtype else 1) > MOST_IMAGE_BYTES:
        raise ValueError(f"an image of {dtype} and shape {shape}, above {MOST_IMAGE_BYTES:,} bytes")
    return Format(codec, shape, dtype)


@dataclass(frozen=True)
class Field:
    """One image field: its name, the codec asked for, and shape and dtype where every row has the same.

    channel_order: the order in which a source keeps the colours of its arrays; reading turns "bgr" into RGB, and stores are always "rgb".
    is_stack: whether each record is no image H·W·C but many of one size, N·H·W: one mask for each thing on the image, say.
    """

    name: str = "image"
    codec: str = "keep"
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    channel_order: ChannelOrder = "rgb"
    is_stack: bool = False

    def __post_init__(self) -> None:
        if not NAME.match(self.name):
            raise SchemaError(f"field name {self.name!r} is not usable: begin with a letter, go on with letters, digits, _ . -")

    @property
    def is_uniform(self) -> bool:
        return self.shape is not None and self.dtype is not None

    def to_json(self) -> dict[str, Any]:
        """Return the field as a manifest holds it; that it is a stack stands only where it is one."""
        shape = None if self.shape is None else list(self.shape)
        stack = {"stack": True} if self.is_stack else {}
        return {"name": self.name, "codec": self.codec, "shape": shape, "dtype": self.dtype, **stack}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Field:
        shape = None if value["shape"] is None else tuple(int(each) for each in value["shape"])
        return cls(value["name"], value["codec"], shape, value["dtype"], is_stack=value.get("stack") is True)


@dataclass(frozen=True)
class Schema:
    """Image fields by position, columns (without the key) as an Arrow schema, class names of integer columns, attributes.

    `classes` maps a column to the names of its integers: {"label": ("cat", "dog")}. `attributes` are what a source says of itself as a
    whole, values of JSON by name; a store made of it keeps them.
    """

    fields: tuple[Field, ...] = (Field(),)
    columns: pa.Schema = field(default_factory=lambda: pa.schema([]))
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [*self.field_names, *self.columns.names, KEY]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise SchemaError(f"names used twice: {', '.join(sorted(twice))}; every field and column needs its own")

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.fields)

    def field(self, name: str) -> Field:
        """Return the field of this name. Raises SchemaError naming the fields there are."""
        for each in self.fields:
            if each.name == name:
                return each
        raise SchemaError(f"no field {name!r}; fields here: {', '.join(self.field_names) or 'none'}")

    def with_field(self, changed: Field) -> Schema:
        """Return the schema with this field replaced, or added at the end."""
        if changed.name not in self.field_names:
            return replace(self, fields=(*self.fields, changed))
        return replace(self, fields=tuple(changed if each.name == changed.name else each for each in self.fields))

    def to_json(self) -> dict[str, Any]:
        """Return the schema as a manifest holds it; what was never said takes no place there."""
        return {
            "fields": [each.to_json() for each in self.fields],
            "columns": [{"name": column.name, "type": type_to_name(column.type)} for column in self.columns],
            "classes": {name: list(values) for name, values in self.classes.items()},
            **({"attributes": dict(self.attributes)} if self.attributes else {}),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Schema:
        fields = tuple(Field.from_json(each) for each in value["fields"])
        columns = pa.schema([(each["name"], type_from_name(each["type"])) for each in value["columns"]])
        classes = {name: tuple(names) for name, names in value["classes"].items()}
        return cls(fields, columns, classes, dict(value.get("attributes", {})))


SIMPLE_TYPES = {str(each): each for each in (
    pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
    pa.float16(), pa.float32(), pa.float64(), pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.null(),
)}  # fmt: skip


def type_to_name(value: pa.DataType) -> str:
    """Return the name a manifest holds for this column type."""
    if pa.types.is_list(value):
        return f"list<{type_to_name(value.value_type)}>"
    if str(value) in SIMPLE_TYPES:
        return str(value)
    raise SchemaError(f"columns of type {value} cannot be stored; use numbers, text, bytes, booleans or lists of them")


def type_from_name(name: str) -> pa.DataType:
    """Return the column type of this name. Raises IncompatibleStoreError for a name this version does not know."""
    if name.startswith("list<") and name.endswith(">"):
        return pa.list_(type_from_name(name[5:-1]))
    if name not in SIMPLE_TYPES:
        raise IncompatibleStoreError(f"column type {name!r} is not known to this pixstore; a newer version may read it")
    return SIMPLE_TYPES[name]
