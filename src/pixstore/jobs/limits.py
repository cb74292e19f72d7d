"""How many samples may be bad before a conversion stops and asks."""

from __future__ import annotations

import re

from pixstore.errors import InvalidInputError

DEFAULT = "1%"
FEW = 100
"""So many may be bad where the limit is a share: one of ten samples is no reason to stop."""


def most_bad(limit: str | int, samples: int) -> int | None:
    """Return how many of so many samples may be bad: a number, a share as "1%" (but at least FEW, except for "0%"), or None for "none".

    Raises InvalidInputError for anything else.
    """
    text = str(limit)
    if text == "none":
        return None
    if text.isdecimal():
        return int(text)
    share = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if share is None or float(share[1]) > 100:
        raise InvalidInputError(f"bad_limit {limit!r} is neither a number, nor a share like '1%', nor 'none'")
    if not float(share[1]):
        return 0
    return max(FEW, int(samples * float(share[1]) / 100))
