"""The key that somebody probably meant, found among millions in a moment."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

MOST_COMPARED = 2000
"""So many keys are compared letter by letter in some hundredths of a second."""
DIGITS = 8
"""Of a default key."""

Keys: TypeAlias = pa.ChunkedArray | pa.Array


def nearest_key(key: str, keys: Keys) -> str | None:
    """Return the key nearest to one that is not there; None where none is near.

    Few keys are all compared. Of many, those that begin or end like it for longest, or differ in case alone: a few passes over all.
    """
    if not key or not key.isprintable():
        return None
    candidates = keys.to_pylist() if len(keys) <= MOST_COMPARED else _like(key, keys)
    folded = {each.casefold(): each for each in candidates}
    for likely in (key.casefold(), key.zfill(DIGITS)):
        if likely in folded:
            return str(folded[likely])
    near = difflib.get_close_matches(key, candidates, n=1)
    return near[0] if near else None


def said(key: str, keys: Keys) -> str:
    """Return "; did you mean 'cat-001'?", or nothing where no key is near."""
    near = nearest_key(key, keys)
    return "" if near is None else f"; did you mean {near!r}?"


def _like(key: str, keys: Keys) -> list[str]:
    padded, lower = key.zfill(DIGITS), key.lower()
    alike = [
        keys.filter(pc.equal(keys, padded)),
        keys.filter(pc.equal(pc.utf8_lower(keys), lower)),
        _longest(keys, len(key), lambda those, count: pc.starts_with(those, pattern=key[:count])),
        _longest(keys, len(key), lambda those, count: pc.ends_with(those, pattern=key[-count:])),
    ]
    return [each for those in alike for each in those.slice(0, MOST_COMPARED).to_pylist()]


def _longest(keys: Keys, most: int, matches: Callable[[Keys, int], Keys]) -> Keys:
    """Return the keys that match in the largest count of characters in which any does; none where not one matches in the first."""
    found, least = keys.slice(0, 0), 0
    # Whatever matches in more characters matches in fewer too, so each pass looks at those of the one before.
    while least < most:
        middle = (least + most + 1) // 2
        those = keys.filter(matches(keys, middle))
        if len(those):
            found, keys, least = those, those, middle
        else:
            most = middle - 1
    return found
