"""The list of layouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixstore.errors import InvalidInputError
from pixstore.layouts import catalog


def test_an_unknown_layout_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(InvalidInputError, match="no layout 'tape'; layouts here:"):
        catalog.layout("tape")


def test_every_layout_is_listed_under_its_own_name() -> None:
    files = {each.stem for each in Path(catalog.__file__).parent.glob("*.py") if "LAYOUT = " in each.read_text(encoding="utf-8")}
    assert {type(each).__module__.rpartition(".")[2] for each in catalog.ALL} >= files
    assert all(name == each.name and each.words for name, each in catalog.LAYOUTS.items())
