"""A Datum is read as the protobuf library wrote it, on the quick way and on the full one, and contradictions are refused."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore import wire
from pixstore.errors import CorruptRecordError, CorruptStoreError, LabelMismatchError, PixstoreError, UnsupportedImageError
from pixstore.schema import Format
from pixstore.sources.caffe_datum import Datum, DatumReader, labels_of, read_datum, without_tags

sys.path.append(str(Path(__file__).parents[1]))
make = importlib.import_module("foreign_databases")

IMAGE = make.images(1)[0]
PNG = make.encoded(IMAGE)
INT32 = st.integers(-(1 << 31), (1 << 31) - 1)


def read(message: bytes, order: Any = "bgr") -> DatumReader:
    reader = DatumReader(order)
    reader.read(message, 0, len(message), origin="here")
    return reader


@given(INT32, INT32, INT32, st.binary(min_size=1, max_size=300), st.none() | INT32, st.none() | st.booleans())
def test_both_ways_of_reading_find_what_the_library_wrote(
    channels: int, height: int, width: int, data: bytes, label: int | None, encoded: bool | None
) -> None:
    optional = {name: value for name, value in (("label", label), ("encoded", encoded)) if value is not None}
    message = make.Datum(channels=channels, height=height, width=width, data=data, **optional).SerializeToString()
    full = read_datum(message, 0, len(message), origin="m")
    assert full == DatumReader("bgr")._usual(message, 0, len(message))
    assert (full.shape, full.label, full.encoded) == ((height, width, channels), label, bool(encoded))
    assert message[full.begin : full.end] == data


def test_fields_in_another_order_and_unknown_ones_are_read() -> None:
    pixels = make.planar_bgr(IMAGE)
    message = wire.varint_field(5, 9) + wire.bytes_field(4, pixels) + wire.varint_field(99, 1) + make.datum(IMAGE, None, data=None)
    reader = read(message)
    assert reader.labels == [9]
    assert message[reader.begin[0] : reader.begin[0] + reader.length[0]] == pixels
    assert reader.formats == [Format("raw-planar-bgr", (12, 10, 3), "uint8")]


def test_arrays_are_bgr_planes_unless_told_otherwise() -> None:
    assert read(make.datum(IMAGE)).formats == [Format("raw-planar-bgr", (12, 10, 3), "uint8")]
    assert read(make.datum(IMAGE), "rgb").formats == [Format("raw-planar", (12, 10, 3), "uint8")]
    assert read(make.datum(IMAGE[..., :1])).formats == [Format("raw", (12, 10, 1), "uint8")]
    assert read(make.datum(IMAGE[..., :2])).formats == [Format("raw-planar", (12, 10, 2), "uint8")]


def test_an_encoded_image_says_itself_what_it_is() -> None:
    assert read(make.Datum(data=PNG, encoded=True, label=1).SerializeToString()).formats == [Format(None, None, None)]


def test_floats_with_tags_between_them_are_gathered() -> None:
    image = IMAGE.astype(np.float32) / 7
    message = make.datum(image, 5)
    reader = read(message)
    run = message[reader.begin[0] : reader.begin[0] + reader.length[0]]
    assert reader.spaced and reader.labels == [5]
    assert reader.formats == [Format("raw-planar-bgr", (12, 10, 3), "float32")]
    assert without_tags(run) == make.planar_bgr(image)


def test_packed_floats_lie_as_they_are() -> None:
    numbers = np.arange(6, dtype=np.float32)
    message = make.Datum(channels=1, height=2, width=3, label=0).SerializeToString() + wire.packed_floats_field(6, numbers)
    reader = read(message)
    assert not reader.spaced
    assert message[reader.begin[0] :] == numbers.tobytes()
    assert reader.formats == [Format("raw", (2, 3, 1), "float32")]


@pytest.mark.parametrize(
    ("message", "error", "words"),
    [
        (make.datum(IMAGE, data=b"x" * 359), CorruptRecordError, "data has 359 values, 3 × 12 × 10 needs 360"),
        (make.datum(IMAGE, data=PNG), CorruptRecordError, "looks like an encoded image without the flag"),
        (make.datum(IMAGE, encoded=True), CorruptRecordError, r"says encoded.*which is no image"),
        (make.datum(IMAGE, data=None, float_data=[1.0] * 359), CorruptRecordError, "float_data has 359 values, 3 × 12 × 10 needs 360"),
        (make.datum(IMAGE, float_data=[1.0]), CorruptRecordError, "data and float_data"),
        (make.datum(IMAGE, channels=0, data=b""), UnsupportedImageError, "0 channels of 12 × 10 pixels are features"),
        (make.datum(IMAGE, height=-12), UnsupportedImageError, "-12"),
        (make.datum(IMAGE, data=None), CorruptRecordError, "neither data nor float_data"),
        (b"\x80\x03ctutorial\nImage\n", CorruptStoreError, "here"),
        (b"\x20\x05", CorruptRecordError, "field 4 is of kind 0"),
        (wire.varint_field(50, 1) * 2000, CorruptRecordError, "more than 1000 fields"),
        (make.datum(IMAGE)[:-50], CorruptStoreError, "ends at byte"),
    ],
)
def test_wrongly_described_messages_are_refused_with_sizes(message: bytes, error: type[PixstoreError], words: str) -> None:
    with pytest.raises(error, match=f"here.*{words}"):
        read(message)


def test_arrays_among_floats_are_refused() -> None:
    reader = read(make.datum(IMAGE.astype(np.float32)))
    message = make.datum(IMAGE)
    with pytest.raises(CorruptRecordError, match=r"second.*keep one kind"):
        reader.read(message, 0, len(message), origin="second")


def test_wrongly_described_labels_that_some_lack_are_named() -> None:
    reader = DatumReader("bgr")
    for label in (1, None, 2):
        message = make.datum(IMAGE, label)
        reader.read(message, 0, len(message), origin="m")
    with pytest.raises(LabelMismatchError, match=r"without a label, of 3: 1 \('b'\)"):
        labels_of(reader, ["a", "b", "c"], "here")


def test_no_labels_at_all_are_no_column() -> None:
    assert labels_of(read(make.datum(IMAGE, None)), ["a"], "here") is None


@given(st.binary(max_size=80), st.integers(0, 400), st.integers(0, 255))
def test_damaged_messages_are_other_data_or_one_of_our_errors(more: bytes, place: int, byte: int) -> None:
    content = bytearray(make.datum(IMAGE, 3) + more)
    content[place % len(content)] = byte
    message = bytes(content)
    try:
        reader = read(message)
    except PixstoreError as error:
        assert "here" in str(error)
        return
    assert 0 <= reader.begin[0] <= reader.begin[0] + reader.length[0] <= len(message)
    assert isinstance(read_datum(message, 0, len(message), origin="m"), Datum)
