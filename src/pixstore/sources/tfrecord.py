"""TFRecord files of tf.train.Example: one file, the files of a pattern, or a folder of shards such as `train-00000-of-00010`.

The image is the feature `image/encoded`, else the one feature that is an encoded image, else raw bytes with height, width and depth
beside them; it is read in place. `path::feature` chooses one of several. Other features become columns. Every checksum is compared while
the files are opened. Files that gzip has packed are unpacked in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixstore.errors import InvalidInputError, LimitExceededError
from pixstore.rows import Extents, Slices
from pixstore.samples import IMAGE
from pixstore.schema import KEY, Format, Schema
from pixstore.source import SourceOptions, SourceReport
from pixstore.sources.archives.shard_files import SPLIT, Shard, has_shards, row_keys, shards_of, split_column
from pixstore.sources.channel_orders import field_of, ordered
from pixstore.sources.examples.columns import FeatureColumns
from pixstore.sources.examples.example import ExampleReader
from pixstore.sources.examples.file import is_compressed, is_tfrecord, record_data, records
from pixstore.sources.examples.images import ImageFeature, image_feature
from pixstore.sources.foreign_file import is_regular, refuse_changed, state_of
from pixstore.sources.located import LocatedSource
from pixstore.sources.tables.columns import LABEL, beside, is_unique, labels_of_texts, unique_keys

SUFFIXES = (".tfrecord", ".tfrecords", ".tfrec", ".tfrecord.gz")
KEY_FEATURES = ("key", "image/key", "image/filename", "filename", "image/source_id")
LABEL_FEATURES = ("label", "image/class/label", "labels", "class")
TEXT_FEATURES = ("image/class/text", "label_text", "class_text")
FORMAT = "image/format"
"""Not kept: an encoded image says it itself."""
MOST_CLASSES = 1_000_000
MAX_MEMORY_BYTES = 4 << 30


class TfRecordImages(LocatedSource):
    """Records of tf.train.Example with one image each, read as data."""

    name: ClassVar[str] = "TFRecord of tf.train.Example"
    takes: ClassVar[frozenset[str]] = frozenset({"inner", "files", "channel_order"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is a file that begins with a TFRecord's length and checksum, or a folder of files so named."""
        if path.is_dir():
            return has_shards(path, SUFFIXES)
        return is_regular(path) and is_tfrecord(path)

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> TfRecordImages:
        """Read every record. Raises a PixstoreError that names file, record and what is wrong in it."""
        report = SourceReport()
        shards = shards_of(path, options.files, SUFFIXES, report)
        states = {str(shard.path): state_of(shard.path) for shard in shards}
        reading = _Reading(options.inner, in_memory=any(is_compressed(shard.path) for shard in shards))
        for shard in shards:
            reading.read(shard)
            refuse_changed(shard.path, states[str(shard.path)])
        if reading.image is None:
            raise InvalidInputError(f"{path}: holds no records; get the files again")
        report.notes.extend(f"feature {name!r} is an image too; choose it with {path}::{name}" for name in reading.image.others)
        splits = split_column(shards, reading.counts) if len(shards) > 1 or path.is_dir() else None
        table, classes = _table(reading.columns.arrays(), row_keys(shards, reading.counts), splits, str(path), report)
        formats = ordered(reading.formats, options.channel_order, str(path))
        formats = formats[:1] if len(set(formats)) == 1 else formats
        schema = Schema((field_of(formats),), pa.schema(list(table.schema)[1:]), classes)
        origin = str(shards[0].path)
        return cls(schema, table, report, place=reading.place(shards), formats=formats, origin=origin, states=states)


@dataclass
class _Reading:
    """Reads files one after the other and collects what their records say."""

    chosen: str | None
    in_memory: bool
    image: ImageFeature | None = None
    columns: FeatureColumns = field(default_factory=lambda: FeatureColumns(frozenset()))
    examples: ExampleReader = field(default_factory=ExampleReader)
    counts: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    formats: list[Format] = field(default_factory=list)
    held: bytearray = field(default_factory=bytearray)

    def read(self, shard: Shard) -> None:
        """Read all records of a file. Raises a PixstoreError naming the record."""
        before = len(self.offsets)
        with record_data(shard.path) as data:
            for number, (begin, record) in enumerate(records(data, shard.path)):
                self._add(record, begin, f"{shard.path}, record {number}")
        self.counts.append(len(self.offsets) - before)

    def place(self, shards: Sequence[Shard]) -> Extents | Slices:
        """Return where the images lie: in the files, or in memory where one of them is compressed."""
        offset, length = np.array(self.offsets, np.int64), np.array(self.lengths, np.int64)
        if self.in_memory:
            return Slices(bytes(self.held), offset, length)
        file = np.repeat(np.arange(len(shards), dtype=np.uint32), self.counts)
        return Extents([str(shard.path) for shard in shards], file, offset, length)

    def _add(self, record: bytes, begin: int, origin: str) -> None:
        features = self.examples.read(record, origin)
        if self.image is None:
            self.image = image_feature(features, record, self.chosen, origin)
            self.columns = FeatureColumns(frozenset({self.image.name, *self.image.others, FORMAT}))
        offset, length, known = self.image.place(features, origin)
        self.columns.add(features, record, origin)
        self.offsets.append(len(self.held) if self.in_memory else begin + offset)
        self.lengths.append(length)
        self.formats.append(known)
        if self.in_memory:
            self.held += record[offset : offset + length]
            if len(self.held) > MAX_MEMORY_BYTES:
                raise LimitExceededError(f"{origin}: over {MAX_MEMORY_BYTES} bytes of images in compressed files; unpack them (gzip -d)")


def _table(
    columns: dict[str, pa.Array], by_row: pa.Array, splits: pa.Array | None, origin: str, report: SourceReport
) -> tuple[pa.Table, dict[str, tuple[str, ...]]]:
    """Return keys and columns, and the class names: keys are a feature such as `image/filename` where each is there once."""
    keys = unique_keys(pa.table(columns), origin)
    if keys is None:
        keys = next((columns[name] for name in KEY_FEATURES if _are_keys(columns.get(name))), by_row)
    found, classes = _labelled(columns, report)
    kept = {name: values for name, values in zip(beside([*found], [IMAGE]), found.values(), strict=True) if name != KEY}
    if splits is not None:
        kept.setdefault(SPLIT, splits)
    return pa.table({KEY: keys, **kept}), classes


def _are_keys(values: pa.Array | None) -> bool:
    return values is not None and pa.types.is_string(values.type) and is_unique(values)


def _labelled(columns: dict[str, pa.Array], report: SourceReport) -> tuple[dict[str, pa.Array], dict[str, tuple[str, ...]]]:
    """Return the columns with the label first, named `label`, and the names of the classes where a text beside it gives them."""
    number = next((name for name in LABEL_FEATURES if name in columns), None)
    text = next((name for name in TEXT_FEATURES if name in columns and pa.types.is_string(columns[name].type)), None)
    others = {name: values for name, values in columns.items() if name not in (number, text)}
    texts = columns[text] if text is not None else None
    # Where both lack, the record has no label; where the text alone lacks, it does not name the classes.
    if texts is not None and texts.null_count and (number is None or not texts.is_null().equals(columns[number].is_null())):
        texts = None
    if number is None:
        number = text if texts is not None else None
        values = texts
    else:
        values = columns[number]
    if values is None:
        return columns, {}
    if pa.types.is_string(values.type) and not values.null_count:
        found = labels_of_texts(values)
        return {LABEL: found.values, **others}, {} if found.classes is None else {LABEL: found.classes}
    names = _class_names(values, texts)
    if names is None and text is not None:
        report.notes.append(f"feature {text!r} does not name one class per {number!r}; it is kept as a column")
        return {LABEL: values, text: columns[text], **others}, {}
    return {LABEL: values, **others}, {} if names is None else {LABEL: names}


def _class_names(values: pa.Array, texts: pa.Array | None) -> tuple[str, ...] | None:
    """Return the names of the classes by number, None where a number has two names or a name two numbers; unnamed ones are numbers."""
    if texts is None or not pa.types.is_integer(values.type):
        return None
    pairs = pa.table({"number": values, "name": texts}).drop_null().group_by(["number", "name"]).aggregate([])
    named = dict(zip(pairs["number"].to_pylist(), pairs["name"].to_pylist(), strict=True))
    is_one_to_one = len(named) == pairs.num_rows == pc.count_distinct(pairs["name"]).as_py()
    if not is_one_to_one or not named or min(named) < 0 or max(named) >= MOST_CLASSES:
        return None
    return tuple(named.get(number, str(number)) for number in range(max(named) + 1))


SOURCE = TfRecordImages
