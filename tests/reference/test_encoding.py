"""Images that Pillow reads back; the shared suite of encoders is test_parity.py."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from pixstore import reference
from pixstore.headers import JPEG


def test_a_flat_image_survives_jpeg() -> None:
    image = np.full((9, 11, 3), 80, np.uint8)
    data, lengths, failures = reference.encode(image, np.array([image.shape], np.int32), 1, JPEG, quality=95)
    assert failures == [] and lengths.tolist() == [len(data)]
    assert abs(np.asarray(Image.open(io.BytesIO(data))).astype(int) - 80).max() <= 2
