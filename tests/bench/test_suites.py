from __future__ import annotations

import pytest

from pixstore.bench import suites
from pixstore.bench.lab.catalog import QUESTIONS
from pixstore.errors import InvalidInputError


def test_full_asks_everything_and_a_name_asks_one() -> None:
    assert suites.has_classic(["full"]) and suites.has_classic(["order", "classic"]) and not suites.has_classic(["order"])
    assert suites.questions(["full"]) == list(QUESTIONS.values())
    assert [question.name for question in suites.questions(["order"])] == ["order"]
    assert suites.questions(["classic"]) == []


@pytest.mark.parametrize("names", [[], ["classic", "ordre"]])
def test_unknown_suites_are_refused_with_the_list(names: list[str]) -> None:
    with pytest.raises(InvalidInputError, match=r"suites are classic, full, "):
        suites.check(names)


def test_the_mistyped_name_is_in_the_message() -> None:
    with pytest.raises(InvalidInputError, match="'ordre'"):
        suites.check(["classic", "ordre"])


def test_the_budget_grows_with_what_is_asked() -> None:
    assert suites.default_budget(["classic"]) == 120
    assert suites.default_budget(["full"]) == 1800
    assert suites.default_budget(["order"]) < suites.default_budget(["order", "classic"]) < 1800


def test_the_classic_experiment_has_its_usual_time_beside_one_question_and_a_part_of_the_full_suite() -> None:
    both = ["classic", "order"]
    assert suites.classic_seconds(both, suites.default_budget(both)) == pytest.approx(suites.default_budget(["classic"]))
    assert suites.classic_seconds(["full"], 1000.0) == pytest.approx(300.0)
    assert suites.classic_seconds(["order"], 1000.0) == 0


@pytest.mark.parametrize("names", [["classic"], ["order"], ["full"], ["classic", "order"]])
@pytest.mark.parametrize("budget", [1.0, 30.0, 1800.0])
def test_every_part_of_the_budget_is_given_once(names: list[str], budget: float) -> None:
    classic, drawing = suites.classic_seconds(names, budget), suites.drawing_seconds(names, budget)
    assert 0 <= classic <= budget and 0 < drawing <= budget / 5
    if suites.questions(names):
        assert classic + drawing < budget
    else:
        assert classic == budget
