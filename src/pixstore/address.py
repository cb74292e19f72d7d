"""Where data lie, as users write it: a path, a place within a file (`file.h5::/group/images`), a set of files (`train-{000..011}.tar`).

What exists by the very name that was given is that file, whatever signs are in its name.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path

from pixstore.errors import InvalidInputError, PathNotFoundError

INNER = "::"
RANGE = re.compile(r"\{([0-9]+)\.\.([0-9]+)\}")
MOST_FILES = 1_000_000
SHOWN = 5


@dataclass(frozen=True)
class Address:
    """A path, what is meant within it, and the files of a pattern: then `path` is the first of them."""

    path: Path
    inner: str | None = None
    files: tuple[Path, ...] = ()

    @classmethod
    def of(cls, text: str | os.PathLike[str]) -> Address:
        """Return what an address means, its path made absolute.

        Raises InvalidInputError for no path or a pattern that is none, PathNotFoundError naming the files of a pattern that are missing.
        """
        name = os.fspath(text)
        outer, separator, inner = name.partition(INNER)
        if not name or (separator and not outer and not os.path.lexists(name)):
            # What an unset variable leaves would be the current folder.
            raise InvalidInputError(f"{name!r}: names no file or folder; '.' is the current folder")
        whole = Path(text).absolute()
        if os.path.lexists(whole):
            return cls(whole)
        if separator:
            return cls(Path(outer).absolute(), inner)
        return _set_of_files(name) if RANGE.search(name) else cls(whole)


def _set_of_files(pattern: str) -> Address:
    names = _expanded(pattern)
    files = tuple(Path(name).absolute() for name in names)
    missing = [name for name, file in zip(names, files, strict=True) if not file.exists()]
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        shown = ", ".join(Path(name).name for name in missing[:SHOWN]) + more
        raise PathNotFoundError(f"{pattern}: {len(missing)} of {len(files)} files are missing: {shown}; get them, or correct the pattern")
    return Address(files[0], None, files)


def _expanded(pattern: str) -> list[str]:
    """Return the names that a pattern with ranges stands for, numbers as wide as the first of them is written."""
    ranges = [_numbers(pattern, *found.groups()) for found in RANGE.finditer(pattern)]
    if math.prod(map(len, ranges)) > MOST_FILES:
        raise InvalidInputError(f"{pattern}: names more than {MOST_FILES:,} files")
    between = RANGE.split(pattern)[::3]
    return ["".join(chain.from_iterable(zip(between, [*numbers, ""], strict=True))) for numbers in product(*ranges)]


def _numbers(pattern: str, first: str, last: str) -> list[str]:
    if not 0 <= int(last) - int(first) < MOST_FILES:
        raise InvalidInputError(f"{pattern}: {{{first}..{last}}} is no range of at most {MOST_FILES:,} files; write it as {{000..011}}")
    return [f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1)]
