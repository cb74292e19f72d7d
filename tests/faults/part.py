"""What a part of the fault tests is, and what it hands to the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """One kind of fault, tried on one engine and operation.

    `seed` is that of the first trial; the others follow it. Each failure is one line that begins with its seed: engine, op and seed
    alone decide what a trial does. `skipped` says why nothing was tried.
    """

    part: str
    engine: str
    op: str
    fault: str
    trials: int
    seed: int
    seconds: float
    failures: tuple[str, ...] = ()
    durability: str = "power"
    skipped: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """One program of fault tests. `run(engine, op, trials, seed)` tries; `ops` is ("",) where there are no operations.

    `trials` is for each engine and operation in a full run, `short` in the tier of `make test`; 0 is every one there is. A part that is
    not `by_engine` runs once, with an empty engine. `explains` says for the report what is done and what must hold.
    """

    name: str
    title: str
    run: Callable[[str, str, int, int], list[Result]]
    ops: tuple[str, ...]
    trials: int
    short: int
    explains: str
    by_engine: bool = True
