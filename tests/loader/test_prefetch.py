"""Items come in order, errors in their place, and no thread outlives its iterator."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from pixstore.errors import InvalidInputError
from pixstore.loader.prefetch import prefetch, prefetch_made


def threads_of_ours() -> int:
    return sum(thread.name == "pixstore-prefetch" for thread in threading.enumerate())


@pytest.mark.parametrize("ahead", [1, 2, 7])
def test_items_come_in_order_and_all(ahead: int) -> None:
    assert list(prefetch(range(100), ahead)) == list(range(100))
    assert list(prefetch([], ahead)) == []


def test_error_is_raised_in_its_place_and_ends_the_iteration() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("three")

    iterator = prefetch(items(), 5)
    assert [next(iterator), next(iterator)] == [1, 2]
    with pytest.raises(KeyError, match="three"):
        next(iterator)
    with pytest.raises(StopIteration):
        next(iterator)
    assert threads_of_ours() == 0


def test_no_more_is_made_than_asked_for_in_advance() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    iterator = prefetch(items(), 3)
    assert next(iterator) == 0
    deadline = time.monotonic() + 10
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(made) <= 5
    iterator.close()


def test_break_ends_the_thread_and_frees_the_source() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    for _ in prefetch(items()):
        break
    gc.collect()
    assert threads_of_ours() == 0 and closed.wait(10)


def test_item_is_not_kept_alive_after_it_was_handed_out() -> None:
    class Item:
        alive = 0

        def __init__(self) -> None:
            Item.alive += 1

        def __del__(self) -> None:
            Item.alive -= 1

    iterator = prefetch((Item() for _ in range(50)), 2)
    for item in iterator:
        assert Item.alive <= 5
        del item
    gc.collect()
    assert Item.alive == 0


def test_several_threads_make_at_once_and_keep_the_order() -> None:
    both = threading.Barrier(2, timeout=30)

    def make(number: int) -> int:
        if number in (1, 2):
            both.wait()
        time.sleep(0.003 if number % 2 else 0)
        return 10 * number

    assert list(prefetch_made(range(50), make, ahead=2, threads=2)) == [10 * number for number in range(50)]
    assert threads_of_ours() == 0


def test_first_one_is_made_alone_where_asked() -> None:
    begun: list[int] = []
    before_first: list[list[int]] = []

    def make(number: int) -> int:
        begun.append(number)
        if number == 0:
            time.sleep(0.05)
            before_first.append(list(begun))
        return number

    assert list(prefetch_made(range(20), make, ahead=2, threads=3, first_alone=True)) == list(range(20))
    assert before_first == [[0]]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_error_of_making_comes_in_its_place_whoever_is_faster(threads: int) -> None:
    def make(number: int) -> int:
        if number == 7:
            time.sleep(0.02)
            raise KeyError("seven")
        return number

    iterator = prefetch_made(range(50), make, ahead=3, threads=threads)
    assert [next(iterator) for _ in range(7)] == list(range(7))
    with pytest.raises(KeyError, match="seven"):
        next(iterator)
    with pytest.raises(StopIteration):
        next(iterator)
    assert threads_of_ours() == 0


def test_several_threads_begin_no_more_than_they_may() -> None:
    begun: list[int] = []
    iterator = prefetch_made(range(100), begun.append, ahead=2, threads=3)
    next(iterator)
    time.sleep(0.1)
    assert sorted(begun) == list(range(5))
    iterator.close()


def test_ahead_below_one_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="ahead is 0"):
        prefetch([], 0)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_child_of_a_fork_is_told_to_begin_its_own() -> None:
    iterator = prefetch(range(10))
    next(iterator)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # no assert here: the child must end without pytest noticing
        try:
            next(iterator)
        except InvalidInputError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    assert b"before the process was forked" in os.read(reader, 1000)
    os.close(reader)
    assert list(iterator) == list(range(1, 10))


BUSY = """
import itertools, time, sys
from pixstore.loader.prefetch import prefetch
def items():
    for number in itertools.count():
        time.sleep(0.001)
        yield number
iterator = prefetch(items(), 4)
print(next(iterator), flush=True)
{then}
"""


@pytest.mark.parametrize("then", ["", "raise SystemExit(0)", "del iterator"])
def test_interpreter_exits_cleanly_while_the_thread_works(then: str) -> None:
    done = subprocess.run([sys.executable, "-c", BUSY.format(then=then)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_interrupt_ends_a_waiting_process_soon() -> None:
    code = "import threading\nfrom pixstore.loader.prefetch import prefetch\nprint('up', flush=True)\n"
    code += "next(prefetch(iter(lambda: threading.Event().wait(1.0), None)))\nprint('item', flush=True)\n"
    code += "for _ in prefetch(iter(lambda: threading.Event().wait(0.1), 1)): pass"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "up\n" and process.stdout.readline() == "item\n"
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors and process.returncode != 0
    assert time.monotonic() - begin < 20
