"""Remarks: good samples that are worth a note are counted, the first ones named."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pixstore.engine import FieldRecords
from pixstore.jobs.remarks import Remark, misnamed, summed, with_trailing
from pixstore.rows import Slices
from pixstore.schema import Format


def records(*codecs: str) -> FieldRecords:
    distinct = sorted(set(codecs))
    nowhere = np.zeros(len(codecs), np.int64)
    formats = [Format(codec, (1, 1), "uint8") for codec in distinct]
    return FieldRecords(Slices(b"", nowhere, nowhere), formats, np.array([distinct.index(each) for each in codecs], np.int32))


def test_trailing_bytes_are_counted_by_image() -> None:
    keys = pa.array(list("abcdef"))
    assert with_trailing(keys, np.array([0, 3, 0, 0, 0, 0])) == [Remark("bytes after the end of the image", 1, ("b",))]
    many = with_trailing(keys, np.ones(6, np.int64))[0]
    assert str(many) == "bytes after the end of the image: 6 (a, b, c and 3 more)" and with_trailing(keys, np.zeros(6, np.int64)) == []


@pytest.mark.parametrize(
    ("key", "codec", "is_misnamed"),
    [
        ("a.png", "png", False),
        ("a.PNG", "png", False),
        ("a.jpeg", "png", True),
        ("a.JPG", "jpeg", False),
        ("a.png", "jpeg", True),
        ("a.jpg.png", "png", False),
        ("00000001", "png", False),
        ("a.dat", "jpeg", False),
        ("a.webp", "gif", True),
        ("a.png", "raw", False),
    ],
)
def test_suffix_of_another_codec_is_misnamed(key: str, codec: str, is_misnamed: bool) -> None:
    found = misnamed(pa.array(["x.jpg", key, "y.png"]), records("jpeg", codec, "png"))
    assert [str(each) for each in found] == ([f"named otherwise than they are: 1 ({key} is {codec})"] if is_misnamed else [])


def test_remarks_of_ranges_are_one() -> None:
    assert summed([Remark("x", 3, ("a", "b", "c")), Remark("y", 1, ("d",)), Remark("x", 2, ("e", "f"))]) == [
        Remark("x", 5, ("a", "b", "c")),
        Remark("y", 1, ("d",)),
    ]
