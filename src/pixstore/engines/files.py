"""One file per record: `<id>.files/<field>/<00000>/<name>`, at most 10,000 to a folder.

The name is the key, escaped, and a suffix by codec (.png, .jpg, .npy for raw arrays). Everything but small letters, digits and
`_ - .` is percent-encoded, so that names survive file systems that fold case or normalise Unicode; `urllib.parse.unquote` gives the
key back. A key too long for a name is cut and ends in `~` and its hash; one that comes twice in a shard ends in `~` and the row.
`<field>.names` lists the names by row, with an empty line where there is no record; row // 10,000 is the folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np

from pixstore.disk import translated
from pixstore.engine import Engine, FieldRecords, PlannedBytes, PlannedShard, RecordBatch, ShardReader, ShardWriter
from pixstore.engines.file_names import escape, npy_header, suffix_of
from pixstore.engines.files_size import folder_bytes
from pixstore.engines.reading import missing_records, refusals, require
from pixstore.engines.writing import BLOCK_BYTES, GuardedWriter, sync_tree, views, write_all
from pixstore.errors import BadRow, CorruptStoreError, DestinationExistsError, MissingRecordError, ReadFailedError
from pixstore.rows import Buffer, Extents
from pixstore.schema import Schema

FILES_PER_FOLDER = 10_000
NPY_MAGIC = b"\x93NUMPY\x01\x00"
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class FieldFolder:
    """The files of one field, in the order of the rows."""

    def __init__(self, shard: int, field: str) -> None:
        self.name = escape(field)
        self._field, self._folder = make_folder(self.name, shard), -1
        self._names: list[str] = []
        self._offsets: list[int] = []
        self._lengths: list[int] = []

    def append(self, keys: Sequence[str], records: FieldRecords) -> None:
        kinds = [(suffix_of(form), memoryview(npy_header(form))) for form in records.formats]
        for key, view, form in zip(keys, views(records.slices), records.format.tolist(), strict=True):
            if len(self._names) % FILES_PER_FOLDER == 0:
                self._next_folder()
            if view is None:
                self._note("", -1, 0)
                continue
            suffix, header = kinds[form]
            name, descriptor = self._new_file(key, suffix)
            try:
                write_all(descriptor, [header, view])
            finally:
                os.close(descriptor)
            self._note(name, len(header), len(view))

    def _note(self, name: str, offset: int, length: int) -> None:
        self._names.append(name)
        self._offsets.append(offset)
        self._lengths.append(length)

    def _new_file(self, key: str, suffix: str) -> tuple[str, int]:
        name = escape(key, suffix)
        with suppress(FileExistsError):
            return name, os.open(name, CREATE, 0o666, dir_fd=self._folder)
        # The same key again: added, deleted and added before a commit. Whether it may is not for an engine to say.
        name = escape(key, suffix, f"~{len(self._names)}")
        return name, os.open(name, CREATE, 0o666, dir_fd=self._folder)

    def _next_folder(self) -> None:
        if self._folder >= 0:
            os.close(self._folder)
        self._folder = make_folder(f"{len(self._names) // FILES_PER_FOLDER:05}", self._field)

    def seal(self, path: Path) -> Extents:
        """Write the list of names; return where the records lie in the shard at `path`."""
        with open(path / f"{self.name}.names", "x", encoding="ascii", newline="\n") as file:
            file.writelines(f"{name}\n" for name in self._names)
        root = f"{path.name}/{self.name}"
        paths = [f"{root}/{row // FILES_PER_FOLDER:05}/{name}" for row, name in enumerate(self._names) if name]
        offset, length = np.array(self._offsets, np.int64), np.array(self._lengths, np.int64)
        # A missing record names some file too; its offset says that it is not there.
        number = (np.cumsum(offset >= 0) - 1).clip(0).astype(np.uint32)
        return Extents(paths or [root], number, offset, length)

    def close(self) -> None:
        for descriptor in (self._field, self._folder):
            if descriptor >= 0:
                os.close(descriptor)
        self._field = self._folder = -1


def make_folder(name: str, parent: int) -> int:
    """Make a folder and return its descriptor."""
    os.mkdir(name, dir_fd=parent)
    return os.open(name, FOLDER, dir_fd=parent)


class FilesWriter(GuardedWriter):
    def __init__(self, path: Path, schema: Schema, *, durable: bool) -> None:
        super().__init__(path, schema, durable=durable)
        self._fields: dict[str, FieldFolder] = {}
        try:
            with translated(path, needed=BLOCK_BYTES):
                path.mkdir()
        except FileExistsError as error:
            raise DestinationExistsError(f"{path}: something is already there; shards are never written over") from error
        with self._guarded():
            self._descriptor = os.open(path, FOLDER)
            for name in schema.field_names:
                self._fields[name] = FieldFolder(self._descriptor, name)

    def _append(self, records: RecordBatch) -> None:
        for name, folder in self._fields.items():
            folder.append(records.keys, records.fields[name])

    def _seal(self) -> Mapping[str, Extents]:
        extents = {name: folder.seal(self.path) for name, folder in self._fields.items()}
        self._close()
        return extents

    def _close(self) -> None:
        for folder in self._fields.values():
            folder.close()

    def _sync(self) -> None:
        sync_tree(self.path, self._descriptor)


class FilesReader(ShardReader):
    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: dict[str, list[str]] = {}
        require(path.is_dir(), path)

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        names = self._names_of(field)
        missing = [row for row in rows if not names[row]]
        if missing:
            raise missing_records(self._path, field, missing)
        found: list[Buffer] = []
        with ExitStack() as opened:
            folders: dict[int, int] = {}
            for row in rows:
                try:
                    folder = self._folder(field, row // FILES_PER_FOLDER, folders, opened)
                    found.append(read_record(names[row], folder))
                except OSError as error:
                    kind = MissingRecordError if isinstance(error, FileNotFoundError) else ReadFailedError
                    raise kind("", [BadRow(row, names[row], str(self._path), error.strerror or str(error))]) from error
        return found

    def _folder(self, field: str, number: int, folders: dict[int, int], opened: ExitStack) -> int:
        if number not in folders:
            folders[number] = os.open(self._path / escape(field) / f"{number:05}", FOLDER)
            opened.callback(os.close, folders[number])
        return folders[number]

    def _names_of(self, field: str) -> list[str]:
        if field not in self._names:
            with refusals(self._path):
                names = (self._path / f"{escape(field)}.names").read_text(encoding="ascii").split("\n")[:-1]
            if any("/" in name or name in {".", ".."} for name in names):
                raise CorruptStoreError(f"{self._path}: its list of names leads out of it; restore it from a copy")
            self._names[field] = names
        return self._names[field]

    def close(self) -> None:
        self._names.clear()


def read_record(name: str, folder: int) -> bytes:
    """Return the record in a file: all of it, or what follows the header of an .npy file."""
    with open(os.open(name, READ, dir_fd=folder), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{name} is not a regular file")
        data = file.read()
    if not name.endswith(".npy"):
        return data
    if not data.startswith(NPY_MAGIC):
        raise OSError(f"{name} is not an .npy file of version 1")
    return data[10 + int.from_bytes(data[8:10], "little") :]


class FilesEngine(Engine):
    name = "files"
    extension = ".files"
    file_per_record = True

    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        return FilesWriter(path, schema, durable=durable)

    def open(self, path: Path, schema: Schema) -> ShardReader:
        return FilesReader(path)

    def predicted_bytes(self, shard: PlannedShard) -> PlannedBytes:
        return folder_bytes(shard, FILES_PER_FOLDER)


ENGINE = FilesEngine()
