"""Numbered sets of files: `shard-000000.tar …`, `train-00000-of-00010.parquet …`; a set with gaps or with one part twice is refused.

What a folder lacks cannot be read from the files that are there, but from their numbers: those of a set run on from 0 or 1, and `-of-`
says how many there are.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pixstore.errors import CorruptStoreError, DuplicateKeyError, PathNotFoundError

SHOWN = 5
MOST_PARTS = 1_000_000
OF_TOTAL = re.compile(r"(?P<head>.*?)(?P<number>[0-9]{1,9})-of-(?P<total>[0-9]{1,9})(?![0-9])(?P<tail>.*)\Z", re.DOTALL)
PLAIN = re.compile(r"(?P<head>.*?)(?P<number>[0-9]{1,9})(?P<tail>(?:\.[A-Za-z][A-Za-z0-9]*)*)\Z", re.DOTALL)
COPY = re.compile(r"(?P<stem>.+?)(?: ?\([0-9]{1,3}\)| - Copy(?: \([0-9]{1,3}\))?| copy(?: [0-9]{1,3})?)(?P<tail>(?:\.[A-Za-z0-9]+)*)\Z")


@dataclass(frozen=True)
class Part:
    """What the name of one file of a set says: `number` as it is written, `total` where the name has it."""

    name: str
    head: str
    number: str
    total: int | None
    tail: str

    @property
    def is_padded(self) -> bool:
        return self.number.startswith("0") and len(self.number) > 1


def part_of(name: str) -> Part | None:
    """Return what a name says of its place in a set; None where it has no number."""
    found = OF_TOTAL.match(name)
    if found is not None:
        return Part(name, found["head"], found["number"], int(found["total"]), "")
    found = PLAIN.match(name)
    return None if found is None else Part(name, found["head"], found["number"], None, found["tail"])


def in_order(names: Iterable[str], origin: str) -> list[str]:
    """Return the names of a folder's files, each set by number, what has no number by name.

    Raises PathNotFoundError naming the parts of a set that are missing, DuplicateKeyError for a part that is there twice.
    """
    names = sorted(names)
    _refuse_copies(names, origin)
    sets: dict[tuple[str, int | None, str], list[Part]] = defaultdict(list)
    placed: list[tuple[str, int, str]] = []
    for name in names:
        part = part_of(name)
        if part is None:
            placed.append((name, 0, name))
            continue
        sets[part.head, part.total, part.tail].append(part)
        placed.append((part.head, int(part.number), name))
    for parts in sets.values():
        _check(parts, origin)
    return [name for _, _, name in sorted(placed)]


def note_of_one(name: str) -> str | None:
    """Return a note for a single file that says of itself that it is one of several; None for any other."""
    part = part_of(name)
    if part is None or part.total is None or part.total < 2:
        return None
    return f"{name}: is one of {part.total} files, the others were not looked at; open their folder, or name them with {{…}}, to have all"


def _refuse_copies(names: Sequence[str], origin: str) -> None:
    there = set(names)
    for name in names:
        found = COPY.match(name)
        if found is not None and found["stem"] + found["tail"] in there:
            raise DuplicateKeyError(f"{origin}: {name!r} is a copy of {found['stem'] + found['tail']!r}; remove one of them")


def _check(parts: Sequence[Part], origin: str) -> None:
    by_number: dict[int, Part] = {}
    for part in parts:
        twin = by_number.setdefault(int(part.number), part)
        if twin is not part:
            raise DuplicateKeyError(
                f"{origin}: part {int(part.number)} is there twice: {twin.name!r} and {part.name!r}; remove one of them"
            )
    first, last = min(by_number), max(by_number)
    total = parts[0].total
    if total is None:
        wanted = _plain_range(parts, first, last)
    elif total > MOST_PARTS or last >= total + (first > 0):
        raise CorruptStoreError(f"{origin}: {by_number[last].name!r} has a number beyond its total of {total}; correct the name")
    else:
        # Some count to the total from 1.
        wanted = range(1, total + 1) if last == total else range(total)
    missing = [number for number in wanted if number not in by_number] if len(wanted) > len(by_number) else []
    if missing:
        raise PathNotFoundError(f"{origin}: {_missing(missing, parts[0], len(by_number))}; get them, or name with {{…}} those you want")


def _plain_range(parts: Sequence[Part], first: int, last: int) -> range:
    """Return the numbers a set without a total should have: what is written with zeros in front is a set, and so is what is half full."""
    if len(parts) < 2:
        return range(0)
    span = last - first + 1
    if any(part.is_padded for part in parts):
        # Several files far apart, such as dates, are no parts of one set.
        return range(0 if first > 1 else first, last + 1) if last < MOST_PARTS else range(0)
    return range(first, last + 1) if 2 * len(parts) >= span else range(0)


def _missing(missing: Sequence[int], part: Part, count: int) -> str:
    width = len(part.number)
    more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    shown = ", ".join(f"{number:0{width}}" for number in missing[:SHOWN])
    return f"{len(missing)} of {len(missing) + count} files like {part.name!r} are missing: {shown}{more}"
