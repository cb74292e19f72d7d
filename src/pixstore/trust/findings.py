"""What a check of a store found, and its report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from pixstore.errors import InvalidInputError

Kind: TypeAlias = Literal[
    "manifest", "version", "split", "missing", "size", "table", "keys", "pixels", "place", "record", "names", "library"
]
"""Which check found it:

manifest, version, split    their own digests do not match, or they do not parse
missing, size               a file that the manifest names is not there, or has another size
table, keys                 a table or key index is not the one that was sealed, or contradicts the manifest or each other
pixels                      bytes of a file of pixels are not those that were sealed
place                       the table says that a record lies where it cannot
record                      a record's bytes are not those that were written
names                       a list of file names, or what stands before an array in its file, is not what was written
library                     the engine's own library does not give what the extents give
"""

MOST_LISTED = 1000
"""Findings of single records listed for each shard; the others are counted."""


@dataclass(frozen=True)
class Finding:
    """One fault: which check found it, in which file (relative to the store) and from which byte on, and which samples it touches.

    `rows` says how many samples of the shard's files it touches, 0 where none is known to be lost; `keys` names them, a thousand at most.
    """

    kind: Kind
    reason: str
    file: str
    shard: str | None = None
    offset: int | None = None
    keys: tuple[str, ...] = ()
    rows: int = 0

    def __str__(self) -> str:
        where = self.file if self.offset is None else f"{self.file} at byte {self.offset}"
        named = ", ".join(repr(each) for each in self.keys[:3])
        more = f" and {self.rows - 3:,} more" if self.rows > 3 and len(self.keys) >= 3 else ""
        return f"{where}: {self.reason}" + (f" ({named}{more})" if named else f" ({self.rows:,} samples)" if self.rows else "")


@dataclass(frozen=True)
class VerifyReport:
    """What `verify` checked and found.

    samples, bytes: records that were read and compared with their checksums, and how many bytes were read in all. damaged: samples of the
    version that cannot be trusted. share, seed: which random share of the records was read; 1.0 is all. leftovers: files in the store's
    folders that nothing names, as after an interrupted write, with their bytes; no damage. notes: what could not be proven, and why.
    """

    path: Path
    version: int | None
    versions: tuple[int, ...]
    durability: str | None
    findings: tuple[Finding, ...]
    samples: int
    damaged: int
    bytes: int
    seconds: float
    share: float = 1.0
    seed: int | None = None
    leftovers: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything that was checked is as it was written."""
        return not self.findings


def parse_share(sample: str | float | None) -> float:
    """Return the share of records to read: of "1%", 0.01 or None for all. Raises InvalidInputError."""
    if sample is None:
        return 1.0
    try:
        share = float(sample[:-1]) / 100 if isinstance(sample, str) and sample.endswith("%") else float(sample)
    except ValueError as error:
        raise InvalidInputError(f"sample {sample!r} is no share; write it as '1%' or 0.01") from error
    if not 0 < share <= 1:
        raise InvalidInputError(f"sample {sample!r} is no share between 0 and 1; write it as '1%' or 0.01")
    return share


def in_order(findings: Iterator[Finding]) -> tuple[Finding, ...]:
    """Return findings by file and place, each once."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda each: (each.file, each.offset or 0, each.kind)))
