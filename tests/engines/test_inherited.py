"""A child of a fork never forgets the handles that its parent held; the parent does."""

from __future__ import annotations

import os
import signal
import sys
import weakref

from pixstore.engines.inherited import hold, release


class Handle:
    pass


def test_a_child_keeps_what_is_held_and_the_parent_lets_go() -> None:
    held, loose = Handle(), Handle()
    told = weakref.ref(held), weakref.ref(loose)
    hold(held)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        del held, loose
        os._exit(0 if told[0]() is not None and told[1]() is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    release(held)
    release(held)
    del held
    assert told[0]() is None and sys.getrefcount(loose) > 0
