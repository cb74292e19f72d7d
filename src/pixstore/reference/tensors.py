"""The last step: samples as a network takes them, scaled, in its layout and dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixstore.headers import RecordFailedError
from pixstore.reference.buffers import Samples

DTYPES = ("uint8", "uint16", "float16", "float32", "bfloat16")


def tensor(pixels: Samples, layout: str, dtype: str, scale: NDArray[np.float32], offset: NDArray[np.float32]) -> NDArray[Any]:
    """Return sample · scale + offset, rounded to nearest even; bfloat16 as its bits in uint16."""
    if any(len(each) not in (1, pixels.shape[2]) for each in (scale, offset)):
        reason = f"{len(scale)} scales and {len(offset)} offsets for {pixels.shape[2]} channels: 1, or one for each, is needed"
        raise RecordFailedError("mismatch", reason)
    if layout == "chw":
        pixels, scale, offset = np.moveaxis(pixels, 2, 0), scale[:, None, None], offset[:, None, None]
    if dtype.startswith("uint"):
        if np.dtype(dtype).itemsize < pixels.itemsize:
            raise RecordFailedError("unsupported", f"samples of {8 * pixels.itemsize} bits do not fit into {dtype}")
        return pixels.astype(dtype)
    values = pixels.astype(np.float32) * scale + offset
    return _bfloat16(values) if dtype == "bfloat16" else values.astype(dtype)


def _bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return the upper half of each float32, rounded to nearest even."""
    bits = values.view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
