"""The layouts there are, in the order in which help lists them."""

from __future__ import annotations

from pixstore.errors import InvalidInputError
from pixstore.layout import Layout

ALL: tuple[Layout, ...] = ()
LAYOUTS: dict[str, Layout] = {each.name: each for each in ALL}


def layout(name: str) -> Layout:
    """Return the layout of this name. Raises InvalidInputError naming those there are."""
    if name not in LAYOUTS:
        raise InvalidInputError(f"no layout {name!r}; layouts here: {', '.join(LAYOUTS)}")
    return LAYOUTS[name]
