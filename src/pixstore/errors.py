"""Every error pixstore raises, as one tree.

PixstoreError
├── NotAStoreError            nothing here that pixstore can open (also FileNotFoundError where the path does not exist)
│   └── PathNotFoundError     the path does not exist
├── IncompatibleStoreError    a store or file of a version this pixstore cannot read
├── CorruptStoreError         the store's own files contradict its manifest
│   └── StoreTruncatedError   a file is shorter than its record says
├── RecordError               stored bytes of single rows; names every bad row
│   ├── CorruptRecordError    the bytes are not those that were written, or do not decode
│   ├── MissingRecordError    the bytes are not there
│   ├── ReadFailedError       the operating system refused the read
│   ├── UnsupportedImageError an image this pixstore does not decode
│   └── LimitExceededError    pixels or bytes above the limit
├── ForeignFileCrashedError   a file whose reading ended the process that read it; ours goes on
├── UnsafeInputError          input that asks for code, links or special files; refused, nothing was run
├── InvalidInputError         an argument, a file of labels, an image handed in (also ValueError)
│   ├── SchemaError           a column or field that does not fit the dataset
│   │   └── NameNotFoundError no such field or column in a sample or batch (also KeyError)
│   ├── KeyInvalidError       a key that is empty or not text
│   ├── DuplicateKeyError     the same key twice
│   ├── LabelMismatchError    labels and images do not match one to one
│   └── LossNotAcceptedError  what a layout cannot hold of a dataset, and nobody said may be lost
├── KeyNotFoundError          no such key (also KeyError)
├── RowNotFoundError          no such row (also IndexError)
├── DestinationExistsError    something is already there (also FileExistsError)
├── JobMismatchError          an unfinished conversion of another source or with other options is there
├── StoreBusyError            another process writes to this store
├── StoreFullError            no space left (also OSError)
├── ReadOnlyError             the store or its folder cannot be written (also OSError)
├── WriterClosedError         the writer is closed or was stopped by an earlier error
├── WorkerDiedError           a worker process ended before its work did (also RuntimeError)
└── DependencyError           a library that this needs is not installed (also ImportError)

A message has three parts: what happened, the value, what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class PixstoreError(Exception):
    """Base of every error raised by pixstore."""


class NotAStoreError(PixstoreError):
    """The path holds nothing that pixstore can open."""


class PathNotFoundError(NotAStoreError, FileNotFoundError):
    """The path does not exist; nothing was created."""


class IncompatibleStoreError(PixstoreError):
    """The store or file is of a version or layout this pixstore cannot read."""


class CorruptStoreError(PixstoreError):
    """The store's files contradict its manifest."""


class StoreTruncatedError(CorruptStoreError):
    """A file is shorter than the store says."""


@dataclass(frozen=True)
class BadRow:
    """One row that could not be read: its row number, its key, the file it lies in and the reason."""

    row: int
    key: str
    place: str
    reason: str

    def __str__(self) -> str:
        where = f" in {self.place}" if self.place else ""
        return f"{self.key!r} (row {self.row}){where}: {self.reason}"


class RecordError(PixstoreError):
    """Rows whose stored bytes cannot be turned into what was asked; `bad_rows` lists every one."""

    SHOWN = 5

    def __init__(self, message: str, bad_rows: Sequence[BadRow] = ()) -> None:
        self.bad_rows = tuple(bad_rows)
        shown = [str(bad) for bad in self.bad_rows[: self.SHOWN]]
        more = len(self.bad_rows) - len(shown)
        if more > 0:
            shown.append(f"… and {more} more")
        super().__init__("; ".join([message, *shown]) if message else "; ".join(shown))


class CorruptRecordError(RecordError):
    """The bytes are not those that were written, or they do not decode."""


class MissingRecordError(RecordError):
    """The bytes are not there."""


class ReadFailedError(RecordError):
    """The operating system refused the read."""


class UnsupportedImageError(RecordError):
    """An image of a kind that this pixstore does not decode."""


class LimitExceededError(RecordError):
    """An image or file above the limit of pixels or bytes."""


class ForeignFileCrashedError(PixstoreError):
    """A file whose reading ended the limited process that read it; `signal` is what ended it, None where it was no signal."""

    def __init__(self, message: str, signal: int | None = None) -> None:
        super().__init__(message)
        self.signal = signal


class UnsafeInputError(PixstoreError):
    """Input that asks for code, links or special files; it was refused and nothing was run."""


class InvalidInputError(PixstoreError, ValueError):
    """An argument or a piece of input that cannot be used."""


class SchemaError(InvalidInputError):
    """A column or field that does not fit the dataset."""


class NameNotFoundError(SchemaError, KeyError):
    """No such field or column in a sample or batch."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class KeyInvalidError(InvalidInputError):
    """A key that is empty or not text."""


class DuplicateKeyError(InvalidInputError):
    """The same key twice in one dataset."""


class LabelMismatchError(InvalidInputError):
    """Labels and images do not match one to one."""


class LossNotAcceptedError(InvalidInputError):
    """An export that would lose something that was not named as accepted; `names` has the names of all of it."""

    def __init__(self, message: str, names: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.names = tuple(names)


class KeyNotFoundError(PixstoreError, KeyError):
    """No sample with this key."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class RowNotFoundError(PixstoreError, IndexError):
    """No sample with this row number."""


class DestinationExistsError(PixstoreError, FileExistsError):
    """Something is already at the destination."""


class JobMismatchError(PixstoreError):
    """At the destination is an unfinished conversion of another source, or with other options."""


class StoreBusyError(PixstoreError):
    """Another process writes to this store."""


class StoreFullError(PixstoreError, OSError):
    """No space left on the device, or a quota or limit reached."""


class ReadOnlyError(PixstoreError, OSError):
    """The store or its folder cannot be written."""


class WriterClosedError(PixstoreError):
    """The writer is closed, or an earlier error stopped it."""


class WorkerDiedError(PixstoreError, RuntimeError):
    """A worker process ended before its work did."""


class DependencyError(PixstoreError, ImportError):
    """A library that this needs is not installed."""
