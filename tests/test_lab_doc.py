"""docs/lab.md names every question of the lab, and no page names one that there is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pixstore.bench import SUITES
from pixstore.bench.lab.catalog import QUESTIONS
from pixstore.bench.ways.catalog import BY_HAND

PROJECT = Path(__file__).resolve().parents[1]
LAB = (PROJECT / "docs" / "lab.md").read_text(encoding="utf-8")
PAGES = ("README.md", "docs/lab.md", "docs/storage.md")


def test_every_question_has_its_line() -> None:
    asked = LAB.partition("## What is asked")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z][a-z-]*)` \|", asked, re.MULTILINE)) == set(QUESTIONS)


@pytest.mark.parametrize("page", PAGES)
def test_suites_of_the_page_are_suites(page: str) -> None:
    named = re.findall(r"--suite ([a-z,-]+)", (PROJECT / page).read_text(encoding="utf-8"))
    assert named and {each for names in named for each in names.split(",")} <= set(SUITES)


def test_every_way_by_hand_is_named() -> None:
    assert all(f"`{name}`" in LAB for name in BY_HAND)
