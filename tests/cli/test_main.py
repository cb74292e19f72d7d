"""The program's frame: help, next steps, versions, exit statuses, one line per error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from pixstore.cli import main as frame
from pixstore.cli import version as version_module
from pixstore.errors import CorruptRecordError, NotAStoreError, StoreFullError

PROGRAM = [sys.executable, "-c", "import sys; from pixstore.cli.main import main; sys.exit(main())"]


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def run() -> NoReturn:
        raise error

    return run


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Let the verb `info` raise this error."""

    def plant(error: BaseException) -> None:
        monkeypatch.setattr(frame.Verb, "load", lambda _: raising(error))

    return plant


def test_alone_it_names_four_next_steps(pixstore) -> None:
    done = pixstore()
    assert done.status == 0
    assert [line.split()[1] for line in done.out.splitlines() if line.startswith("  pixstore ")] == ["bench", "bench", "advise", "convert"]


def test_help_lists_every_verb_under_its_group(pixstore) -> None:
    done = pixstore("--help")
    assert done.status == 0
    assert "\nStart\n" in done.out and "\nLook\n" in done.out
    for verb in frame.VERBS:
        assert f"\n  {verb} " in done.out


@pytest.mark.parametrize("verb", sorted(frame.VERBS))
def test_each_verb_has_help_and_json(verb: str, pixstore) -> None:
    done = pixstore(verb, "--help")
    assert done.status == 0
    assert "--json" in done.out
    # An example, besides the line of usage.
    assert done.out.count(f"pixstore {verb} ") >= 2


def test_version_names_libraries_core_simd_and_cpus(pixstore) -> None:
    done = pixstore("--version")
    assert done.status == 0
    assert done.out.startswith("pixstore ")
    for word in ("core: ", "SIMD", "CPU", "Python", "numpy ", "pillow ", "lmdb ", "h5py ", "HDF5 "):
        assert word in done.out
    assert done.out.strip() == version_module.describe()


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["--nonsense"], ["info"], ["info", "a", "b"], ["ls", "--limit", "many", "a"], ["ls", "--limit"]]
)
def test_wrong_usage_is_one_line_that_names_the_help(arguments: list[str], pixstore) -> None:
    done = pixstore(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("pixstore: ") and done.err.count("\n") == 1
    assert "--help" in done.err


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (NotAStoreError("a.txt: is a text file"), 2, "pixstore: a.txt: is a text file\n"),
        (CorruptRecordError("two\nlines"), 2, "pixstore: two\\nlines\n"),
        (StoreFullError(28, "disk: no space left"), 2, "pixstore: disk: no space left\n"),
        (PermissionError(13, "Permission denied", "secret"), 2, "pixstore: secret: Permission denied\n"),
        (MemoryError(), 2, "pixstore: not enough memory for this\n"),
        (KeyboardInterrupt(), 130, "pixstore: interrupted\n"),
        (frame.Terminated(), 143, "pixstore: terminated\n"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_error_becomes_one_line_and_a_status(error: BaseException, status: int, said: str, failing, pixstore) -> None:
    failing(error)
    done = pixstore("info")
    assert (done.status, done.out, done.err) == (status, "", said)


def test_internal_error_is_one_line_that_says_where_to_report(failing, pixstore) -> None:
    failing(ZeroDivisionError("oops"))
    done = pixstore("info")
    assert done.status == 3
    assert done.err.count("\n") == 1
    assert "ZeroDivisionError: oops" in done.err and frame.REPORT_TO in done.err


def test_debug_adds_the_traceback(failing, pixstore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXSTORE_DEBUG", "1")
    failing(ZeroDivisionError("oops"))
    done = pixstore("info")
    assert done.status == 3
    assert "Traceback" in done.err


def test_warning_is_one_line_without_the_place_in_the_code(pixstore, monkeypatch: pytest.MonkeyPatch) -> None:
    def warn() -> None:
        warnings.warn("odd file\x1b[31m", UserWarning, stacklevel=1)

    monkeypatch.setattr(frame.Verb, "load", lambda _: warn)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        done = pixstore("info")
    assert (done.status, done.err) == (0, "pixstore: warning: odd file\\x1b[31m\n")


def test_closed_pipe_is_quiet(photos: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*PROGRAM, "ls", str(photos)], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)])
def test_signal_ends_the_program_with_its_status(number: int, status: int) -> None:
    wait = (
        # A job in the background of a shell begins with Ctrl-C ignored, and so would its children.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "import sys, time; from pixstore.cli import main as frame\n"
        "def run():\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "frame.Verb.load = lambda _: run\nsys.exit(frame.main(['info']))"
    )
    with subprocess.Popen([sys.executable, "-c", wait], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None and program.stderr is not None
        assert program.stdout.readline() == "ready\n"
        program.send_signal(number)
        assert program.wait(30) == status
        assert program.stderr.read().count("\n") == 1


def test_help_and_import_load_no_heavy_library() -> None:
    heavy = {"numpy", "pyarrow", "matplotlib", "h5py", "lmdb", "PIL", "rich.console", "pydantic"}
    ask = "import sys; import pixstore; from pixstore.cli.main import main; main(['--help']); print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "pixstore.cli.main" in loaded
    assert not heavy & loaded
