"""PNG filters by hand, in both directions."""

from __future__ import annotations

import numpy as np

from pixstore import reference
from pixstore.headers import PNG


def test_unfilter_undoes_wide_and_tall_images_alike() -> None:
    random = np.random.default_rng(0)
    for height, width in ((1, 50), (50, 1), (13, 29)):
        pixels = random.integers(0, 65536, (1, height, width, 3)).astype(np.uint16)
        shape = np.array([[height, width, 3]], np.int32)
        data, lengths, _ = reference.encode(pixels.view(np.uint8), shape, 2, PNG)
        out = np.empty_like(pixels)
        assert reference.decode([data], np.array([PNG], np.uint8), shape, out.view(np.uint8)) == []
        np.testing.assert_array_equal(out, pixels)
        assert lengths.tolist() == [len(data)]
