"""What bytes are that the core does not know: an image that Pillow decodes, or a reason why not. Pillow also encodes AVIF."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from pixstore.headers import ORIENTATION_TAG, RecordFailedError
from pixstore.schema import Format

ALLOWED = ("AVIF", "BMP", "GIF", "PPM", "TIFF")
"""The only formats that Pillow is asked to decode; all others are attack surface."""
HAVE_ORIENTATION = ("avif",)
MAX_PIXELS = 178_956_970
IMAGE_MAGIC = (b"BM", b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
AVIF_MAGIC = (b"ftypavif", b"ftypavis")
HEAD_BYTES = 512
TIFF_BITS_PER_SAMPLE = 258

NOT_IMAGES = (
    (b"version https://git-lfs", "missing", "Git LFS pointer: run 'git lfs pull'"),
    (b"\x89PNG", "corrupt", "PNG with a damaged signature: was it transferred as text?"),
    (b"%PDF", "unsupported", "PDF document: export its pages as images"),
    (b"PK\x03\x04", "unsupported", "ZIP archive, not an image"),
    (b"\x1f\x8b", "unsupported", "gzip file, not an image: unpack it"),
    (b"\x89HDF\r\n\x1a\n", "unsupported", "HDF5 file, not an image: open it as a source"),
    (b"\x93NUMPY", "unsupported", "NumPy file, not an image: load it and add the array"),
    (b"8BPS", "unsupported", "Photoshop document: export it as PNG or TIFF"),
    (b"%!PS", "unsupported", "PostScript is not a raster image"),
    (b"SIMPLE  =", "unsupported", "FITS is not decoded: convert it to TIFF or an array"),
    (b"\0\0\x01\0", "unsupported", "icon file: export it as PNG"),
    (b"\xff\x0a", "unsupported", "JPEG XL is not decoded: convert it to PNG or JPEG"),
    (b"\0\0\0\x0cJXL ", "unsupported", "JPEG XL is not decoded: convert it to PNG or JPEG"),
    (b"\0\0\0\x0cjP  ", "unsupported", "JPEG 2000 is not decoded: convert it to PNG or TIFF"),
    (b"\xff\x4f\xff\x51", "unsupported", "JPEG 2000 is not decoded: convert it to PNG or TIFF"),
)

T = TypeVar("T")

_pillow_lock = threading.Lock()


def describe(data: bytes) -> Format:
    """Return codec, shape and dtype of an image in one of the allowed formats. Raises RecordFailedError."""
    _refuse_other_bytes(data)
    pixels, name = _load(data, ALLOWED, _pixels)
    return Format(name.lower(), pixels.shape, pixels.dtype.name)


def decode(data: bytes, codec: str, *, cmyk_as_rgb: bool = False) -> NDArray[Any]:
    """Return the pixels, H·W or H·W·C, of an image in the format that `codec` names. Raises RecordFailedError.

    An AVIF does not keep alpha that is all opaque; its pixels then have 3 channels.
    """
    if codec.upper() not in ALLOWED:
        raise RecordFailedError("unsupported", f"codec {codec!r} is not known")
    return _load(data, (codec.upper(),), _colours if cmyk_as_rgb else _pixels)[0]


def orientation(data: bytes, codec: str) -> int:
    """Return the EXIF orientation that the decoded pixels still have, 1 to 8; 1 where none is stated or the image is damaged.

    Pillow turns a TIFF upright when it decodes it; of an AVIF it says as EXIF what the file says by itself; the others have none.
    """
    if codec not in HAVE_ORIENTATION:
        return 1
    try:
        found = _load(data, (codec.upper(),), lambda image: image.getexif().get(ORIENTATION_TAG))[0]
    except RecordFailedError:
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _refuse_other_bytes(data: bytes) -> None:
    head = data[:HEAD_BYTES]
    if not head:
        raise RecordFailedError("corrupt", "is empty (0 bytes)")
    if head.startswith(IMAGE_MAGIC) or head[4:12] in AVIF_MAGIC or (head[:1] == b"P" and head[1:2] in b"123456"):
        return
    for magic, kind, reason in NOT_IMAGES:
        if head.startswith(magic):
            raise RecordFailedError(kind, reason)
    if head[128:132] == b"DICM":
        raise RecordFailedError("unsupported", "DICOM is not decoded: export it as PNG or TIFF")
    if head[4:8] == b"ftyp":
        raise RecordFailedError("unsupported", "HEIC or video is not decoded: convert it to PNG, JPEG or AVIF")
    _refuse_text(head)


def _refuse_text(head: bytes) -> None:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        raise RecordFailedError("corrupt", "HTML page: a failed download?")
    if text.startswith((b"<svg", b"<?xml", b"<!--")) and b"<svg" in text:
        raise RecordFailedError("unsupported", "SVG is not a raster image")
    start = head[:16].decode("ascii", "replace")
    is_text = start.isascii() and all(each.isprintable() or each in "\r\n\t" for each in start)
    shown = repr(start) if is_text else f"bytes {head[:8].hex(' ')}"
    raise RecordFailedError("corrupt", f"not an image (starts with {shown})")


def _load(data: bytes, allowed: tuple[str, ...], look: Callable[[Image.Image], T]) -> tuple[T, str]:
    """Return what is looked for in the image, and Pillow's name of the format.

    Warnings are errors; the lock is there because filters are global.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise RecordFailedError("unsupported", "not read while PIL.ImageFile.LOAD_TRUNCATED_IMAGES hides damage: set it to False")
    if data[4:12] in AVIF_MAGIC and _is_deep_avif(data):
        raise RecordFailedError("unsupported", "AVIF of more than 8 bits per sample: save it as 16-bit PNG")
    try:
        with _pillow_lock, warnings.catch_warnings():
            warnings.simplefilter("error")
            # Our own limit is checked before any pixel is decoded.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=allowed) as image:
                _check(image)
                return look(image), str(image.format)
    except (RecordFailedError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise RecordFailedError("limit", str(error)) from error
    except Exception as error:  # Pillow raises errors of a dozen kinds on damaged bytes
        raise RecordFailedError("corrupt", f"does not decode: {error}") from error


def _check(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise RecordFailedError("limit", f"{image.width} x {image.height} pixels, the limit is {MAX_PIXELS}")
    if getattr(image, "is_animated", False):
        raise RecordFailedError("unsupported", f"{image.format} of several frames: only single images are stored")
    if image.mode in ("RGB", "RGBA", "CMYK", "LA") and _bits_per_sample(image) > 8:
        raise RecordFailedError("unsupported", f"{image.format} of 16 bits and several channels: save it as 16-bit PNG")


def _is_deep_avif(data: bytes) -> bool:
    """Return whether an AVIF says that its samples have 10 or 12 bits, of which Pillow keeps 8.

    A flag in the box av1C says so; see AV1 Codec ISO Media File Format Binding, 2.3.
    """
    at = data.find(b"av1C")
    return at >= 0 and bool(data[at + 6 : at + 7] and data[at + 6] & 0x40)


def _bits_per_sample(image: Image.Image) -> int:
    """Return how many bits the file has per sample, of which Pillow keeps 8 in these modes."""
    if image.format == "TIFF":
        return int(max(getattr(image, "tag_v2", {}).get(TIFF_BITS_PER_SAMPLE, (8,))))
    if image.format == "PPM" and getattr(image, "tile", []):
        largest = image.tile[0].args[-1]  # type: ignore[attr-defined]
        return 16 if isinstance(largest, int) and largest > 255 else 8
    return 8


def _colours(image: Image.Image) -> NDArray[Any]:
    return _pixels(image.convert("RGB") if image.mode == "CMYK" else image)


def _pixels(image: Image.Image) -> NDArray[Any]:
    if image.mode in ("P", "PA"):
        has_alpha = image.mode == "PA" or "transparency" in image.info
        return np.asarray(image.convert("RGBA" if has_alpha else "RGB"))
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if image.mode == "I" and image.format == "PPM":
        return np.asarray(image).astype(np.uint16)
    if image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK", "I", "F", "I;16", "I;16B", "I;16L"):
        raise RecordFailedError("unsupported", f"{image.format} of mode {image.mode}: convert it to RGB")
    pixels = np.asarray(image)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def encode_avif(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Return an image, H·W·3 or H·W·4, as AVIF."""
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "AVIF", quality=quality, max_threads=1)
    return target.getvalue()
