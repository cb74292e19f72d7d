"""A function in a child: what it answers, how its end is told, and what it cannot do."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from pixstore import child
from pixstore.child import Answer, Limits
from pixstore.confinement import landlock_version
from pixstore.errors import CorruptStoreError, DependencyError, ForeignFileCrashedError, LimitExceededError

# The functions that run in children lie in a module that loads nothing else, which children find by its folder.
sys.path.append(str(Path(__file__).parent))
limited = importlib.import_module("limited_functions")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "foreign.bin"
    path.write_text("foreign")
    return path


def test_the_answer_holds_a_value_and_raw_bytes(file: Path) -> None:
    answer = child.run(limited.describe, file, 1, ["ü"])
    assert answer.value == {"bytes": "foreign", "arguments": [1, ["ü"]]}
    assert answer.buffers == [b"abc", b"\0\0", b""]


def test_what_is_printed_is_no_part_of_the_answer(file: Path) -> None:
    assert child.run(limited.print_first, file).value == "answered"


def test_environment_is_empty_and_folder_private(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "1")
    found = child.run(limited.surroundings, file).value
    assert "SECRET_TOKEN" not in found["names"] and "HOME" not in found["names"]
    assert found["preload"] == "::"
    assert found["folder"].startswith(tempfile.gettempdir()) and not os.path.exists(found["folder"])


def test_our_errors_come_back_as_they_were_raised(file: Path) -> None:
    with pytest.raises(CorruptStoreError, match=r"foreign\.bin: is damaged"):
        child.run(limited.refuse, file)


@pytest.mark.parametrize(
    ("function", "reason", "number"),
    [
        (limited.crash, "died of SIGSEGV", signal.SIGSEGV),
        (limited.leave, "ended with status 7", None),
        (limited.stumble, "KeyError", None),
        (limited.sleep, "took more than 1 s", signal.SIGKILL),
        (limited.spin, "took more than 1 s of processor time", signal.SIGXCPU),
        (limited.answer_much, "more bytes than the limit of 2000", None),
    ],
)
def test_its_end_is_an_error_that_names_file_and_reason(
    function: Callable[..., Answer], reason: str, number: int | None, file: Path
) -> None:
    limits = Limits(cpu_seconds=1, seconds=1.0 if function is limited.sleep else 60.0, answer_bytes=2000)
    with pytest.raises(ForeignFileCrashedError, match=reason) as caught:
        child.run(function, file, limits=limits)
    assert str(file) in str(caught.value) and caught.value.signal == number


def test_memory_beyond_the_limit_is_refused(file: Path) -> None:
    with pytest.raises(LimitExceededError, match=r"foreign\.bin: asks for more than 1073741824 bytes"):
        child.run(limited.take_memory, file)


def test_a_child_that_closes_its_pipes_leaves_no_zombie(file: Path) -> None:
    before = own_children()
    with pytest.raises(ForeignFileCrashedError):
        child.run(limited.leave, file)
    assert own_children() <= before


def own_children() -> set[str]:
    """Return the process numbers of this process's children, those included that ended and nobody has waited for."""
    return {number for each in Path("/proc/self/task").glob("*/children") for number in each.read_text().split()}


@pytest.mark.parametrize("function", [limited.open_many, limited.write_here, limited.write_there])
def test_limits_of_the_system_hold(function: Callable[..., Answer], file: Path) -> None:
    with pytest.raises(ForeignFileCrashedError):
        child.run(function, file)
    assert file.read_text() == "foreign"


@pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
def test_nothing_but_the_file_can_be_read_or_run(file: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(ForeignFileCrashedError, match="Permission denied"):
        child.run(limited.read_other, file, str(tmp_path / "secret.txt"))
    with pytest.raises(ForeignFileCrashedError, match="Permission denied"):
        child.run(limited.run_program, file)


def test_what_is_named_can_be_read(file: Path, tmp_path: Path) -> None:
    (tmp_path / "second.txt").write_text("second")
    assert child.run(limited.read_other, file, str(tmp_path / "second.txt"), reads=[tmp_path / "second.txt"]).value == "second"
    assert child.run(limited.list_folder, tmp_path).value == ["foreign.bin", "second.txt"]


WITHOUT_LANDLOCK = """
import sys, warnings
warnings.simplefilter("always")
from pixstore import child
from pixstore.sources.hdf5.examination import examine
print(child.run(examine, sys.argv[1], [sys.argv[1]]).value)
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to make a kernel without Landlock of this one")
def test_what_the_system_cannot_limit_is_said_in_a_warning(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as made:
        made["a"] = 1
    without = ["strace", "-f", "-o", os.devnull, "-e", "inject=landlock_create_ruleset:error=ENOSYS", sys.executable, "-c"]
    done = subprocess.run([*without, WITHOUT_LANDLOCK, tmp_path / "a.h5"], capture_output=True, text=True, check=True)
    assert "'name': 'a'" in done.stdout
    assert "UserWarning: this system does not limit for the process that reads foreign files: access to other files" in done.stderr


@pytest.mark.skipif(landlock_version() < 4, reason="this kernel's Landlock knows no network")
def test_no_connection_can_be_made(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(ForeignFileCrashedError, match="Permission denied"):
        child.run(limited.connect, file, server.getsockname()[1])


def test_a_function_that_cannot_be_found_again_is_refused(file: Path) -> None:
    with pytest.raises(TypeError, match="no top-level function"):
        child.run(lambda path: Answer(path), file)


def test_a_child_that_cannot_import_its_function_is_no_fault_of_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limited.describe, "__module__", "nowhere.to_be_found")
    for argument in ("", "more than a pipe holds " * 10_000):
        with pytest.raises(DependencyError, match=r"does not start \(status 1\)"):
            child.run(limited.describe, file, argument)


@pytest.mark.parametrize(
    "answer",
    [b"", b"abc", struct.pack("<Q", 1 << 60), struct.pack("<Q", 5) + b"[1,2]", struct.pack("<Q", 4) + b"oops",
     struct.pack("<Q", 16) + b'{"buffers":[-1]}', struct.pack("<Q", 15) + b'{"buffers":"x"}', struct.pack("<Q", 15) + b'{"buffers":[9]}',
     struct.pack("<Q", 100_000) + b"[" * 100_000],
)  # fmt: skip
def test_a_child_taken_over_can_only_answer_nonsense(answer: bytes, file: Path, tmp_path: Path) -> None:
    (tmp_path / "answer.bin").write_bytes(answer)
    with pytest.raises(ForeignFileCrashedError, match="foreign"):
        child.run(limited.raw_answer, file, str(tmp_path / "answer.bin"), reads=[tmp_path / "answer.bin"])
