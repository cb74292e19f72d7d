"""The native core of pixstore: read, check, decode and encode whole batches of images in threads, without the GIL.

`pixstore.reference` has the same functions in NumPy and Pillow; `pixstore.codec` is the only caller of either.

A *place* says where n records lie, in one of three forms:

    (paths, file, offset, length)    n extents in files; length -1 is the whole file
    (data, offset, length)           n slices of one buffer
    [buffer, …]                      n buffers

*Paths* are a sequence of str (surrogate-escaped), or (prefix, data, offsets): path i is prefix + data[offsets[i] : offsets[i + 1]], strings
as Arrow lays them end to end, for which no Python object is made.

A *failure* is (record, kind, detail): the record's number in the call, one of
"missing" (no such file), "read" (the system refused), "truncated" (the place ends beyond the file), "checksum", "corrupt"
(does not decode), "unsupported", "limit", "mismatch" (decodes to another shape or depth than asked), "changed" (the file is not as
it was when it was listed). A call returns every failure, in ascending order of record; records without one are done completely.
`threads=0` uses `usable_cpus()`.

Codec numbers: 0 raw, 1 raw-planar (C·H·W, written out as H·W·C), 2 png, 3 jpeg, 4 raw-bgr (H·W·C, of 3 or 4 channels blue first and
written out red first; alpha stays last), 5 raw-planar-bgr (C·H·W, the same), 6 zstd and 7 lz4 (an array's bytes in one frame, which says
how many they are), 8 qoi, 9 webp, 255 anything else.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Buffer: TypeAlias = bytes | bytearray | memoryview | NDArray[Any]
Paths: TypeAlias = Sequence[str] | tuple[bytes, Buffer, NDArray[np.int64]]
Place: TypeAlias = (
    tuple[Paths, NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]
    | tuple[Buffer, NDArray[np.int64], NDArray[np.int64]]
    | list[Buffer]
)
Failure: TypeAlias = tuple[int, str, str]
Io: TypeAlias = Literal["map", "pread"]
Check: TypeAlias = Literal["none", "header", "structure"]
Step: TypeAlias = tuple[Any, ...]

def info() -> dict[str, Any]:
    """Return {"version", "profile" ("release" or "debug"), "simd" (str, e.g. "avx2"), "libraries": {name: version}}."""

def usable_cpus() -> int:
    """Return how many CPUs this process may use: affinity mask and cgroup quota, at least 1."""

def release(folder: str) -> None:
    """Let go of the files below this folder that are kept mapped from one call to the next."""

def hash_bytes(data: Buffer, seed: int = 0) -> int:
    """Return xxh3_64 of the bytes."""

def hash_strings(prefix: bytes, data: Buffer, offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return xxh3_64(prefix + data[offsets[i]:offsets[i + 1]]) for each of the len(offsets) - 1 strings, as Arrow lays them out."""

def hash_tiles(data: Buffer, tile_bytes: int, *, threads: int = 0) -> NDArray[np.uint64]:
    """Return xxh3_64 of each tile of `tile_bytes` bytes, the last one shorter; none for empty data."""

def hash_file_tiles(path: str, tile_bytes: int, *, threads: int = 0) -> NDArray[np.uint64]:
    """Return what `hash_tiles` returns for the content of a file, read in small pieces. Raises OSError where it cannot be read."""

def check_tiles(
    path: str,
    tile_bytes: int,
    tiles: NDArray[np.int64],
    *,
    offset: NDArray[np.int64],
    length: NDArray[np.int64],
    checksums: NDArray[np.uint64],
    seeds: NDArray[np.uint64],
    threads: int = 0,
) -> tuple[NDArray[np.uint64], list[Failure], list[Failure]]:
    """Hash these tiles of a file, and compare n records of the file with their checksums; return hashes, unread tiles, failed records.

    `tiles` are numbers of tiles, ascending, as `hash_tiles` counts them; one beyond the end of the file has the hash of no bytes. A record
    that begins in one of them is read along with it, which is twice as fast as `hash_file_tiles` and `check` one after the other; any
    other record is read by itself. Failures of tiles are numbered as in `tiles`.
    """

def stat_files(paths: Paths, *, threads: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Failure]]:
    """Return size and modification time (nanoseconds since 1970) of each regular file, -1 where there is none.

    Links are followed, as they are where the file is read.
    """

def addresses(buffers: Sequence[Buffer]) -> NDArray[np.uint64]:
    """Return the memory address of the first byte of each buffer."""

def checksum(place: Place, seeds: NDArray[np.uint64], *, io: Io = "map", threads: int = 0) -> tuple[NDArray[np.uint64], list[Failure]]:
    """Return xxh3_64 of each record, seeded."""

def check(place: Place, *, checksums: NDArray[np.uint64], seeds: NDArray[np.uint64], io: Io = "pread", threads: int = 0) -> list[Failure]:
    """Compare each record, whatever its size, with its checksum. Large ones are read in pieces, so little memory is needed."""

def fetch(
    place: Place,
    *,
    checksums: NDArray[np.uint64] | None = None,
    seeds: NDArray[np.uint64] | None = None,
    max_bytes: int = 2_147_483_648,
    io: Io = "map",
    threads: int = 0,
) -> tuple[list[bytes], list[Failure]]:
    """Return each record's bytes, checked where checksums are given; a failed record is b""."""

def probe(
    place: Place, *, check: Check = "header", max_pixels: int = 178_956_970, io: Io = "map", threads: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.uint8], NDArray[np.uint8], list[Failure]]:
    """Return codec number, (height, width, channels), bytes per sample and EXIF orientation of each encoded image, from its header alone.

    Only the header is read. A grey image has channels 1. 16-bit PNG has 2 bytes per sample, everything else 1. Palettes count as
    expanded (3 channels, 4 where the palette has transparency). The orientation is 1 to 8, 1 where none is stated or the EXIF data are
    damaged; a PNG's is looked for before its pixels. Height and width are those stored, before any orientation. What is none of PNG, JPEG,
    WebP and QOI gets codec 255 and zeros, no failure; above `max_pixels` is a failure of kind "limit", an animated WebP "unsupported".

    check="structure" reads the whole record and looks at all its parts, without decoding: each chunk of a PNG lies within the record,
    has the right CRC, the image data are in one place and IEND is there; each segment and scan of a JPEG goes on to the next marker, and
    the last one is EOI; the chunks of a WebP lie within the file; those of a QOI are as many pixels as its header says. What is not so
    is a failure of kind "corrupt". Bytes after the end are accepted. check="none" looks at nothing: every record is codec 255.
    """

def ingest(
    place: Place,
    *,
    seeds: NDArray[np.uint64] | None = None,
    check: Check = "structure",
    size: NDArray[np.int64] | None = None,
    mtime_ns: NDArray[np.int64] | None = None,
    out: Buffer | None = None,
    max_pixels: int = 178_956_970,
    max_bytes: int = 2_147_483_648,
    threads: int = 0,
) -> tuple[
    Buffer,
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.uint64] | None,
    tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]],
    list[Failure],
]:
    """Read n records into one buffer, look at each as `probe` does, and hash it; return data, offset, length, checksums, headers, failures.

    Record i is data[offset[i] : offset[i] + length[i]]; one that failed has length -1, and its place in `data` holds anything. `data` is
    `out` where that is given (uint8, at least as many bytes as the records have), a new array otherwise. `checksums` is None without
    seeds. `headers` is what `probe` returns, and for check="structure" the number of bytes after each image's end (0 for "header").
    size and mtime_ns, as `stat_files` returned them for the records' files, are what the files must still be, before and after they
    are read: any other is a failure of kind "changed". Files are read, never mapped.
    """

def decode(
    place: Place,
    codecs: NDArray[np.uint8],
    shapes: NDArray[np.int32],
    out: Buffer | list[Buffer],
    *,
    checksums: NDArray[np.uint64] | None = None,
    seeds: NDArray[np.uint64] | None = None,
    max_pixels: int = 178_956_970,
    max_bytes: int = 2_147_483_648,
    io: Io = "map",
    threads: int = 0,
) -> list[Failure]:
    """Read, check and decode n records into their slots.

    codecs and shapes have n rows, or one row for all. `out` is one writable C-contiguous buffer of n equal slots, or n writable
    buffers; a slot's size divided by height·width·channels is the bytes per sample expected (1 or 2 for png, 1 for jpeg, webp and qoi;
    native byte order). raw copies the record, whose size must equal the slot's, whatever the shape; zstd and lz4 inflate it, and the
    frame must say that it has the slot's size. A shape that differs from the
    image's is the failure "mismatch". Pixels: png 1/2/4-bit grey scales to 8 bits, palettes expand to RGB or RGBA, tRNS on grey
    or RGB is as Pillow's default load has it; jpeg as Pillow's `Image.open(...).load()`: grey 1 channel, colour 3 (RGB), CMYK and
    YCCK 4 (inverted as Adobe writes it); webp as Pillow's, and 4 channels also of an image without alpha. A slot whose record
    failed is zeroed.
    """

def load(
    place: Place,
    codecs: NDArray[np.uint8],
    shapes: NDArray[np.int32],
    sample_bytes: NDArray[np.uint8],
    steps: Sequence[Step],
    out: Buffer | list[Buffer],
    *,
    exact: bool = False,
    checksums: NDArray[np.uint64] | None = None,
    seeds: NDArray[np.uint64] | None = None,
    max_pixels: int = 178_956_970,
    max_bytes: int = 2_147_483_648,
    io: Io = "map",
    threads: int = 0,
) -> list[Failure]:
    """Read, check and decode n records, take each through the steps, and put the results into their slots.

    codecs, shapes (height, width, channels as stored) and sample_bytes (1 or 2) have n rows, or one row for all. A step is a tuple: its
    name, then its arguments; arrays have n rows, or one row for all. What no image could take raises ValueError. Each step works on the
    H·W·C image that the step before it left:

        ("color", "gray" | "rgb" | "rgba")
            1, 3 or 4 channels: grey is repeated, alpha is laid over white (rgb, gray), CMYK (a JPEG of 4 channels) and RGB to grey
            as Pillow converts them; at most once, first
        ("crop", origins int32 (n, 2), sizes int32 (n, 2))
            rows and columns from (top, left) on; what lies outside the image is 0
        ("resample", boxes float64 (n, 4), sizes int32 (n, 2), filter)
            the box (top, left, height, width), which lies within the image, scaled to (height, width); filter "nearest",
            "bilinear", "bicubic" or "lanczos", antialiased; as Pillow's resize(box=), colours with alpha scaled as they show
        ("orient", codes uint8 (n,))
            what makes an image of this EXIF orientation upright: 2 mirrors left-right, 4 top-bottom
        ("rotate", degrees float64 (n,), filter)
            counter-clockwise about the centre, size kept, 0 outside; filter "nearest" or "bilinear"
        ("jitter", factors float32 (n, 4), order uint8 (n, 4))
            brightness, contrast, saturation (1 leaves as it is) and hue (-0.5 … 0.5 turns, 0 leaves) in the order given (a permutation
            of 0 … 3), as torchvision on uint8; grey and RGB only
        ("gray", channels)
            luma, 1 channel, or repeated in 3; alpha is kept out
        ("threshold", value float)
            1 where a sample is above the value, else 0
        ("tensor", layout "hwc" | "chw", dtype, scale float32 (C,), offset float32 (C,)), dtype being
        "uint8" | "uint16" | "float16" | "float32" | "bfloat16"
            sample · scale + offset, rounded to nearest even, at most once, last; one scale and offset stand for all channels;
            dtype uint8 and uint16 need scale 1 and offset 0

    Steps take images of 1 to 4 channels. Samples of 2 bytes take crop, resample, orient, color (keeping their depth) and tensor; the rest
    is "unsupported" for them. A box beyond the image, or a slot that has not exactly the bytes of its result, is a "mismatch"; a size
    above max_pixels on the way a "limit". The slot of a failed record is zeroed.

    exact=False lets a JPEG be decoded only where a crop or box needs it, and at the smallest DCT scale (1, 1/2, 1/4, 1/8) that is not
    smaller than what the first resample asks for; damage behind the last row needed is then not seen. exact=True decodes in full.
    """

def encode(
    images: Buffer | list[Buffer],
    shapes: NDArray[np.int32],
    bytes_per_sample: int,
    codec: int,
    *,
    level: int = 1,
    quality: int = 90,
    lossless: bool = False,
    threads: int = 0,
) -> tuple[bytes, NDArray[np.int64], list[Failure]]:
    """Encode n images; return the records end to end, their lengths, and failures.

    `images` is one C-contiguous buffer of n equal images, where shapes has one row, or n buffers with n rows of shapes. png (level
    1 … 12) takes 1 to 4 channels of 1 or 2 bytes (native order), jpeg (quality 1 … 100) 1 or 3 channels of 1 byte, webp (quality, or
    lossless, which keeps the colours of transparent pixels too) and qoi 3 or 4 channels of 1 byte; zstd (level 1 … 19) and lz4 take any
    bytes. A failed image has length -1.
    """
