"""Steps that change what a sample means: color, gray, threshold. Each takes and returns an H·W·C array."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pixstore.reference.buffers import Samples, needs_bytes

LUMA = np.array([19595, 38470, 7471], np.int64)
"""Rec. 601 weights of red, green and blue in 65,536ths, as Pillow has them (ITU-R BT.601-7, 2.5.1)."""


def color(pixels: Samples, target: str) -> Samples:
    """Return 1, 3 or 4 channels: grey repeated, alpha laid over white ("gray", "rgb") or kept ("rgba"), depth kept."""
    channels = pixels.shape[2]
    opaque, alpha = (pixels[:, :, :-1], pixels[:, :, -1:]) if channels in (2, 4) else (pixels, None)
    if target == "rgba":
        alpha = np.full_like(pixels[:, :, :1], np.iinfo(pixels.dtype).max) if alpha is None else alpha
        return np.concatenate([_rgb(opaque), alpha], axis=2)
    if alpha is not None:
        opaque = _over_white(opaque, alpha)
    return _rgb(opaque) if target == "rgb" else _luma(opaque)


def from_cmyk(pixels: Samples) -> Samples:
    """Return RGB as Pillow converts CMYK, 255 being full ink."""
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels), "CMYK").convert("RGB"))


def _rgb(pixels: Samples) -> Samples:
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)


def _over_white(pixels: Samples, alpha: Samples) -> Samples:
    """Return alpha · pixel + (1 - alpha) · white, rounded to nearest; no value lies halfway, as white is odd."""
    white = int(np.iinfo(pixels.dtype).max)
    wide = pixels.astype(np.int64) * alpha + white * (white - alpha.astype(np.int64))
    return ((wide + white // 2) // white).astype(pixels.dtype)


def _luma(pixels: Samples) -> Samples:
    if pixels.shape[2] == 1:
        return pixels
    return ((pixels @ LUMA + 32768) >> 16).astype(pixels.dtype)[:, :, None]


def gray(pixels: Samples, channels: int) -> Samples:
    """Return the luma in 1 channel, or repeated in 3; alpha is left out."""
    needs_bytes(pixels, "gray")
    luma = _luma(pixels[:, :, : 1 if pixels.shape[2] < 3 else 3])
    return np.repeat(luma, channels, axis=2)


def threshold(pixels: Samples, value: float) -> Samples:
    """Return 1 where a sample is above the value, else 0."""
    needs_bytes(pixels, "threshold")
    return (pixels > value).astype(np.uint8)
