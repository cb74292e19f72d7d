"""tf.train.Example read as data, against protobuf with the published schema."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import foreign_tables as foreign
from pixstore import wire
from pixstore.errors import CorruptStoreError, InvalidInputError, PixstoreError
from pixstore.sources.examples.example import ExampleReader

INTEGERS = st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=6)
FLOATS = st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=6)
STRINGS = st.lists(st.binary(max_size=200), min_size=1, max_size=4)
FEATURES = st.dictionaries(st.text(max_size=12), INTEGERS | FLOATS | STRINGS, max_size=6)


def read(record: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for feature in ExampleReader().read(record, "x"):
        spans = [record[begin:end] for begin, end in feature.spans()] if feature.kind == "bytes" else list(feature.values)
        found[feature.name] = spans
    return found


@given(FEATURES)
def test_what_protobuf_writes_is_read(features: dict[str, Any]) -> None:
    assert read(foreign.example(features)) == features


def test_features_that_repeat_are_the_same_as_at_first() -> None:
    reader = ExampleReader()
    rows = [{"image": bytes([number]) * (100 + number * 30), "label": 3, "name": f"n{number % 2}"} for number in range(6)]
    for row in rows:
        record = foreign.example(row)
        found = {feature.name: feature for feature in reader.read(record, "x")}
        ((begin, end),) = found["image"].spans()
        assert record[begin:end] == row["image"] and found["label"].values == (3,)
        assert [record[first:last].decode() for first, last in found["name"].spans()] == [row["name"]]


def test_lists_that_are_not_packed_are_read() -> None:
    values = b"".join(wire.varint_field(1, number) for number in (5, 300))
    entry = wire.bytes_field(1, b"n") + wire.bytes_field(2, wire.bytes_field(3, values))
    assert read(wire.bytes_field(1, wire.bytes_field(1, entry))) == {"n": [5, 300]}


def test_a_feature_without_a_list_has_no_values() -> None:
    assert read(wire.bytes_field(1, wire.bytes_field(1, wire.bytes_field(1, b"n")))) == {"n": []}


def test_a_sequence_is_refused_by_name() -> None:
    with pytest.raises(InvalidInputError, match="SequenceExample"):
        read(wire.bytes_field(2, b""))


def test_any_damage_is_an_error_of_ours_or_other_values() -> None:
    whole = foreign.example({"image": bytes(300), "label": [1, -2], "share": [0.5], "name": "cat"})
    random = np.random.default_rng(0)
    for _ in range(2000):
        damaged = bytearray(whole)
        damaged[int(random.integers(0, len(whole)))] ^= int(random.integers(1, 256))
        try:
            read(bytes(damaged))
        except PixstoreError as error:
            assert isinstance(error, CorruptStoreError | InvalidInputError)
