"""tf.train.Example messages read as data: names of features, and their integers, floats or the places of their bytes.

An Example has one field of Features (1), which is a map: entries (1) of a name (1) and a Feature (2). A Feature is a list of bytes (1), of
floats (2) or of integers (3), each list a message whose field 1 repeats. Format: tensorflow.org/tutorials/load_data/tfrecord.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from pixstore import wire
from pixstore.errors import CorruptStoreError, InvalidInputError

Kind: TypeAlias = Literal["bytes", "float", "int", "none"]
Parsed: TypeAlias = tuple[str, Kind, tuple[Any, ...]]
ENTRY_TAG = 0x0A
"""Field 1, a run of bytes: what an Example and its Features begin with."""
VALUE_TAG = 0x12
"""Field 2, a run of bytes: the Feature in an entry."""
SEQUENCE_FIELD = 2
KINDS: dict[int, Kind] = {1: "bytes", 2: "float", 3: "int"}
CACHED_ENTRY_BYTES = 128
CACHED_ENTRIES = 1 << 16


class Feature(NamedTuple):
    """One feature of one example; bytes are given as (begin, end) in the record, numbers as they are."""

    name: str
    kind: Kind
    values: tuple[Any, ...]
    begin: int

    def spans(self) -> list[tuple[int, int]]:
        """Return where its bytes lie in the record."""
        return [(self.begin + first, self.begin + last) for first, last in self.values]


@dataclass
class ExampleReader:
    """Reads examples one after the other. Small features that are alike in many of them, a label or a size, are read once."""

    cache: dict[bytes, Parsed] = field(default_factory=dict)

    def read(self, record: bytes, origin: str) -> list[Feature]:
        """Return the features of one record. Raises CorruptStoreError for what is no Example."""
        return [self._feature(record, begin, end, origin) for begin, end in _entries(record, origin)]

    def _feature(self, record: bytes, begin: int, end: int, origin: str) -> Feature:
        if end - begin > CACHED_ENTRY_BYTES:
            return Feature(*(_single_bytes(record, begin, end) or _parsed(record[begin:end], origin)), begin)
        entry = record[begin:end]
        found = self.cache.get(entry)
        if found is None:
            if len(self.cache) >= CACHED_ENTRIES:
                self.cache.clear()
            found = self.cache[entry] = _single_bytes(record, begin, end) or _parsed(entry, origin)
        return Feature(*found, begin)


def _entries(record: bytes, origin: str) -> Iterator[tuple[int, int]]:
    """Yield where the entries of the map of features lie."""
    for example in wire.fields(record, 0, len(record), origin=origin):
        if example.number == SEQUENCE_FIELD:
            raise InvalidInputError(f"{origin}: is a tf.train.SequenceExample; only tf.train.Example is read")
        if example.number != 1 or example.kind != wire.BYTES:
            raise CorruptStoreError(f"{origin}: is no tf.train.Example (field {example.number}); only such records are read")
        place, last = example.begin, example.end
        while place < last:
            # A length below 128 is one byte; the general reading of fields takes thrice the time.
            if record[place] == ENTRY_TAG and place + 1 < last and record[place + 1] < 0x80 and place + 2 + record[place + 1] <= last:
                begin, place = place + 2, place + 2 + record[place + 1]
            else:
                entry = next(wire.fields(record, place, last, origin=origin))
                if entry.number != 1 or entry.kind != wire.BYTES:
                    raise CorruptStoreError(f"{origin}: is no tf.train.Example (field {entry.number} of its features)")
                begin, place = entry.begin, entry.end
            yield begin, place


def _single_bytes(record: bytes, begin: int, end: int) -> Parsed | None:
    """Return a feature of one run of bytes, as an image or a file name is, without the general reading; None where it is another."""
    name_end = begin + 2 + record[begin + 1] if end - begin > 1 else end
    if name_end >= end or record[begin] != ENTRY_TAG or record[begin + 1] >= 0x80 or record[name_end] != VALUE_TAG:
        return None
    place = name_end
    for tag in (VALUE_TAG, ENTRY_TAG, ENTRY_TAG):
        if place + 1 >= end or record[place] != tag:
            return None
        length = shift = 0
        place += 1
        while place < end and shift < 35:
            byte = record[place]
            length |= (byte & 0x7F) << shift
            place, shift = place + 1, shift + 7
            if byte < 0x80:
                break
        if place + length != end:
            return None
    try:
        return record[begin + 2 : name_end].decode(), "bytes", ((place - begin, end - begin),)
    except UnicodeDecodeError:
        return None


def _parsed(entry: bytes, origin: str) -> Parsed:
    """Return name, kind and values of one entry of the map; spans of bytes count from the entry's begin."""
    name = ""
    kind: Kind = "none"
    values: tuple[Any, ...] = ()
    for part in wire.fields(entry, 0, len(entry), origin=origin):
        if part.number == 1 and part.kind == wire.BYTES:
            name = entry[part.begin : part.end].decode("utf-8", "backslashreplace")
        elif part.number == 2 and part.kind == wire.BYTES:
            kind, values = _feature_values(entry, part, origin)
    return name, kind, values


def _feature_values(entry: bytes, feature: wire.WireField, origin: str) -> tuple[Kind, tuple[Any, ...]]:
    kind: Kind = "none"
    values: list[Any] = []
    for each in wire.fields(entry, feature.begin, feature.end, origin=origin):
        if each.number not in KINDS or each.kind != wire.BYTES:
            raise CorruptStoreError(f"{origin}: a feature has field {each.number}, which tf.train.Feature does not have")
        kind = KINDS[each.number]
        for value in wire.fields(entry, each.begin, each.end, origin=origin):
            values.extend(_list_values(entry, kind, value, origin))
    return kind, tuple(values)


def _list_values(entry: bytes, kind: Kind, value: wire.WireField, origin: str) -> list[Any]:
    """Return the values of one field of a list: one string of bytes, one number, or numbers packed together."""
    if value.number == 1 and value.kind == wire.BYTES:
        if kind == "bytes":
            return [(value.begin, value.end)]
        read = wire.packed_floats if kind == "float" else wire.packed_varints
        numbers: list[Any] = read(entry, value.begin, value.end, origin=origin).tolist()
        return numbers
    if value.number == 1 and kind == "int" and value.kind == wire.VARINT:
        return [wire.signed(value.value)]
    if value.number == 1 and kind == "float" and value.kind == wire.FIXED32:
        return [float(number) for number in wire.packed_floats(entry, value.begin, value.end, origin=origin)]
    raise CorruptStoreError(f"{origin}: a list of {kind} values has field {value.number} of kind {value.kind}, which none has")
