"""What columns of tables mean: images, labels, keys, and what is kept."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pixstore.errors import CorruptStoreError, DuplicateKeyError, InvalidInputError, LabelMismatchError
from pixstore.source import SourceReport
from pixstore.sources.tables.columns import (
    beside,
    checked_names,
    class_names,
    image_columns,
    is_unique,
    keepable,
    kept_names,
    labels_of_texts,
    settled,
    unique_keys,
)

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def test_structs_and_binary_images_are_fields_and_lists_of_them_are_named() -> None:
    schema = pa.schema([("my img", STRUCT), ("raw", pa.binary()), ("hash", pa.binary()), ("more", pa.list_(STRUCT)), ("n", pa.int8())])
    report = SourceReport()
    found = image_columns(schema, lambda name: name == "raw", None, "x", report)
    assert [(each.name, each.field, each.leaf) for each in found] == [("my img", "my_img", "my img.bytes"), ("raw", "raw", "raw")]
    assert report.notes == ["column 'more' holds lists of images and is left out"]
    assert kept_names(schema, found, report) == ["hash", "n"]
    assert image_columns(schema, lambda name: False, "my img", "x", report)[0].field == "image"
    with pytest.raises(InvalidInputError, match="no column 'n' of images"):
        image_columns(schema, lambda name: False, "n", "x", report)


def test_columns_named_as_a_field_are_all_kept() -> None:
    table, _ = settled(pa.table({"image": [1], "image_": [2], "label": [3]}), {}, ["image"], "x")
    assert table.to_pydict() == {"image__": [1], "image_": [2], "label": [3]}
    assert beside(["image", "n"], ["image"]) == ["image_", "n"]


def test_wrongly_described_labels_that_are_integers_written_as_text_keep_their_number() -> None:
    table, classes = settled(pa.table({"label": ["1", "2", "10", "+2"]}), {}, [], "x")
    assert (table["label"].to_pylist(), classes) == ([1, 2, 10, 2], {})
    found = labels_of_texts(pa.array(["2", "cat", "2"]))
    assert (found.values.to_pylist(), found.classes) == ([0, 1, 0], ("2", "cat"))


@pytest.mark.parametrize("classes", [{}, {"label": ("a", "b")}])
def test_labels_beyond_their_type_are_refused(classes: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(LabelMismatchError, match="x: a label is beyond 64 bits"):
        settled(pa.table({"label": pa.array([1, 1 << 63], pa.uint64())}), classes, [], "x")


def test_types_that_stores_keep() -> None:
    assert keepable(pa.dictionary(pa.int8(), pa.large_string())) == pa.large_string()
    assert keepable(pa.list_(pa.list_(pa.float16()), 3)) == pa.list_(pa.list_(pa.float16()))
    assert keepable(pa.string_view()) == pa.string() and keepable(pa.binary(4)) == pa.binary()
    assert keepable(pa.timestamp("s")) is None and keepable(pa.list_(STRUCT)) is None


def test_the_one_column_with_names_becomes_label() -> None:
    table, classes = settled(pa.table({"fine": pa.array([1, -1], pa.int16())}), {"fine": ("a", "b")}, [], "x")
    assert table.to_pydict() == {"label": [1, None]} and classes == {"label": ("a", "b")}


def test_labels_that_are_texts_are_numbered() -> None:
    table, classes = settled(pa.table({"label": ["dog", "cat", "dog"]}), {}, [], "x")
    assert table["label"].to_pylist() == [1, 0, 1] and classes == {"label": ("cat", "dog")}


def test_a_column_named_like_a_field_gets_an_underscore() -> None:
    assert settled(pa.table({"image": [1]}), {}, ["image"], "x")[0].column_names == ["image_"]


@pytest.mark.parametrize("label", [2, -2])
def test_labels_beyond_their_names_are_refused(label: int) -> None:
    with pytest.raises(LabelMismatchError, match=f"row 1 has label {label}"):
        settled(pa.table({"label": [0, label]}), {"label": ("a", "b")}, [], "x")


def test_keys_are_text_and_differ() -> None:
    keys = unique_keys(pa.table({"key": [3, 5]}), "x")
    assert keys is not None and keys.to_pylist() == ["3", "5"]
    assert unique_keys(pa.table({"a": [1]}), "x") is None
    for values in (["a", "a"], ["a", None], ["a", ""]):
        assert not is_unique(pa.array(values))
        with pytest.raises(DuplicateKeyError):
            unique_keys(pa.table({"key": values}), "x")
    with pytest.raises(InvalidInputError, match="keys are text"):
        unique_keys(pa.table({"key": [1.5]}), "x")


def test_odd_metadata_have_no_names() -> None:
    for text in (b"[]", b"{}", b'{"info": 3}', b'{"info": {"features": {"label": {"_type": "ClassLabel", "names": [1]}}}}'):
        assert class_names({b"huggingface": text}, "x") == {}
    with pytest.raises(CorruptStoreError, match="no JSON"):
        class_names({b"huggingface": b"\xff"}, "x")


def test_names_that_are_not_utf8_are_refused() -> None:
    schema = pa.schema([("aaaa", pa.struct([("bbbb", pa.int8())]))])
    for name in (b"aaaa", b"bbbb"):
        damaged = pa.py_buffer(schema.serialize().to_pybytes().replace(name, b"\xff\xfe\xff\xfe"))
        with pytest.raises(CorruptStoreError, match="not UTF-8"):
            checked_names(pa.ipc.read_schema(damaged), "x")
