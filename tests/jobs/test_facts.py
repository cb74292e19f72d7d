"""Facts: going on with other ones is refused, and the message says what differs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixstore.errors import JobMismatchError
from pixstore.jobs.facts import digest_of, require_same

FACTS = {
    "source": "/photos", "codec": "keep", "level": None, "samples": 1000, "keys": "0123456789abcdef", "bytes": 5000,
    "columns": {"label": "00000000000000aa"},
}  # fmt: skip


def refused(**changes: object) -> str:
    with pytest.raises(JobMismatchError) as raised:
        require_same(FACTS, {**FACTS, **changes}, Path("out"))
    return str(raised.value)


def test_same_facts_go_on() -> None:
    require_same(FACTS, dict(reversed(FACTS.items())), Path("out"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"codec": "png"}, "codec: 'keep' → 'png'"),
        ({"level": 3}, "level: none → 3"),
        ({"samples": 1001, "keys": "fedcba9876543210"}, "(samples in the source: 1,000 → 1,001)"),
        ({"keys": "fedcba9876543210"}, "keys of the source: digest 0123456789abcdef → digest fedcba9876543210"),
        ({"columns": {"label": "00000000000000bb"}}, "columns label: digest 00000000000000aa → digest 00000000000000bb"),
        ({"columns": {}}, "columns label: digest 00000000000000aa → none"),
        ({"order": "key"}, "order: none → 'key'"),
    ],
)
def test_what_differs_is_said(changes: dict[str, object], said: str) -> None:
    message = refused(**changes)
    assert said in message and message.startswith("out: an unfinished conversion is there") and "choose another destination" in message


def test_many_differences_are_counted() -> None:
    assert refused(a=1, b=2, c=3, d=4, e=5, f=6).count("→") == 4 and "and 2 more" in refused(a=1, b=2, c=3, d=4, e=5, f=6)


def test_digest_is_of_the_values_in_order() -> None:
    values = np.arange(10)
    assert digest_of(values) == digest_of(np.arange(20)[::2] // 2) != digest_of(values[::-1])
