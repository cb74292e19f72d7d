"""Raw images in the order of colours that a user states."""

from __future__ import annotations

import pytest

from pixstore.errors import InvalidInputError
from pixstore.schema import ChannelOrder, Format
from pixstore.sources.channel_orders import field_of, ordered

COLOURS, PLANES, GREY = Format("raw", (4, 5, 3), "uint8"), Format("raw-planar", (4, 5, 4), "uint8"), Format("raw", (4, 5), "uint8")


def test_colours_are_reversed_and_grey_stays() -> None:
    found = ordered([COLOURS, GREY, PLANES, COLOURS], "bgr", "x")
    assert [each.codec for each in found] == ["raw-bgr", "raw", "raw-planar-bgr", "raw-bgr"]
    assert [each.shape for each in found] == [(4, 5, 3), (4, 5), (4, 5, 4), (4, 5, 3)]


@pytest.mark.parametrize("order", [None, "rgb"])
def test_nothing_changes_without_a_reason(order: ChannelOrder | None) -> None:
    assert ordered([COLOURS, GREY], order, "x") == [COLOURS, GREY]


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="fewer"):
        ordered([GREY], "bgr", "x")
    with pytest.raises(InvalidInputError, match="encoded images know their own"):
        ordered([Format(None, None, None)], "rgb", "x")


def test_a_field_says_shape_and_order_where_all_have_the_same() -> None:
    same = field_of([Format("raw-bgr", (4, 5, 3), "uint8")])
    assert (same.shape, same.dtype, same.channel_order) == ((4, 5, 3), "uint8", "bgr")
    assert (field_of([COLOURS, GREY]).shape, field_of([COLOURS, GREY]).channel_order) == (None, "rgb")
