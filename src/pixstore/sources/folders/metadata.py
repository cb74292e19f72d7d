"""Columns from metadata.csv and metadata.jsonl beside images, whose `file_name` is relative to the file's own folder."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pixstore.errors import LabelMismatchError, SchemaError
from pixstore.schema import KEY, NAME, type_to_name
from pixstore.sources.folders.image_names import key_of
from pixstore.sources.labels import INTEGER, NUMBER, raise_mismatch, read_text, shown

FILE_NAME = "file_name"
TAKEN = (KEY, "image")
Columns = dict[str, pa.Array]


def read_metadata(root: Path, files: Sequence[str], keys: Sequence[str], notes: list[str]) -> Columns:
    """Return one array per further column, in the order of `keys`; `files` are relative to `root`.

    Raises LabelMismatchError where rows and the images below the file's folder do not match one to one.
    """
    rows: dict[str, Mapping[str, Any]] = {}
    for file in files:
        path = root / file
        folder = file.rpartition("/")[0]
        prefix = key_of(folder) + "/" if folder else ""
        covered = [key for key in keys if key.startswith(prefix)]
        for key, row in _rows_by_key(path, prefix, covered).items():
            if key in rows:
                raise LabelMismatchError(f"{path}: {key!r} has a row in another metadata file too; keep one of them")
            rows[key] = row
    without = [key for key in keys if key not in rows]
    if without:
        raise LabelMismatchError(f"{root}: images without a row in {', '.join(files)}: {shown(without)}; add them")
    names = dict.fromkeys(name for row in rows.values() for name in row if name != FILE_NAME)
    columns: Columns = {}
    for name in names:
        columns[column_name(name, notes, columns)] = json_column(name, [rows[key].get(name) for key in keys], notes)
    return columns


def _rows_by_key(path: Path, prefix: str, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    twice: list[str] = []
    for row in _read_csv(path) if path.suffix == ".csv" else _read_jsonl(path):
        name = row.get(FILE_NAME)
        if not isinstance(name, str) or not name:
            raise LabelMismatchError(f"{path}: a row without {FILE_NAME!r}; every row needs one, relative to the file's folder")
        key = prefix + key_of(name.removeprefix("./"))
        if key in found:
            twice.append(key)
        found[key] = row
    known = set(keys)
    raise_mismatch(
        path,
        len(keys),
        missing=[key for key in keys if key not in found],
        unknown=[key for key in found if key not in known],
        twice=twice,
    )
    return found


def _read_csv(path: Path) -> list[dict[str, Any]]:
    try:
        rows = [row for row in csv.reader(io.StringIO(read_text(path), newline=""), strict=True) if row]
    except csv.Error as error:
        raise LabelMismatchError(f"{path}: is not a readable CSV file: {error}; correct it") from error
    if not rows or FILE_NAME not in rows[0] or len(set(rows[0])) != len(rows[0]):
        raise LabelMismatchError(f"{path}: its first line should name the columns, each once, {FILE_NAME!r} among them")
    uneven = [row[0] for row in rows if len(row) != len(rows[0])]
    if uneven:
        raise LabelMismatchError(f"{path}: rows with other than {len(rows[0])} cells: {shown(uneven)}; correct them")
    values = {name: _typed([row[index] for row in rows[1:]]) for index, name in enumerate(rows[0]) if name != FILE_NAME}
    names = [row[rows[0].index(FILE_NAME)] for row in rows[1:]]
    return [{FILE_NAME: name, **{column: cells[index] for column, cells in values.items()}} for index, name in enumerate(names)]


def _typed(cells: Sequence[str]) -> Sequence[Any]:
    """Return a CSV column as integers, numbers or truths where every filled cell is one, else as text; empty cells are None."""
    filled = [cell for cell in cells if cell]
    if filled and all(INTEGER.match(cell) for cell in filled):
        return [int(cell) if cell else None for cell in cells]
    if filled and all(NUMBER.match(cell) or cell.lower() == "nan" for cell in filled):
        return [float(cell) if cell else None for cell in cells]
    if filled and all(cell.lower() in ("true", "false") for cell in filled):
        return [cell.lower() == "true" if cell else None for cell in cells]
    return [cell or None for cell in cells]


def _read_jsonl(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise LabelMismatchError(f"{path}: line {number} is not JSON: {error}; correct it") from error
        if not isinstance(row, dict):
            raise LabelMismatchError(f"{path}: line {number} is not a JSON object; each line should be {{{FILE_NAME!r}: …, …}}")
        rows.append(row)
    return rows


def column_name(name: str, notes: list[str], taken: Collection[str] = ()) -> str:
    """Return the name that a column of foreign metadata gets here, none of those that are taken; a changed one is noted."""
    usable = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    usable = usable if NAME.match(usable) and usable not in TAKEN else f"metadata_{usable}"
    while usable in taken:
        usable = f"metadata_{usable}"
    if usable != name:
        notes.append(f"metadata column {name!r} is called {usable!r} here")
    return usable


def json_column(name: str, values: Sequence[Any], notes: list[str]) -> pa.Array:
    """Return JSON values, None where a sample has none, as one column; what is nested or mixed is kept as JSON text and noted."""
    try:
        column = pa.array(values)
        type_to_name(column.type)
    except (pa.ArrowException, SchemaError, OverflowError):
        notes.append(f"metadata column {name!r} holds nested or mixed values; it is kept as JSON text")
        column = pa.array([None if value is None else json.dumps(value, ensure_ascii=False) for value in values], pa.string())
    return column
