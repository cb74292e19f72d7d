"""Messages are read as the protobuf library wrote them and written as it reads them; hostile bytes are one of our errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from pixstore import wire
from pixstore.errors import CorruptStoreError

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
FLOAT = st.floats(width=32, allow_nan=False)


def message_class() -> Any:
    """Return a message type of the protobuf library: one integer, one text, bytes, and packed integers and floats."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="sample.proto", package="sample", syntax="proto3")
    described = file.message_type.add(name="Sample")
    for name, number, kind, label in (
        ("count", 1, kinds.TYPE_INT64, kinds.LABEL_OPTIONAL),
        ("text", 2, kinds.TYPE_STRING, kinds.LABEL_OPTIONAL),
        ("blob", 3, kinds.TYPE_BYTES, kinds.LABEL_OPTIONAL),
        ("integers", 4, kinds.TYPE_INT64, kinds.LABEL_REPEATED),
        ("floats", 500, kinds.TYPE_FLOAT, kinds.LABEL_REPEATED),
        ("double", 6, kinds.TYPE_DOUBLE, kinds.LABEL_OPTIONAL),
        ("fixed", 7, kinds.TYPE_FIXED32, kinds.LABEL_OPTIONAL),
    ):
        described.field.add(name=name, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("sample.Sample"))


SAMPLE = message_class()


def by_number(message: bytes) -> dict[int, wire.WireField]:
    return {field.number: field for field in wire.fields(message, 0, len(message), origin="m")}


@given(INT64, st.text(), st.binary(), st.lists(INT64), st.lists(FLOAT))
def test_what_the_library_wrote_is_read(count: int, text: str, blob: bytes, integers: list[int], floats: list[float]) -> None:
    message = SAMPLE(count=count, text=text, blob=blob, integers=integers, floats=floats, double=1.5, fixed=9).SerializeToString()
    found = by_number(message)
    assert (wire.signed(found[1].value) if 1 in found else 0) == count
    assert message[found[2].begin : found[2].end].decode() == text if text else 2 not in found
    assert message[found[3].begin : found[3].end] == blob if blob else 3 not in found
    if integers:
        assert wire.packed_varints(message, found[4].begin, found[4].end, origin="m").tolist() == integers
    if floats:
        assert wire.packed_floats(message, found[500].begin, found[500].end, origin="m").tolist() == floats
    assert (found[6].kind, found[6].end - found[6].begin) == (wire.FIXED64, 8)
    assert (found[7].kind, message[found[7].begin : found[7].end]) == (wire.FIXED32, b"\x09\0\0\0")


@given(INT64, st.binary(), st.lists(INT64), st.lists(FLOAT))
def test_what_is_written_the_library_reads(count: int, blob: bytes, integers: list[int], floats: list[float]) -> None:
    message = b"".join(
        (
            wire.varint_field(1, count),
            wire.bytes_field(3, blob),
            wire.packed_varints_field(4, integers),
            wire.packed_floats_field(500, np.array(floats, np.float32)),
        )
    )
    assert SAMPLE.FromString(message) == SAMPLE(count=count, blob=blob, integers=integers, floats=floats)


def test_a_message_within_a_file_is_read_in_its_bounds() -> None:
    message = b"before" + wire.varint_field(1, 300) + b"\xff" * 10
    (found,) = wire.fields(memoryview(message), 6, 9, origin="m")
    assert found == wire.WireField(1, wire.VARINT, 300, 7, 9)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\x08", "does not end"),
        (b"\x08" + b"\xff" * 11, "does not end"),
        (b"\x1a\x05abcd", "field 3 ends at byte 7, its message at 6"),
        (b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "field 3 ends at"),
        (b"\x0d\0\0\0", "field 1 ends at byte 5"),
        (b"\x09\0\0\0\0", "field 1 ends at byte 9"),
        (b"\x0b", "kind 3"),
        (b"\x0f", "kind 7"),
        (b"\x00\x01", "number 0"),
    ],
)
def test_what_is_no_message_is_refused_with_its_place(message: bytes, reason: str) -> None:
    with pytest.raises(CorruptStoreError, match=f"here.bin.*{reason}"):
        list(wire.fields(message, 0, len(message), origin="here.bin"))


def test_bounds_outside_the_bytes_are_refused() -> None:
    with pytest.raises(CorruptStoreError, match="bytes 0 to 9 of 3"):
        list(wire.fields(b"abc", 0, 9, origin="m"))


@pytest.mark.parametrize("content", [b"\x80", b"\x01\xff", b"\xff" * 10 + b"\x01"])
def test_packed_integers_that_do_not_end_are_refused(content: bytes) -> None:
    with pytest.raises(CorruptStoreError, match="here"):
        wire.packed_varints(content, 0, len(content), origin="here")


def test_packed_floats_that_are_cut_are_refused() -> None:
    with pytest.raises(CorruptStoreError, match="no run of float32"):
        wire.packed_floats(b"123456", 0, 6, origin="here")


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_within_them_or_one_of_our_errors(content: bytes) -> None:
    try:
        found = list(wire.fields(content, 0, len(content), origin="m"))
    except CorruptStoreError:
        return
    assert all(0 < field.begin <= field.end <= len(content) for field in found)
