"""What the writers of shards that are folders share: the folder that must not be there yet, and reaching the medium with all in it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from pixstore.disk import translated
from pixstore.engines.writing import BLOCK_BYTES, GuardedWriter, sync_tree
from pixstore.errors import DestinationExistsError
from pixstore.schema import Schema

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class FolderWriter(GuardedWriter):
    """A guarded writer whose shard is a folder, made here; `_descriptor` is the folder's."""

    def __init__(self, path: Path, schema: Schema, *, durable: bool) -> None:
        super().__init__(path, schema, durable=durable)
        try:
            with translated(path, needed=BLOCK_BYTES):
                path.mkdir()
        except FileExistsError as error:
            raise DestinationExistsError(f"{path}: something is already there; shards are never written over") from error
        with self._guarded():
            self._descriptor = os.open(path, OPEN_FOLDER)

    def _require_place(self) -> None:
        """Raise FileNotFoundError where the folder was moved or removed: a library would make another one in its place."""
        try:
            is_here = os.path.samestat(os.lstat(self.path), os.fstat(self._descriptor))
        except FileNotFoundError:
            is_here = False
        if not is_here:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(self.path))

    def _sync(self) -> None:
        sync_tree(self.path, self._descriptor)
