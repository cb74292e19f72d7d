"""One writer per store: a lock that the system lets go of when the process ends, however it ends."""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import socket
from pathlib import Path

from pixstore.disk import translated
from pixstore.errors import StoreBusyError

NAME = ".lock"


class WriterLock:
    """Held from construction to `release`, or until nothing refers to it. The file stays; its text says who has it."""

    def __init__(self, store: Path) -> None:
        """Take the lock. Raises StoreBusyError, naming who has it, where another writer does."""
        path = store / NAME
        with translated(store):
            # A file object, not a bare descriptor: a writer that is dropped without being closed must not hold the lock for good.
            self._file = open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b", buffering=0)  # noqa: SIM115
        try:
            self._take(path)
        except BaseException:
            self.release()
            raise

    def _take(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = self._file.read(4096).decode(errors="replace")
            raise StoreBusyError(f"{path.parent}: another writer has it ({owner or 'owner unknown'}); wait for it, or stop it") from error
        if not path.exists() or not os.path.samestat(os.fstat(self._file.fileno()), path.stat()):
            raise StoreBusyError(f"{path.parent}: another writer has just removed it; run the same again")
        started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        owner = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": started})
        with translated(path):
            self._file.truncate(0)
            self._file.write(owner.encode())

    def release(self) -> None:
        """Let go; may be called more than once."""
        self._file.close()
