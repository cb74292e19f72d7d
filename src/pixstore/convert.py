"""Convert any source into a store: read a batch, check it, write it; what cannot be read is listed, never replaced."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore import codec
from pixstore.dataset import Dataset
from pixstore.disk import bytes_of
from pixstore.engine import FieldRecords
from pixstore.errors import BadRow, DestinationExistsError, InvalidInputError, RecordError
from pixstore.incoming import Encoding, absent, joined, merged
from pixstore.incoming import to_records as encode_images
from pixstore.manifest import Durability
from pixstore.opening import open_dataset
from pixstore.rows import Records, Slices
from pixstore.schema import KEY, Field, Schema
from pixstore.source import Skipped
from pixstore.writer import DEFAULT_ENGINE, DEFAULT_SHARD_BYTES, Writer

Progress = Callable[[int, int, int], None]
BATCH_BYTES = 32 << 20
FIRST_ROWS = 16
MOST_ROWS = 8192


@dataclass
class ConvertReport:
    """What a conversion did. Bytes are those of the encoded images read and of the store's files; skipped files were never samples."""

    source: str
    destination: str
    engine: str
    engine_reason: str
    codec: str
    samples: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0
    skipped: list[Skipped] = field(default_factory=list)
    bad_rows: list[BadRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def convert(
    source: str | Path | Dataset,
    destination: str | Path,
    *,
    engine: str | None = None,
    codec: str = "keep",
    durability: Durability = "power",
    shard_bytes: int = DEFAULT_SHARD_BYTES,
    level: int | None = None,
    quality: int | None = None,
    threads: int | None = None,
    label_from: str | None = None,
    split: str | Path | None = None,
    part: str | None = None,
    progress: Progress | None = None,
) -> ConvertReport:
    """Write every sample of a source into a new store at `destination`, and return what was done.

    split and part: only the samples of one part of a saved split (its name in the store, or a file).

    codec="keep" copies encoded images byte for byte (arrays become raw); another codec decodes and encodes again. Samples that
    cannot be read or decoded are left out and listed in the report's `bad_rows`. `progress(done, total, bytes)` is called as it goes, with
    a total of 0 while the source is listed.

    Raises DestinationExistsError where something is already there, the source's error where not one sample can be read.
    """
    began = time.perf_counter()
    dataset = source if isinstance(source, Dataset) else open_dataset(source, label_from=label_from, threads=threads, progress=progress)
    origin = "a dataset" if isinstance(source, Dataset) else str(source)
    if not isinstance(source, Dataset):
        _refuse_inside(Path(source), Path(destination))
    report = ConvertReport(origin, str(destination), engine or DEFAULT_ENGINE, _reason(engine), codec)
    report.skipped, report.notes = list(dataset.report.skipped), list(dataset.report.notes)
    encoding = Encoding(codec, level, quality, threads)
    if split is not None or part is not None:
        dataset = _part_of(dataset, split, part)
    if not len(dataset):
        raise InvalidInputError(f"{origin}: holds no images{_skipped_words(report.skipped)}")
    schema = Schema(tuple(Field(each.name, codec) for each in dataset.schema.fields), dataset.schema.columns, dataset.schema.classes)
    with Writer(destination, engine=engine, codec=dict.fromkeys(schema.field_names, codec), durability=durability, schema=schema,
                level=level, quality=quality, threads=threads, shard_bytes=shard_bytes) as writer:  # fmt: skip
        _copy(dataset, writer, encoding, report, progress, min(BATCH_BYTES, shard_bytes))
        if not report.samples:
            raise RecordError(_none_readable(origin, len(dataset)), report.bad_rows)
    report.bytes_out = bytes_of(Path(destination))[0]
    report.seconds = time.perf_counter() - began
    return report


def _part_of(dataset: Dataset, split: str | Path | None, part: str | None) -> Dataset:
    if split is None:
        raise InvalidInputError(f"part {part!r} of no split; name the split too")
    parts = dataset.split(name=split)
    if part is None:
        raise InvalidInputError(f"the split '{split}' has the parts {', '.join(parts)}; say which is to be converted")
    if part not in parts:
        raise InvalidInputError(f"the split '{split}' has no part {part!r}; its parts: {', '.join(parts)}")
    return parts[part]


def _copy(dataset: Dataset, writer: Writer, encoding: Encoding, report: ConvertReport, progress: Progress | None, batch_bytes: int) -> None:
    total, start, step = len(dataset), 0, FIRST_ROWS
    while start < total:
        rows = np.arange(start, min(start + step, total))
        read = _copy_rows(dataset, writer, encoding, report, rows)
        start += len(rows)
        # The next batch has as many rows as fit the budget at the size of these.
        step = int(np.clip(batch_bytes * len(rows) // max(read, 1), 1, min(MOST_ROWS, 4 * step)))
        if progress is not None:
            progress(start, total, report.bytes_in)


def _copy_rows(dataset: Dataset, writer: Writer, encoding: Encoding, report: ConvertReport, rows: NDArray[np.int64]) -> int:
    """Copy these rows; return how many bytes were held for them."""
    held, good = 0, np.ones(len(rows), bool)
    fetched: dict[str, _Fetched] = {}
    for name in dataset.schema.field_names:
        fetched[name] = _fetch(dataset, name, rows, encoding)
        good &= fetched[name].good
        held += fetched[name].held
        report.bad_rows.extend(fetched[name].bad_rows)
        report.bytes_in += fetched[name].stored
    if not good.any():
        return held
    kept = np.flatnonzero(good)
    records = {name: each.records(kept, encoding) for name, each in fetched.items()}
    table = dataset.table.take(pa.array(rows[kept])).combine_chunks()
    columns = {name: _one_array(table[name]) for name in dataset.schema.columns.names}
    writer.append_records(_one_array(table[KEY]), columns, records)
    report.samples += len(kept)
    return held


@dataclass
class _Fetched:
    """One field's records of a batch: encoded bytes to keep, or decoded arrays to encode; `present` has the places of those there are."""

    images: NDArray[Any] | list[Any]
    encoded: Records | None
    present: NDArray[np.int64]
    good: NDArray[np.bool_]
    bad_rows: Sequence[BadRow]
    held: int
    stored: int

    def records(self, kept: NDArray[np.int64], encoding: Encoding) -> FieldRecords:
        """Return the records of these places of the batch; missing where the source has none."""
        is_there = np.isin(kept, self.present)
        chosen = np.searchsorted(self.present, kept[is_there])
        if not len(chosen):
            return absent(len(kept))
        records = self._chosen(chosen, encoding)
        return records if is_there.all() else merged([(np.flatnonzero(is_there).tolist(), records)], len(kept))

    def _chosen(self, chosen: NDArray[np.int64], encoding: Encoding) -> FieldRecords:
        if self.encoded is not None:
            assert isinstance(self.encoded.place, list)
            buffers = [self.encoded.place[place] for place in chosen.tolist()]
            return FieldRecords(joined(buffers), self.encoded.formats, self.encoded.format[chosen])
        if isinstance(self.images, np.ndarray):
            return encode_images(self.images if len(chosen) == len(self.images) else self.images[chosen], encoding)
        return encode_images([self.images[place] for place in chosen.tolist()], encoding)


def _fetch(dataset: Dataset, name: str, rows: NDArray[np.int64], encoding: Encoding) -> _Fetched:
    present = np.delete(np.arange(len(rows)), dataset.absent(name, rows))
    good = np.ones(len(rows), bool)
    if not len(present):
        return _Fetched([], None, present, good, [], 0, 0)
    located = dataset.located(name, rows[present])
    if encoding.codec != "keep" or any(each.codec == "raw-planar" for each in located.formats):
        images, good[present], bad = codec.decode_masked(located, threads=encoding.threads, io="pread")
        size = images.nbytes if isinstance(images, np.ndarray) else sum(each.nbytes for each in images)
        return _Fetched(images, None, present, good, bad, size, _stored_bytes(located, size))
    buffers, is_read, bad = codec.fetch_masked(located, threads=encoding.threads, io="pread")
    size = sum(len(each) for each in buffers)
    fetched = Records(list(buffers), located.formats, located.format, located.name)
    if located.checksum is not None:
        good[present] = is_read
        return _Fetched([], fetched, present, good, bad, size, size)
    fetched, is_image, no_images = codec.probe_masked(fetched)
    # Where nothing has a checksum, decoding is the only proof that an image is whole.
    pixels, is_whole, not_whole = codec.decode_masked(fetched, threads=encoding.threads)
    reasons = {each.row: each for each in [*not_whole, *no_images, *bad]}
    held = size + (pixels.nbytes if isinstance(pixels, np.ndarray) else sum(each.nbytes for each in pixels))
    good[present] = is_read & is_image & is_whole
    return _Fetched([], fetched, present, good, [reasons[row] for row in sorted(reasons)], held, size)


def _stored_bytes(records: Records, decoded: int) -> int:
    place = records.place
    if isinstance(place, list):
        return sum(len(each) for each in place)
    lengths = place.length
    return int(lengths.sum()) if isinstance(place, Slices) or bool((lengths >= 0).all()) else decoded


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _none_readable(origin: str, count: int) -> str:
    """Return that no image can be read; a source that is a file is named by its bad rows already."""
    what = "the only image cannot be read" if count == 1 else f"not one of {count:,} images can be read"
    return what if Path(origin).is_file() else f"{origin}: {what}"


def _reason(engine: str | None) -> str:
    return "as asked" if engine else "the default: few large files that any program can read, fastest to write and to read"


def _refuse_inside(source: Path, destination: Path) -> None:
    if source.is_dir() and destination.resolve().is_relative_to(source.resolve()):
        raise DestinationExistsError(f"{destination}: lies inside the source {source}; choose a place outside it")


def _skipped_words(skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return ""
    return f"; {len(skipped)} files were left out, the first: {skipped[0].path} ({skipped[0].reason})"
