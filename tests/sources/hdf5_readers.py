"""What tests/sources/hdf5/test_file.py runs in children in place of the reader of HDF5 files."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from pixstore.child import Answer
from pixstore.sources.hdf5.examination import examine


def kill_reader(origin: str, files: list[str]) -> Answer:
    """Do what a file that exploits a fault of HDF5 may do."""
    if any(Path(file).read_bytes() == b"crash" for file in files):
        os.kill(os.getpid(), signal.SIGSEGV)
    return examine(origin, files)


def answer_as_told(origin: str, files: list[str]) -> Answer:
    return Answer(json.loads(Path(files[0]).read_text()))
