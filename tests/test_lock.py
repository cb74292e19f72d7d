"""WriterLock: one holder, named to whoever comes second, and free again however it ends."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pixstore import errors
from pixstore.lock import NAME, Owner, WriterLock, boot_id, holders, start_time


def test_second_taker_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path)
    owner = json.loads((tmp_path / NAME).read_text())
    assert owner["pid"] == os.getpid() and owner["host"] == socket.gethostname() and lock.is_held
    assert owner["boot"] == boot_id() != "" and owner["started"] == start_time(os.getpid()) != ""
    with pytest.raises(errors.StoreBusyError, match=rf"{tmp_path}.*this very process.*pid {os.getpid()}.*since.*wait for it"):
        WriterLock(tmp_path)
    lock.release()
    lock.release()
    assert not lock.is_held
    WriterLock(tmp_path).release()


def test_what_a_longer_named_holder_left_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("x" * 1000)
    WriterLock(tmp_path).release()
    assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()


def test_lock_of_a_removed_store_is_no_lock(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        WriterLock(tmp_path / "gone")


@contextmanager
def running(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a script in a process of its own until it has said a line; end what is left of it afterwards."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


HOLD = """
    import sys, time
    from pathlib import Path
    from pixstore.lock import WriterLock
    lock = WriterLock(Path(sys.argv[1]))
    print("held", flush=True)
    time.sleep(60)
"""


def test_killed_holder_is_no_obstacle(tmp_path: Path) -> None:
    with running(HOLD, tmp_path) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        with pytest.raises(
            errors.StoreBusyError, match=rf"another writer has it \(pid {process.pid} on .*, since .*wait for it, or stop it"
        ):
            WriterLock(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
        owner = Owner.parse((tmp_path / NAME).read_bytes())
        assert owner is not None and owner.pid == process.pid and owner.has_ended
        WriterLock(tmp_path).release()


FORK = """
    import os, sys, time
    from pathlib import Path
    from pixstore.lock import WriterLock
    lock = WriterLock(Path(sys.argv[1]))
    child = os.fork()
    if child == 0:
        print("held" if lock.is_held else "left to the parent", os.getpid(), flush=True)
        time.sleep(60)
    sys.stdin.read(1)
    assert lock.is_held
    os._exit(0)
"""


def test_forked_child_neither_has_the_lock_nor_keeps_it_when_the_parent_ends(tmp_path: Path) -> None:
    with running(FORK, tmp_path) as process:
        assert process.stdout is not None and process.stdin is not None
        *words, child = process.stdout.readline().split()
        try:
            assert " ".join(words) == "left to the parent"
            with pytest.raises(errors.StoreBusyError, match=f"pid {process.pid} "):
                WriterLock(tmp_path)
            process.stdin.write("x")
            process.stdin.flush()
            assert process.wait(10) == 0
            os.kill(int(child), 0)
            WriterLock(tmp_path).release()
        finally:
            os.kill(int(child), signal.SIGKILL)


INHERIT = """
    import fcntl, json, os, sys, time
    descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.pwrite(descriptor, sys.argv[2].encode(), 0)
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("change", [{"boot": "another start of the machine"}, {"started": "1"}, {"pid": 1 << 30}])
def test_lock_that_outlives_its_owner_names_who_holds_it(tmp_path: Path, change: dict[str, object]) -> None:
    """As a child of foreign code would: our own closes what it inherits. A number that another process has now is no owner."""
    owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": "then", "boot": boot_id(), "started": start_time(os.getpid())}
    with running(INHERIT, tmp_path / NAME, json.dumps({**owner, **change})) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        assert process.pid in holders(tmp_path / NAME)
        with pytest.raises(errors.StoreBusyError, match=rf"its writer has ended .*still hold its lock \(pid {process.pid}\)"):
            WriterLock(tmp_path)


def test_owner_on_another_machine_is_told_how_to_look(tmp_path: Path) -> None:
    text = json.dumps({"pid": 77, "host": "node7", "since": "2026-01-01"})
    with running(INHERIT, tmp_path / NAME, text) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        with pytest.raises(errors.StoreBusyError, match=r"pid 77 on node7, since 2026.*ps -p 77.*node7.*Do not delete"):
            WriterLock(tmp_path)


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b'{"pid": "x"}', b"{" * 3000, b'{"pid": null}'])
def test_text_that_names_nobody_is_no_error_of_ours(tmp_path: Path, text: bytes) -> None:
    (tmp_path / NAME).write_bytes(text)
    assert Owner.parse(text) is None
    with open(tmp_path / NAME, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(errors.StoreBusyError, match="not said who it is"):
            WriterLock(tmp_path)
    WriterLock(tmp_path).release()


def test_owner_is_recognised_by_more_than_its_number() -> None:
    owner = Owner.of_this_process()
    assert not owner.has_ended and not owner.is_elsewhere and Owner.parse(json.dumps(vars(owner)).encode()) == owner
    assert Owner(owner.pid, owner.host, "", owner.boot, "1").has_ended
    assert Owner(owner.pid, owner.host, "", "another", owner.started).has_ended
    assert not Owner(1 << 30, "elsewhere", "").has_ended and Owner(1 << 30, owner.host, "").has_ended
    assert not Owner(owner.pid, owner.host, "").has_ended


def test_link_or_special_file_in_its_place_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("words")
    (tmp_path / NAME).symlink_to(tmp_path / "precious")
    with pytest.raises(errors.UnsafeInputError, match="link"):
        WriterLock(tmp_path)
    assert (tmp_path / "precious").read_text() == "words"
    (tmp_path / NAME).unlink()
    os.mkfifo(tmp_path / NAME)
    with pytest.raises(errors.UnsafeInputError, match="regular"):
        WriterLock(tmp_path)


def test_file_system_without_locks_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_here(file: object, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none_here)
    with pytest.raises(errors.ReadOnlyError, match=r"has no locks.*write elsewhere"):
        WriterLock(tmp_path)


def test_full_disk_keeps_nobody_from_freeing_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / NAME).write_text('{"pid": 1}')
    monkeypatch.setattr(os, "pwrite", full)
    lock = WriterLock(tmp_path)
    assert lock.is_held and (tmp_path / NAME).read_text() == ""
    lock.release()
