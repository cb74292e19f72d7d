"""Stored bytes to pixels: what is refused before a record is read; the shared suite of decoders is test_parity.py."""

from __future__ import annotations

import numpy as np
import pytest

from pixstore.reference import pixels


def test_rows_of_arguments_must_be_one_or_one_for_each() -> None:
    with pytest.raises(ValueError, match="2 codecs and 1 shapes for 3 records"):
        pixels.decode([b"1", b"2", b"3"], np.zeros(2, np.uint8), np.ones((1, 3), np.int32), np.empty(3, np.uint8))
