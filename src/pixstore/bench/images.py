"""The images a run measures with: built-in ones, or a seeded sample of somebody's own, never more than 1 GB of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pixstore
from pixstore.bench import generator
from pixstore.bench.ways.base import Images, Work
from pixstore.errors import InvalidInputError, RecordError
from pixstore.naming import SourceLike, Stated, source_words
from pixstore.schema import ARRAY_CODECS

LARGEST_BYTES = 1_000_000_000
"""What a run holds at most: the sample, and the images that one way reads back."""
SAMPLE_BYTES = 400_000_000
"""What the sample holds at most, decoded and encoded together."""
BUILT_IN = 10_000
"""Built-in images there are; beyond that they repeat."""
CHUNK_ROWS = 256


@dataclass
class Sample:
    """Images, labels and where they come from. `total` counts the images of the whole source, `notes` say what users must know.

    codec: that of encoded images, where all have the same.
    """

    name: str
    kind: str
    total: int
    images: Images
    labels: NDArray[np.int64]
    encoded: list[bytes] | None = None
    rows: NDArray[np.int64] | None = None
    dataset: pixstore.Dataset | None = None
    image_field: str = "image"
    codec: str | None = None
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def is_encoded(self) -> bool:
        return self.encoded is not None

    @property
    def mean_bytes(self) -> float:
        """Bytes of one decoded image, on average."""
        return sum(image.nbytes for image in self.images) / len(self)

    @property
    def largest(self) -> int:
        """How many images a cell can hold within the limit of memory."""
        held = self.mean_bytes * len(self) + sum(map(len, self.encoded or []))
        # Arrays are copied where they repeat; a list repeats its references.
        copies = 2 if isinstance(self.images, np.ndarray) else 1
        return int((LARGEST_BYTES - held) / (copies * self.mean_bytes))

    def work(self, count: int) -> Work:
        """Return `count` images spread over the sample, in its order; repeated from the first on where there are fewer."""
        chosen = np.arange(count) % len(self) if count > len(self) else np.arange(count) * len(self) // count
        images = self.images[chosen] if isinstance(self.images, np.ndarray) else [self.images[each] for each in chosen.tolist()]
        encoded = None if self.encoded is None else [self.encoded[each] for each in chosen.tolist()]
        return Work(images, self.labels[chosen], encoded, None if self.rows is None else self.rows[chosen])

    def describe(self) -> dict[str, Any]:
        """Return the source as results.json keeps it."""
        shapes = {image.shape for image in self.images}
        return {
            "name": self.name,
            "kind": self.kind,
            "synthetic": self.dataset is None,
            "images": self.total,
            "sampled": len(self),
            "encoded": self.is_encoded,
            "codec": self.codec,
            "shapes": len(shapes),
            "smallest": list(min(shapes, key=np.prod)),
            "largest": list(max(shapes, key=np.prod)),
            "dtype": str(self.images[0].dtype),
            "mean_bytes": self.mean_bytes,
            "mean_encoded_bytes": sum(map(len, self.encoded)) / len(self) if self.encoded else None,
            "notes": list(self.notes),
        }

    def close(self) -> None:
        if self.dataset is not None:
            self.dataset.close()


def built_in(count: int, *, seed: int = 0) -> Sample:
    """Return up to `count` synthetic images, 32 × 32 × 3."""
    drawn = generator.pictures(min(count, BUILT_IN), seed=seed)
    name = f"synthetic images, built-in generator, seed {seed}"
    return Sample(name, "synthetic", len(drawn.labels), drawn.images, drawn.labels)


def from_source(source: SourceLike, count: int, *, seed: int = 0, stated: Stated | None = None) -> Sample:
    """Return a seeded sample of up to `count` of the images of a source, in its order; `stated` is what is said of it.

    Images that cannot be decoded are left out and named in the notes. Raises what `pixstore.open` raises, and InvalidInputError
    where nothing there can be decoded.
    """
    dataset = pixstore.open(source, **(stated or {}))
    if len(dataset) == 0:
        raise InvalidInputError(f"{source_words(source)}: no images here")
    path = first_path(source)
    chosen = np.sort(np.random.default_rng(seed).choice(len(dataset), min(count, len(dataset)), replace=False))
    return from_rows(dataset, path, chosen)


def first_path(source: SourceLike) -> Path:
    """Return where the images that are measured lie: those of the first field."""
    return Path(next(iter(source.values())) if isinstance(source, Mapping) else source)


def from_rows(dataset: pixstore.Dataset, path: Path, rows: NDArray[np.int64], *, most_bytes: int | None = None) -> Sample:
    """Return these rows (ascending) of an open dataset as a sample; a seeded part of them where they hold more than `most_bytes`
    (400 MB).

    Images that cannot be decoded are left out and named in the notes. Raises InvalidInputError where none can be decoded.
    """
    image_field = dataset.schema.fields[0].name
    most_bytes = SAMPLE_BYTES if most_bytes is None else most_bytes
    taken = _Taken(dataset, image_field, most_bytes)
    taken.take(_spread(rows))
    if not taken.rows:
        raise InvalidInputError(f"{path}: none of the first {taken.failed} images sampled can be decoded; {taken.reason}")
    order = np.argsort(taken.rows)
    found = np.asarray(taken.rows, dtype=np.int64)[order]
    images = _stack([taken.images[each] for each in order.tolist()])
    encoded = [taken.encoded[each] for each in order.tolist()] if taken.encoded else None
    notes: list[str] = []
    if len(dataset.schema.fields) > 1:
        notes.append(f"of the fields {', '.join(dataset.schema.field_names)} only {image_field!r} is measured")
    labels = _labels(dataset.table, found, notes)
    if taken.failed:
        notes.append(f"{taken.failed} of the images sampled cannot be decoded and are left out; the first: {taken.reason}")
    if len(found) + taken.failed < len(rows):
        notes.append(f"a seeded sample of {len(found):,} of {len(dataset):,} images: no more than {most_bytes / 1e6:.0f} MB are held")
    codec = _codec(dataset, image_field, found) if encoded else None
    return Sample(path.name, dataset.origin, len(dataset), images, labels, encoded, found, dataset, image_field, codec, notes)


class _Taken:
    """Collects rows until there are enough or the limit of memory is reached."""

    def __init__(self, dataset: pixstore.Dataset, image_field: str, most_bytes: int) -> None:
        self._dataset = dataset
        self._field = image_field
        self._most_bytes = most_bytes
        self._held = 0
        self._is_encoded: bool | None = None
        self.rows: list[int] = []
        self.images: list[NDArray[Any]] = []
        self.encoded: list[bytes] = []
        self.failed = 0
        self.reason = ""

    def take(self, rows: NDArray[np.int64]) -> None:
        size = 1
        start = 0
        while start < len(rows) and self._held < self._most_bytes:
            self._chunk(rows[start : start + size])
            start += size
            mean = self._held / max(len(self.rows), 1)
            # The first images tell how many fit; a chunk never takes more than an eighth of the limit.
            size = max(1, min(CHUNK_ROWS, int(self._most_bytes / 8 / max(mean, 1)), int((self._most_bytes - self._held) / max(mean, 1))))

    def _chunk(self, rows: NDArray[np.int64]) -> None:
        images = self._decoded(rows)
        rows = np.asarray([row for row in rows.tolist() if row in images], dtype=np.int64)
        if len(rows) == 0:
            return
        if self._is_encoded is None:
            self._is_encoded = self._dataset.formats(rows, field=self._field)[0].codec not in ARRAY_CODECS
        encoded = self._dataset.encoded_many(rows, field=self._field) if self._is_encoded else []
        self.rows += rows.tolist()
        self.images += [images[row] for row in rows.tolist()]
        self.encoded += encoded
        self._held += sum(image.nbytes for image in images.values()) + sum(map(len, encoded))

    def _decoded(self, rows: NDArray[np.int64]) -> dict[int, NDArray[Any]]:
        """Return the images of those rows that decode."""
        try:
            read = self._dataset.read(rows, fields=[self._field], columns=[])[self._field]
        except RecordError as error:
            bad = {each.row for each in error.bad_rows} & set(rows.tolist())
            if not bad:
                raise
            self.failed += len(bad)
            self.reason = self.reason or str(error.bad_rows[0])
            good = np.asarray([row for row in rows.tolist() if row not in bad], dtype=np.int64)
            return self._decoded(good) if len(good) else {}
        return dict(zip(rows.tolist(), read, strict=True))


def _spread(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows in a seeded order, so that a sample cut short is still spread over the source."""
    return np.random.default_rng(1).permutation(rows)


def _stack(images: Sequence[NDArray[Any]]) -> Images:
    kinds = {(image.shape, image.dtype) for image in images}
    return np.stack(images) if len(kinds) == 1 else list(images)


def _codec(dataset: pixstore.Dataset, image_field: str, rows: NDArray[np.int64]) -> str | None:
    found = {each.codec for each in dataset.formats(rows, field=image_field)}
    return found.pop() if len(found) == 1 else None


def _labels(table: Any, rows: NDArray[np.int64], notes: list[str]) -> NDArray[np.int64]:
    if "label" in table.column_names:
        values = table["label"].take(rows).to_pylist()
        if all(isinstance(value, int) for value in values):
            return np.asarray(values, dtype=np.int64)
        notes.append("labels that are not integers are numbered in the order of their text")
        names = sorted({str(value) for value in values})
        return np.asarray([names.index(str(value)) for value in values], dtype=np.int64)
    notes.append("the source has no labels: every image gets label 0")
    return np.zeros(len(rows), dtype=np.int64)
