"""Which questions a run asks, and how its budget is shared among them and the classic experiment."""

from __future__ import annotations

from collections.abc import Sequence

from pixstore.bench.lab.catalog import QUESTIONS
from pixstore.bench.lab.question import Question
from pixstore.errors import InvalidInputError

CLASSIC = "classic"
FULL = "full"
SUITES = (CLASSIC, FULL, *QUESTIONS)
CLASSIC_SECONDS = 120.0
FULL_SECONDS = 1800.0
QUESTION_SECONDS = 90.0
DRAWING_SECONDS = 12.0
"""For the physical limits, and for the plots and the report of the classic experiment."""
QUESTION_DRAWING_SECONDS = 2.0
"""For the plots of one question more."""
CLASSIC_PART = 0.3
"""Of the budget, at least; more where few questions are asked besides."""


def check(names: Sequence[str]) -> None:
    """Raise InvalidInputError for a name that is no suite, and for none at all."""
    unknown = [name for name in names if name not in SUITES]
    if unknown or not names:
        raise InvalidInputError(f"no suite {', '.join(map(repr, unknown)) or 'named'}; suites are {', '.join(SUITES)}")


def has_classic(names: Sequence[str]) -> bool:
    return CLASSIC in names or FULL in names


def questions(names: Sequence[str]) -> list[Question]:
    """Return the questions of these suites, in the order of the report."""
    return [question for name, question in QUESTIONS.items() if name in names or FULL in names]


def default_budget(names: Sequence[str]) -> float:
    """Return the seconds a run takes where no budget is given."""
    if FULL in names:
        return FULL_SECONDS
    return CLASSIC_SECONDS * has_classic(names) + QUESTION_SECONDS * len(questions(names))


def classic_seconds(names: Sequence[str], budget_seconds: float) -> float:
    """Return what of the budget is the classic experiment's."""
    if not has_classic(names):
        return 0.0
    usual = CLASSIC_SECONDS / (CLASSIC_SECONDS + QUESTION_SECONDS * len(questions(names)))
    return budget_seconds * max(CLASSIC_PART, usual)


def drawing_seconds(names: Sequence[str], budget_seconds: float) -> float:
    """Return what of the budget is kept for the plots and the report, at most a fifth."""
    return min(DRAWING_SECONDS + QUESTION_DRAWING_SECONDS * len(questions(names)), budget_seconds / 5)
