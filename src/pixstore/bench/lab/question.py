"""What a question of the lab is: cells to measure, plots to look at, and two sentences that answer it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pixstore.bench.lab.chart import Chart
from pixstore.bench.measurements import Measurements, Observation, Value

if TYPE_CHECKING:
    from pixstore.bench.lab.lab import Lab


@dataclass(frozen=True)
class Observed:
    """One repeat of one cell: the seconds all its images took, other measures by name and unit, and the proof of its setting."""

    seconds: float
    measures: Mapping[str, float] = field(default_factory=dict)
    proof: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """One cell to be measured: `measure` prepares one repeat, times what is asked, checks what was read, and returns it.

    load: how much there is to do next to the question's other cells, in any unit; where it is not said, the number of images. What a
    cell will take is foretold by it. stored_images: how many images its store holds, where these are not `images`.
    """

    way: str
    images: int
    setting: Mapping[str, Value]
    measure: Callable[[], Observed]
    load: float | None = None
    stored_images: int | None = None


class Question(ABC):
    """Something people ask about keeping images, answered by measuring."""

    name: str
    """What `--suite` calls it: "order"."""
    title: str
    """The heading of its section: "Order of access"."""
    asks: str
    """The question in plain words, one or two sentences; how it was measured belongs here too."""
    weight: float = 1.0
    """Its share of the budget, next to the others."""
    is_counted = False
    """Whether its answer is of what is counted, as bytes, where few repeats tell as much as many."""

    @abstractmethod
    def trials(self, lab: Lab) -> list[Trial]:
        """Return every cell; making them costs little, stores are made when first measured."""

    @abstractmethod
    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        """Return what is drawn of the answers, the most important first."""

    @abstractmethod
    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        """Return the answer in two sentences made from the data; `run` knows the ways' titles. Empty where nothing was measured."""
