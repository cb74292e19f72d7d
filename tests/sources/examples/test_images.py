"""Which feature is the image."""

from __future__ import annotations

from typing import Any

import pytest

import foreign_tables as foreign
from pixstore.errors import InvalidInputError
from pixstore.schema import Format
from pixstore.sources.examples.example import ExampleReader
from pixstore.sources.examples.images import ImageFeature, image_feature

PNG = foreign.encoded(1)[0]


def chosen(features: dict[str, Any], inner: str | None = None) -> ImageFeature:
    record = foreign.example(features)
    return image_feature(ExampleReader().read(record, "x"), record, inner, "x")


def test_image_encoded_comes_before_others() -> None:
    found = chosen({"image/encoded": PNG, "image/mask": PNG})
    assert (found.name, found.others, found.sizes) == ("image/encoded", ("image/mask",), ())
    assert chosen({"image/encoded": PNG, "image/mask": PNG}, "image/mask").name == "image/mask"


def test_raw_bytes_have_sizes_beside_them() -> None:
    features = {"image/height": 2, "image/width": 3, "image/channels": 4, "image_raw": bytes(24), "other": bytes(7)}
    found = chosen(features)
    assert found.name == "image_raw"
    record = foreign.example(features)
    begin, length, form = found.place(ExampleReader().read(record, "x"), "x")
    assert record[begin : begin + length] == bytes(24) and form == Format("raw", (2, 3, 4), "uint8")


@pytest.mark.parametrize("features", [{}, {"a": 1}, {"a": b"text"}, {"a": bytes(24), "b": bytes(24), "height": 2, "width": 3, "depth": 4}])
def test_what_is_not_clear_is_refused_with_the_features(features: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="features here: " + (f"{min(features)} \\(" if features else "none")):
        chosen(features)
