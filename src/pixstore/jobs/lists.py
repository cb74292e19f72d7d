"""The lists beside a converted store: what was left out and why, as CSV in UTF-8 with a header.

    bad.csv          key, row, place, reason       samples that could not be read
    duplicates.csv   key, row, same_as             samples whose bytes are those of another one

`row` is the row in the source.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pixstore.disk import remove, replace_file, translated
from pixstore.errors import BadRow, CorruptStoreError

BAD, DUPLICATES = "bad.csv", "duplicates.csv"
BAD_HEADER, DUPLICATES_HEADER = ["key", "row", "place", "reason"], ["key", "row", "same_as"]


@dataclass(frozen=True)
class Duplicate:
    """A sample left out because its bytes are those of an earlier one."""

    row: int
    key: str
    same_as: str


def write_bad(store: Path, rows: Iterable[BadRow], *, durable: bool) -> None:
    """Replace bad.csv; there is none where no sample is bad."""
    _write(store / BAD, BAD_HEADER, ([each.key, str(each.row), each.place, each.reason] for each in rows), durable=durable)


def read_bad(store: Path) -> list[BadRow]:
    """Return what bad.csv lists; nothing where there is none."""
    return [BadRow(int(row), key, place, reason) for key, row, place, reason in _read(store / BAD, BAD_HEADER)]


def write_duplicates(store: Path, rows: Iterable[Duplicate], *, durable: bool) -> None:
    """Replace duplicates.csv; there is none where no sample is left out for another."""
    _write(store / DUPLICATES, DUPLICATES_HEADER, ([each.key, str(each.row), each.same_as] for each in rows), durable=durable)


def read_duplicates(store: Path) -> list[Duplicate]:
    """Return what duplicates.csv lists; nothing where there is none."""
    return [Duplicate(int(row), key, same_as) for key, row, same_as in _read(store / DUPLICATES, DUPLICATES_HEADER)]


def _write(path: Path, header: list[str], rows: Iterator[list[str]], *, durable: bool) -> None:
    text = io.StringIO(newline="")
    # RFC 4180's end of line; with "\n" alone a carriage return in a name would not be quoted.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    empty = text.tell()
    writer.writerows(rows)
    with translated(path, needed=text.tell()):
        if text.tell() == empty:
            remove(path)
        else:
            replace_file(path, text.getvalue().encode("utf-8", "backslashreplace"), durable=durable)


def _read(path: Path, header: list[str]) -> list[list[str]]:
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise _damaged(path) from error
    found = list(csv.reader(io.StringIO(text, newline="")))
    first, rows = found[:1], found[1:]
    row = header.index("row")
    if first != [header] or any(len(each) != len(header) or not each[row].isdecimal() for each in rows):
        raise _damaged(path)
    return rows


def _damaged(path: Path) -> CorruptStoreError:
    return CorruptStoreError(f"{path}: not as it was written, so what was left out is not known; remove the store and convert anew")
