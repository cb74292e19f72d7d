"""The program `pixstore`: which verbs there are, and how each error becomes one line and an exit status.

0 done · 1 the check found a difference or damage · 2 bad input or usage, or the environment refuses · 3 internal error ·
130 interrupted · 143 terminated. Only the module of the verb in use is imported.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import FrameType
from typing import Annotated, NoReturn

import typer

from pixstore.cli.words import printable
from pixstore.errors import PixstoreError

REPORT_TO = "the project's issues page"


@dataclass(frozen=True)
class Verb:
    """A verb: its group and its line in the list of verbs; its own help is what `run` in the module of its name says."""

    name: str
    group: str
    help: str

    def load(self) -> Callable[..., None]:
        run: Callable[..., None] = import_module(f"pixstore.cli.{self.name}").run
        return run


START, LOOK, TRUST, UPKEEP = "Start", "Look", "Trust", "Upkeep"

VERBS = {
    verb.name: verb
    for verb in (
        Verb("bench", START, "Measure which way of keeping images is best, on yours or on built-in ones."),
        Verb("advise", START, "Say which way of keeping your images is best for your use, and why."),
        Verb("convert", START, "Make a store from a folder of images, CIFAR batches, HDF5, LMDB or another store."),
        Verb("export", START, "Take a store out: as folders, WebDataset, Parquet, TFRecord, HDF5, LMDB … for other readers."),
        Verb("split", START, "Draw train, validation and test samples, or folds, and save who is where by name."),
        Verb("info", LOOK, "Say what is at a path: rows, fields, columns, classes, bytes."),
        Verb("ls", LOOK, "List samples: key, shape and columns."),
        Verb("get", LOOK, "Write one sample's stored bytes to a file, untouched."),
        Verb("report", LOOK, "Draw tables, plots and the report again from a bench's results."),
        Verb("verify", TRUST, "Prove that a store holds every byte that was put in, or say what is damaged."),
        Verb("compare", TRUST, "Say whether two datasets hold the same samples, and list what differs."),
        Verb("repair", TRUST, "Make a new store of all that can be proven of a damaged one."),
        Verb("put", UPKEEP, "Put one image into a store under a key."),
        Verb("rm", UPKEEP, "Take samples out of a store."),
        Verb("versions", UPKEEP, "List the versions of a store that are kept."),
        Verb("tag", UPKEEP, "Name a version, so that it is kept."),
        Verb("rollback", UPKEEP, "Make a new version that holds what an older one holds."),
        Verb("compact", UPKEEP, "Make a store small again, and say first what that wins."),
        Verb("gc", UPKEEP, "Remove the files that no kept version needs."),
    )
}

NEXT_STEPS = """pixstore keeps images in open formats and measures which way is best.

  pixstore bench                       compare ways of keeping images, on built-in ones
  pixstore bench PHOTOS                the same on your own images
  pixstore advise PHOTOS               which way is best for them, and why
  pixstore convert PHOTOS out.pixstore make a store of them

All verbs: pixstore --help"""

HELP = """Usage: pixstore VERB …

Keep lots of images in open formats, feed them to a trainer fast, and measure which way is best.
{groups}
  pixstore VERB --help   what a verb takes
  pixstore --version     versions of all libraries, core, SIMD, CPUs"""


STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP; whoever tidies up after an interrupt does so here too."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        # Names that are not text in this locale are shown escaped.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    warnings.showwarning = show_warning
    for number in STOPS:
        # What is ignored stays so: under nohup a run outlives its terminal.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has left, as `head` does. Python would complain once more while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    return status


def run(arguments: list[str]) -> int:
    """Run one verb; every error but a broken pipe becomes a line on stderr and an exit status."""
    try:
        command = typer.main.get_command(build(arguments))
        with command.make_context("pixstore", arguments) as context:
            command.invoke(context)
    except typer.Exit as error:
        return error.exit_code
    except BrokenPipeError:
        raise
    except typer.TyperException as error:
        context_of = getattr(error, "ctx", None)
        path = context_of.command_path if context_of else "pixstore"
        return fail(2, f"{error.format_message().rstrip('.')}; see {path} --help")
    except (PixstoreError, OSError) as error:
        return fail(2, describe(error))
    except MemoryError:
        return fail(2, "not enough memory for this")
    except Terminated:
        return fail(143, "terminated")
    except KeyboardInterrupt:
        return fail(130, "interrupted")
    except Exception as error:
        return fail(3, f"internal error: {type(error).__name__}: {error}; please report it on {REPORT_TO}, with PIXSTORE_DEBUG=1 set")
    return 0


def build(arguments: Sequence[str]) -> typer.Typer:
    """Return the program with every verb listed; only the verb that these arguments name is loaded."""
    # Typer's own help of the whole program imports half of rich and shows it in 0.4 s.
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, add_help_option=False)
    app.callback(invoke_without_command=True)(start)
    chosen = next((each for each in arguments if not each.startswith("-")), None)
    for verb in VERBS.values():
        function = verb.load() if verb.name == chosen else not_loaded
        app.command(verb.name)(function)
    return app


def not_loaded() -> NoReturn:
    """Stand in the list of verbs for one that these arguments do not name."""
    raise AssertionError("a verb that is not named cannot run")


def show_help(asked: bool) -> None:
    if asked:
        print(HELP.format(groups=verbs_by_group()))
        raise typer.Exit()


def verbs_by_group() -> str:
    """Return the verbs and what each does, under the heads of their groups."""
    lines = []
    for group in dict.fromkeys(verb.group for verb in VERBS.values()):
        lines += ["", group, *(f"  {verb.name:<10}{verb.help}" for verb in VERBS.values() if verb.group == group)]
    return "\n".join([*lines, ""])


def show_version(asked: bool) -> None:
    if asked:
        print(import_module("pixstore.cli.version").describe())
        raise typer.Exit()


def start(
    context: typer.Context,
    help: Annotated[bool, typer.Option("--help", "-h", is_eager=True, callback=show_help)] = False,
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=show_version)] = False,
) -> None:
    """Say what to do next where no verb is named."""
    if context.invoked_subcommand is None:
        print(NEXT_STEPS)


def describe(error: Exception) -> str:
    """Return what an error says, with the file where the operating system names one."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def fail(status: int, message: str) -> int:
    """Print one line on stderr, with the traceback before it where PIXSTORE_DEBUG is set; return the status."""
    if os.environ.get("PIXSTORE_DEBUG"):
        traceback.print_exc()
    print(f"pixstore: {printable(message)}", file=sys.stderr)
    return status


def show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: object = None, line: str | None = None
) -> None:
    """Print a warning as one line; where in the code it was raised is of no use to users."""
    print(f"pixstore: warning: {printable(message)}", file=sys.stderr)


def stop(number: int, frame: FrameType | None) -> NoReturn:
    """Raise what ends the run, once: a second signal would hit whoever tidies up after the first."""
    for each in STOPS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated
