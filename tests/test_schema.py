"""Schema: what it states survives JSON, names are usable and stand once, types are those that last."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.errors import IncompatibleStoreError, SchemaError
from pixstore.schema import SIMPLE_TYPES, Field, Format, Schema, sound_format, type_from_name, type_to_name

TYPES = st.recursive(st.sampled_from(list(SIMPLE_TYPES.values())), lambda inner: inner.map(pa.list_), max_leaves=3)


@given(st.lists(TYPES, max_size=4), st.booleans())
def test_schema_survives_json(types: list[pa.DataType], uniform: bool) -> None:
    fields = (Field("image", "png", (2, 3, 3) if uniform else None, "uint8" if uniform else None), Field("mask"))
    columns = pa.schema([(f"c{number}", kind) for number, kind in enumerate(types)])
    schema = Schema(fields, columns, {"c0": ("cat", "dog")})
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema and fields[0].is_uniform is uniform


@given(TYPES)
def test_type_names_lead_back(kind: pa.DataType) -> None:
    assert type_from_name(type_to_name(kind)) == kind


@pytest.mark.parametrize("kind", [pa.date32(), pa.decimal128(5, 2), pa.struct([("a", pa.int8())]), pa.list_(pa.timestamp("s"))], ids=str)
def test_type_that_does_not_last_is_refused(kind: pa.DataType) -> None:
    with pytest.raises(SchemaError, match="columns of type"):
        type_to_name(kind)


@pytest.mark.parametrize("name", ["date32[day]", "list<nothing>", "list<", "", "int65"])
def test_type_name_of_another_version_is_refused(name: str) -> None:
    with pytest.raises(IncompatibleStoreError, match="not known"):
        type_from_name(name)


@pytest.mark.parametrize("name", ["", "1a", "a b", "a/b", "../a", "-a", "a\n", "ä"])
def test_unusable_field_name_is_refused(name: str) -> None:
    with pytest.raises(SchemaError, match="not usable"):
        Field(name)


@pytest.mark.parametrize(
    ("fields", "columns"), [(["image", "image"], []), (["image"], ["image"]), (["image"], ["key"]), (["key"], []), (["image"], ["a", "a"])]
)
def test_name_that_stands_twice_is_refused(fields: list[str], columns: list[str]) -> None:
    with pytest.raises(SchemaError, match="names used twice"):
        Schema(tuple(Field(name) for name in fields), pa.schema([(name, pa.int64()) for name in columns]))


def test_field_is_found_replaced_and_added_by_name() -> None:
    schema = Schema((Field("image"), Field("mask")))
    assert schema.field("mask").name == "mask"
    with pytest.raises(SchemaError, match="no field 'depth'; fields here: image, mask"):
        schema.field("depth")
    assert schema.with_field(Field("image", "png")).fields == (Field("image", "png"), Field("mask"))
    assert schema.with_field(Field("depth")).field_names == ("image", "mask", "depth")


def test_format_knows_the_bytes_of_its_array() -> None:
    assert Format("raw", (2, 3, 4), "uint16").decoded_bytes == 48 and Format("raw", (), "float64").decoded_bytes == 8
    assert not Format("png", None, None).is_known and Format("png", (1, 1), "uint8").is_known
    with pytest.raises(SchemaError, match="not known"):
        _ = Format("png", None, "uint8").decoded_bytes


@pytest.mark.parametrize(
    ("codec", "shape", "dtype"),
    [
        ("raw", (-1,), "uint8"),
        ("raw", (1.5,), "uint8"),
        ("raw", (True,), "uint8"),
        ("raw", (1,) * 33, "uint8"),
        ("raw", (1 << 31,) * 3, "uint8"),
        ("raw", (1 << 38,), "float64"),
        ("raw", (1,), "O"),
        ("raw", (1,), "S9"),
        ("raw", (1,), "nonsense"),
        ("raw", (1,), 3),
        (3, (1,), "uint8"),
    ],
)
def test_format_that_no_image_has_is_refused(codec: str, shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        sound_format(codec, shape, dtype)


def test_sound_format_is_as_stated() -> None:
    assert sound_format("raw", (2, 0), "complex64") == Format("raw", (2, 0), "complex64")
    assert sound_format(None, None, None) == Format(None, None, None)
