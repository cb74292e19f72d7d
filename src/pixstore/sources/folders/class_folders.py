"""What the folders within an archive say of its images: classes and splits, as folders of images have them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from pixstore.source import SourceReport
from pixstore.sources.folder import LABEL, SPLIT, SPLITS, chosen_labels, folder_labels, folder_names, split_names


def columns_of(keys: pa.Array, label_from: str | None, report: SourceReport) -> tuple[dict[str, pa.Array], dict[str, tuple[str, ...]]]:
    """Return the columns label and split, where there are any, and the names of the labels.

    A folder that holds everything, as most archives have one, says nothing. Raises LabelMismatchError where `label_from` finds no label.
    """
    inner = _without_common_folder(keys)
    outermost = folder_names(inner, 0)
    splits = split_names(inner, outermost, report)
    classes = outermost if splits is None else folder_names(inner, 1)
    if label_from is not None:
        labels = chosen_labels(label_from, keys, classes)
    else:
        found = folder_labels(inner, classes, is_split=splits is not None, report=report)
        if found is None:
            return ({} if splits is None else {SPLIT: splits.cast(pa.string())}), {}
        labels = found
    columns = {LABEL: labels.values}
    if splits is not None:
        columns[SPLIT] = splits.cast(pa.string())
    return columns, {} if labels.classes is None else {LABEL: labels.classes}


def _without_common_folder(keys: pa.Array) -> pa.Array:
    outermost = folder_names(keys, 0)
    names = outermost.dictionary.to_pylist()
    if len(names) != 1 or outermost.null_count or names[0] in SPLITS:
        return keys
    return pc.utf8_slice_codeunits(keys, len(names[0]) + 1)
