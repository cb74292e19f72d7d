"""Which samples of several datasets belong together: those of one key, else of one file stem.

Three ways are tried, the strictest first: whole keys, where all datasets have the same ones; keys without the suffix of an image
(`cats/a.jpg` and `cats/a.png`); and, only where nothing at all matches like that, file names without folder and suffix
(`images/a.jpg` and `masks/a.png`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixstore.errors import DuplicateKeyError
from pixstore.rows import Indices
from pixstore.sources.folders.image_names import IMAGE_SUFFIXES

Names: TypeAlias = pa.Array
SUFFIX = rf"(?i)\.({'|'.join(sorted(IMAGE_SUFFIXES))})$"


@dataclass(frozen=True)
class Match:
    """Which rows belong together: row `rows[d][i]` of dataset d is of sample i; samples are in the order of the first dataset.

    `alone` has the rows of each dataset that belong to no sample; `way` says by what they were joined.
    """

    rows: tuple[Indices, ...]
    alone: tuple[Indices, ...]
    way: str


def match(keys: Sequence[pa.ChunkedArray], called: Sequence[str]) -> Match:
    """Return which rows of these datasets belong together; `called` is what each is called.

    Raises DuplicateKeyError, naming both keys, where two of one dataset have the name of a sample.
    """
    whole = [each.combine_chunks() for each in keys]
    found = _matched(whole, "key")
    if found is not None and not any(len(each) for each in found.alone) and not any(_twice(each) for each in whole):
        return found
    for way, name_of in WAYS:
        names = [name_of(each) for each in whole]
        found = _matched(names, way)
        if found is not None:
            _refuse_ambiguous(whole, names, found, called)
            return found
    nothing = np.empty(0, np.int64)
    return Match((nothing,) * len(whole), tuple(np.arange(len(each)) for each in whole), "")


def stems(keys: Names) -> Names:
    """Return keys without the suffix of an image."""
    return pc.replace_substring_regex(keys, SUFFIX, "")


def base_stems(keys: Names) -> Names:
    """Return keys without their folders and without the suffix of an image."""
    return pc.replace_substring_regex(stems(keys), "^.*/", "")


WAYS: tuple[tuple[str, Callable[[Names], Names]], ...] = (
    ("file stem", stems),
    ("file stem without folders, which differ", base_stems),
)


def _matched(names: Sequence[Names], way: str) -> Match | None:
    """Return what has a name that all datasets have; None where there is no such name."""
    places = [pc.index_in(names[0], value_set=each) for each in names[1:]]
    rows: list[Indices] = [np.arange(len(names[0]))]
    rows += [each.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64) for each in places]
    together = np.all([each >= 0 for each in rows], axis=0)
    if not together.any():
        return None
    rows = [each[together] for each in rows]
    alone = [np.setdiff1d(np.arange(len(each)), taken) for each, taken in zip(names, rows, strict=True)]
    return Match(tuple(rows), tuple(alone), way)


def _twice(names: Names) -> bool:
    return len(pc.unique(names)) < len(names)


def _refuse_ambiguous(keys: Sequence[Names], names: Sequence[Names], found: Match, called: Sequence[str]) -> None:
    """Raise DuplicateKeyError where the name of a sample is that of two rows of one dataset."""
    samples = names[0].take(pa.array(found.rows[0]))
    for which, each in enumerate(names):
        counted = pc.value_counts(each)
        twice = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
        ambiguous = twice.filter(pc.is_in(twice, value_set=samples))
        if len(ambiguous):
            name = ambiguous[0].as_py()
            first, second = keys[which].filter(pc.equal(each, name)).to_pylist()[:2]
            raise DuplicateKeyError(
                f"{called[which]}: {first!r} and {second!r} both have the name {name!r} ({found.way}), so which of them belongs to the"
                f" sample of that name cannot be told; {len(ambiguous)} such names: rename or remove one of each two"
            )
