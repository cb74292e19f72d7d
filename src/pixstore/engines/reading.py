"""What the shard readers of all engines share: the file that must be there, and its refusals in our words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pixstore.errors import BadRow, MissingRecordError, PathNotFoundError, ReadFailedError


def require(there: bool, path: Path) -> None:
    """Raise PathNotFoundError unless the shard is there: opening must never create one."""
    if not there:
        raise PathNotFoundError(f"{path}: does not exist; was the store copied whole?")


def missing_records(path: Path, field: str, rows: Sequence[int]) -> MissingRecordError:
    """Return the error for rows of this shard that have no record in this field."""
    return MissingRecordError("", [BadRow(row, "", str(path), f"has no {field!r}") for row in rows])


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Turn the system's refusal to read `path` into ReadFailedError."""
    try:
        yield
    except OSError as error:
        raise ReadFailedError(f"{path}: cannot be read ({error.strerror or error}); look at its permissions and at the disk") from error
