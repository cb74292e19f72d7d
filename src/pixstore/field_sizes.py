"""Whether the fields of a dataset have images of one size: a mask of another size than its image may be another image's."""

from __future__ import annotations

import numpy as np

from pixstore.dataset import Dataset
from pixstore.errors import RecordError

LOOKED_AT = 64


def differing_sizes(dataset: Dataset) -> list[str]:
    """Return a note for each field whose images are not as large as those of the first, as far as some samples tell."""
    names = [each.name for each in dataset.schema.fields if not each.is_stack]
    rows = np.unique(np.linspace(0, len(dataset) - 1, min(LOOKED_AT, len(dataset))).astype(np.int64))
    if len(names) < 2 or not len(rows):
        return []
    rows = np.delete(rows, np.unique(np.concatenate([dataset.absent(name, rows) for name in names])))
    try:
        sizes = {name: [(form.shape or ())[:2] for form in dataset.formats(rows, field=name)] for name in names}
    except RecordError as error:
        return [f"sizes of {' and '.join(names)} were not compared: {error}"]
    notes = []
    for name in names[1:]:
        pairs = list(zip(sizes[names[0]], sizes[name], strict=True))
        other = [place for place, (one, two) in enumerate(pairs) if one != two]
        if other:
            shown = " and ".join(" × ".join(map(str, size)) for size in pairs[other[0]])
            key = dataset.keys[int(rows[other[0]])].as_py()
            notes.append(
                f"{names[0]} and {name} differ in size in {len(other):,} of {len(rows):,} samples looked at, the first {key!r}: {shown};"
                " what a loader does to one is done to the other relative to its size"
            )
    return notes
