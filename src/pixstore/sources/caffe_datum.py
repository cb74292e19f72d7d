"""Caffe's Datum, the message that its databases keep for each image, read as data.

Fields: 1 channels, 2 height, 3 width (int32), 4 data (bytes), 5 label (int32), 6 float_data (repeated float), 7 encoded (bool).
`data` is a C·H·W array of uint8, in BGR because OpenCV made it, or an encoded image where `encoded` is set; then the sizes may be absent.
`float_data` is a C·H·W array of float32; its numbers stand apart, a byte of tag before each, or, from some writers, packed.
Format: caffe.proto of BVLC Caffe.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from pixstore import wire
from pixstore.errors import CorruptRecordError, LabelMismatchError, UnsupportedImageError
from pixstore.rows import Buffer
from pixstore.schema import ChannelOrder, Format
from pixstore.sources.labels import Labels, shown
from pixstore.sources.lookalike import is_image
from pixstore.wire import Message

CHANNELS, HEIGHT, WIDTH, DATA, LABEL, FLOATS, ENCODED = range(1, 8)
FLOAT_TAG = FLOATS << 3 | wire.FIXED32
SPACED_BYTES = 5
"""A float that is not packed: its tag, then four bytes."""
HEAD_BYTES = 32
MOST_FIELDS = 1000
VARINT = rb"[\x80-\xff]{0,9}[\x00-\x7f]"
HEAD = re.compile(rb"(?s)(?:\x08%(v)b)?(?:\x10%(v)b)?(?:\x18%(v)b)?\x22%(v)b" % {b"v": VARINT})
TAIL = re.compile(rb"(?s)(?:\x28%(v)b)?(?:\x38%(v)b)?" % {b"v": VARINT})


@dataclass(frozen=True)
class Datum:
    """What a message says: sizes, label (None without one), and where its pixels lie, from the message's own beginning.

    `spaced`: between `begin` and `end` are floats with a byte of tag before each.
    """

    channels: int = 0
    height: int = 0
    width: int = 0
    label: int | None = None
    encoded: bool = False
    floats: bool = False
    spaced: bool = False
    begin: int = 0
    end: int = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels


def read_datum(message: Message, begin: int, end: int, *, origin: str) -> Datum:
    """Return what the message in `message[begin:end]` says.

    Raises CorruptStoreError where it is no message, CorruptRecordError where its fields are of other kinds or contradict each other.
    """
    numbers: dict[int, int] = {}
    data: tuple[int, int] | None = None
    runs: list[tuple[int, int, bool]] = []
    place, count = begin, 0
    while place < end:
        for each in wire.fields(message, place, end, origin=origin):
            place, count = each.end, count + 1
            if count > MOST_FIELDS:
                raise CorruptRecordError(f"{origin}: is no Datum: it has more than {MOST_FIELDS} fields; get it again")
            if each.number == FLOATS and each.kind == wire.FIXED32:
                place = _after_floats(message, each.begin - 1, end)
                runs.append((each.begin - 1, place, True))
                # What follows begins behind the run, whose numbers are not fields to be looked at one by one.
                break
            if each.number == FLOATS and each.kind == wire.BYTES:
                runs.append((each.begin, each.end, False))
            elif each.number == DATA and each.kind == wire.BYTES:
                data = each.begin, each.end
            elif each.number in (CHANNELS, HEIGHT, WIDTH, LABEL, ENCODED) and each.kind == wire.VARINT:
                numbers[each.number] = wire.signed(each.value)
            elif CHANNELS <= each.number <= ENCODED:
                raise CorruptRecordError(f"{origin}: is no Datum: its field {each.number} is of kind {each.kind}; get it again")
    return _datum(numbers, data, runs, begin, origin)


def _after_floats(message: Message, begin: int, end: int) -> int:
    """Return where a run of floats ends that are not packed."""
    count = (end - begin) // SPACED_BYTES
    tags = np.frombuffer(message, np.uint8, count * SPACED_BYTES, begin)[::SPACED_BYTES]
    others = np.flatnonzero(tags != FLOAT_TAG)
    return begin + SPACED_BYTES * int(others[0] if len(others) else count)


def _datum(numbers: dict[int, int], data: tuple[int, int] | None, runs: list[tuple[int, int, bool]], begin: int, origin: str) -> Datum:
    channels, height, width = (numbers.get(number, 0) for number in (CHANNELS, HEIGHT, WIDTH))
    has_data = data is not None and data[1] > data[0]
    if len(runs) > 1 or (runs and has_data):
        raise CorruptRecordError(f"{origin}: a Datum with data and float_data, or with float_data in {len(runs)} parts; keep one of them")
    if data is None and not runs:
        raise CorruptRecordError(f"{origin}: is no Datum with an image: it has neither data nor float_data")
    first, last, spaced = runs[0] if runs else (*(data or (begin, begin)), False)
    return Datum(channels, height, width, numbers.get(LABEL), bool(numbers.get(ENCODED)), bool(runs), spaced, first - begin, last - begin)


def format_of(datum: Datum, head: bytes, order: ChannelOrder, *, origin: str) -> Format:
    """Return how a datum's pixels are to be understood; `head` are their first bytes.

    Raises UnsupportedImageError for sizes of 0, CorruptRecordError where the bytes are not as many as the sizes need.
    """
    if datum.encoded:
        if not is_image(head):
            raise CorruptRecordError(
                f"{origin}: says encoded, its data begins with {head[:8].hex(' ')}, which is no image; correct the flag"
            )
        return Format(None, None, None)
    if min(datum.shape) <= 0:
        hint = "; its data is an encoded image: set the flag" if is_image(head) else ""
        raise UnsupportedImageError(
            f"{origin}: {datum.channels} channels of {datum.height} × {datum.width} pixels are features, not an image{hint}"
        )
    held = datum.end - datum.begin
    item = SPACED_BYTES if datum.spaced else 4 if datum.floats else 1
    needed = item * datum.channels * datum.height * datum.width
    if held != needed:
        hint = "; it looks like an encoded image without the flag" if is_image(head) else ""
        what = "float_data" if datum.floats else "data"
        raise CorruptRecordError(
            f"{origin}: {what} has {held // item} values, {datum.channels} × {datum.height} × {datum.width} needs {needed // item}{hint}"
        )
    return Format(_codec(datum.channels, order), datum.shape, "float32" if datum.floats else "uint8")


def _codec(channels: int, order: ChannelOrder) -> str:
    if channels == 1:
        return "raw"
    return "raw-planar-bgr" if channels in (3, 4) and order == "bgr" else "raw-planar"


@dataclass
class DatumReader:
    """Reads messages one after the other and gathers, per message, its format, its label and where its pixels lie."""

    order: ChannelOrder
    formats: list[Format] = field(default_factory=list)
    labels: list[int | None] = field(default_factory=list)
    begin: list[int] = field(default_factory=list)
    length: list[int] = field(default_factory=list)
    stated: list[tuple[int, int, int] | None] = field(default_factory=list)
    """Sizes that stand beside an encoded image, height, width and channels; None where none do or where they are needed."""
    spaced: bool = False
    """Whether the pixels are floats with a byte of tag before each; then all are."""
    _sizes: dict[bytes, tuple[int, int, int, int]] = field(default_factory=dict)
    _known: dict[tuple[int, int, int, int], Format] = field(default_factory=dict)

    def read(self, message: Message, begin: int, end: int, *, origin: str) -> None:
        """Take one message. Raises a PixstoreError naming `origin` where it is no Datum with an image."""
        datum = self._usual(message, begin, end) or read_datum(message, begin, end, origin=origin)
        if self.formats and datum.spaced != self.spaced:
            raise CorruptRecordError(f"{origin}: keeps its pixels otherwise than those before it (data or float_data); keep one kind")
        self.spaced = datum.spaced
        self.formats.append(self._format(datum, message, begin, origin))
        self.labels.append(datum.label)
        self.stated.append(datum.shape if datum.encoded and any(datum.shape) else None)
        self.begin.append(begin + datum.begin)
        self.length.append(datum.end - datum.begin)

    def _usual(self, message: Message, begin: int, end: int) -> Datum | None:
        """Return the datum where its fields come in order and its pixels are `data`; of 100,000 messages, this takes them apart quickly."""
        head = HEAD.match(message, begin, end)
        if head is None:
            return None
        sizes = self._sizes.get(head[0])
        if sizes is None:
            sizes = self._sizes[head[0]] = _sizes(head[0])
        channels, height, width, held = sizes
        last = head.end() + held
        tail = TAIL.fullmatch(message[last:end]) if last <= end else None
        if tail is None:
            return None
        rest = _numbers(tail[0])
        label = wire.signed(rest[LABEL]) if LABEL in rest else None
        return Datum(channels, height, width, label, bool(rest.get(ENCODED)), begin=head.end() - begin, end=last - begin)

    def _format(self, datum: Datum, message: Message, begin: int, origin: str) -> Format:
        known = (*datum.shape, datum.end - datum.begin)
        if not datum.encoded and not datum.floats and known in self._known:
            return self._known[known]
        head = bytes(message[begin + datum.begin : begin + min(datum.end, datum.begin + HEAD_BYTES)])
        found = format_of(datum, head, self.order, origin=origin)
        if not datum.encoded and not datum.floats:
            self._known[known] = found
        return found


def _sizes(head: bytes) -> tuple[int, int, int, int]:
    """Return channels, height, width and the length of the data that follows."""
    found = _numbers(head)
    return wire.signed(found.get(CHANNELS, 0)), wire.signed(found.get(HEIGHT, 0)), wire.signed(found.get(WIDTH, 0)), found[DATA]


def _numbers(fields: bytes) -> dict[int, int]:
    """Return the varints that stand behind tags of one byte, by field; that of bytes is their length."""
    found = {}
    place = 0
    while place < len(fields):
        number = fields[place] >> 3
        found[number], place = wire.varint(fields, place + 1, len(fields), origin="")
    return found


def without_tags(spaced: Buffer) -> bytes:
    """Return the float32 numbers of a run that has a byte of tag before each."""
    return np.frombuffer(spaced, np.uint8).reshape(-1, SPACED_BYTES)[:, 1:].tobytes()


def labels_of(reader: DatumReader, keys: Sequence[str], origin: str) -> Labels | None:
    """Return the labels, None where no message has one. Raises LabelMismatchError where some have and some have not."""
    missing = [key for key, label in zip(keys, reader.labels, strict=True) if label is None]
    if len(missing) == len(keys):
        return None
    if missing:
        raise LabelMismatchError(f"{origin}: messages without a label, of {len(keys)}: {shown(missing)}; correct them")
    return Labels(pa.array(reader.labels, pa.int64()), None)
