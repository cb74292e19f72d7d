"""The length of samples' names is foretold; whole archives are in tests/estimate/test_sizes.py."""

from __future__ import annotations

import pyarrow as pa

from pixstore.engines.tar_members import MOST_SAMPLE_NAME, sample_of
from pixstore.engines.tar_size import sample_bytes


def test_names_are_as_long_as_foretold() -> None:
    keys = ["a", "a.b.c", "photos/Cat.jpg", "é", "x" * 300, "00000001"]
    assert sample_bytes(pa.array(keys)).tolist() == [min(len(sample_of(key)), MOST_SAMPLE_NAME) for key in keys]
