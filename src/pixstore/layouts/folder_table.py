"""`metadata.csv`, or `metadata.jsonl` where CSV would not give back the same values: a row per image, with its `file_name`."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

FILE_NAME = "file_name"
ROWS_AT_ONCE = 1 << 14
LONGEST_INTEGER = 10**18
READS_AS_OTHER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*|(?i:true|false)")
READS_AS_NOTHING = frozenset(
    ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None",
     "n/a", "nan", "null")
)  # fmt: skip
"""What readers of CSV take for an absent value, pandas most of all."""


def fits_csv(column: pa.ChunkedArray) -> bool:
    """Return whether a column's values are the same after they were text in a CSV file."""
    kind = column.type
    if pa.types.is_integer(kind):
        limits = pc.min_max(column).as_py()
        return not column.null_count and (limits["min"] is None or -LONGEST_INTEGER < limits["min"] <= limits["max"] < LONGEST_INTEGER)
    if pa.types.is_floating(kind):
        return True
    if pa.types.is_boolean(kind):
        return not column.null_count
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)) or column.null_count:
        return False
    texts = column.to_pylist()
    return not READS_AS_NOTHING & set(texts) and not all(map(READS_AS_OTHER.fullmatch, texts)) and not any("\r" in text for text in texts)


def holds(column: pa.ChunkedArray, *, as_csv: bool) -> bool:
    """Return whether a metadata file holds a column: no bytes, and no numbers that are infinite or, in JSON, none."""
    kind = column.type
    while pa.types.is_list(kind):
        kind = kind.value_type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return False
    if not pa.types.is_floating(kind):
        return True
    flat = column
    while pa.types.is_list(flat.type):
        flat = pc.list_flatten(flat)
    wide = flat.cast(pa.float64())
    return not pc.any(pc.is_inf(wide)).as_py() and (as_csv or not pc.any(pc.is_nan(wide)).as_py())


def write_table(folder: Path, file_names: Sequence[str], columns: pa.Table, *, as_csv: bool) -> None:
    """Write the metadata file of a folder."""
    path = folder / ("metadata.csv" if as_csv else "metadata.jsonl")
    with open(path, "x", encoding="utf-8", newline="") as file:
        if as_csv:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([FILE_NAME, *columns.column_names])
            writer.writerows([name, *(_cell(value) for value in row.values())] for name, row in _rows(file_names, columns))
        else:
            file.writelines(json.dumps({FILE_NAME: name, **row}, ensure_ascii=False) + "\n" for name, row in _rows(file_names, columns))


def _rows(file_names: Sequence[str], columns: pa.Table) -> Iterator[tuple[str, dict[str, Any]]]:
    if not columns.num_columns:
        yield from ((name, {}) for name in file_names)
        return
    for start in range(0, len(file_names), ROWS_AT_ONCE):
        yield from zip(file_names[start : start + ROWS_AT_ONCE], columns.slice(start, ROWS_AT_ONCE).to_pylist(), strict=True)


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else repr(value)
    return "" if value is None else value
