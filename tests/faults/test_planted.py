"""Planted faults in the short tier: the ones that are caught in a second. `make torture PART=planted` plants all."""

from __future__ import annotations

import pytest

from faults.forked import run_forked
from faults.planted import PLANTED, Trap
from faults.stage import nothing
from faults.tracing import STRACE

QUICK = {"order", "links", "forks", "ending forks", "gc", "resume", "compacting damage", "rot"}
CHOSEN = [
    (name, next(trap for trap in traps if trap.name in QUICK)) for name, (_, traps) in PLANTED.items() if {t.name for t in traps} & QUICK
]
needs_strace = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


def cases() -> list[object]:
    return [pytest.param(name, trap, id=name, marks=[needs_strace] if trap.name == "order" else []) for name, trap in CHOSEN]


@pytest.mark.parametrize(("name", "trap"), cases())
def test_planted_fault_is_caught(name: str, trap: Trap) -> None:
    assert trap.catch(PLANTED[name][0]) != []


@pytest.mark.parametrize("trap", [trap for _, trap in CHOSEN if trap.name not in ("order", "rot")], ids=str)
def test_trap_is_silent_where_nothing_is_planted(trap: Trap) -> None:
    assert trap.catch(nothing) == []


def test_there_are_enough_planted_faults_and_each_says_what_it_does() -> None:
    assert len(PLANTED) >= 15 and all(plant.__doc__ and traps for plant, traps in PLANTED.values())
    assert len({plant for plant, _ in PLANTED.values()}) == len(PLANTED)


def test_plants_stay_in_their_child() -> None:
    assert run_forked(lambda: [plant() for plant, _ in PLANTED.values()]).is_whole
