"""Pixels as Pillow's reader of one format gives them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from pixstore.headers import RecordFailedError


def load_by_pillow(reader: Callable[[io.BytesIO], Image.Image], data: bytes) -> NDArray[Any]:
    """Return the pixels that the reader gives, palettes expanded. Raises RecordFailedError."""
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise RecordFailedError("unsupported", "not read while PIL.ImageFile.LOAD_TRUNCATED_IMAGES hides damage: set it to False")
    try:
        with reader(io.BytesIO(data)) as image:
            if image.mode == "P":
                return np.asarray(image.convert("RGBA" if "transparency" in image.info else "RGB"))
            return np.asarray(image.convert("L") if image.mode == "1" else image)
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises errors of a dozen kinds on damaged bytes
        raise RecordFailedError("corrupt", f"does not decode: {error}") from error
