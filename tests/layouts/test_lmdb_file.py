"""A new LMDB grows with its content; py-lmdb reads it, and a refused write is told with the system's reason."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

from pixstore.errors import InvalidInputError
from pixstore.layouts.lmdb_file import LEAST_MAP_BYTES, new_lmdb


def test_more_than_the_map_held_at_first_is_there_afterwards(tmp_path: Path) -> None:
    with new_lmdb(tmp_path / "db") as environment:
        for number in range(5):
            environment.put([(b"%d-%d" % (number, each), bytes([number]) * (LEAST_MAP_BYTES // 4)) for each in range(3)])
    assert [path.name for path in (tmp_path / "db").iterdir()] == ["data.mdb"]
    with lmdb.open(str(tmp_path / "db"), readonly=True, lock=False) as opened, opened.begin() as transaction:
        assert transaction.stat()["entries"] == 15 and transaction.get(b"4-2") == b"\4" * (LEAST_MAP_BYTES // 4)


@pytest.mark.parametrize("key", [b"", b"k" * 512])
def test_keys_that_lmdb_does_not_take_are_refused(tmp_path: Path, key: bytes) -> None:
    with pytest.raises(InvalidInputError, match="LMDB takes 1 to 511"), new_lmdb(tmp_path / "db") as environment:
        environment.put([(key, b"v")])


def test_a_refused_write_gives_the_systems_reason(tmp_path: Path) -> None:
    code = (
        "import resource, signal\nfrom pathlib import Path\nfrom pixstore.layouts.lmdb_file import new_lmdb\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        f"try:\n    with new_lmdb(Path({str(tmp_path / 'db')!r})) as environment:\n        environment.put([(b'a', bytes(10**6))])\n"
        "except OSError as error:\n    print(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == f"{errno.EFBIG}\n", done.stderr
