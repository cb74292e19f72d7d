"""Who is ahead: one way by its median, and with it every way that the noise does not tell from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pixstore.bench import words
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import LEAST_REPEATS, Spread, overlap

MOST_NAMED = 3


def leaders(values: Mapping[str, Spread], *, most: bool = True) -> list[str]:
    """Return the ways ahead, the best median first; most: whether more is better.

    With the best come those whose interval meets that of the best, and those measured too few times; all, where the best was itself.
    """
    ranked = sorted(values, key=lambda way: values[way].median, reverse=most)
    return [way for way in ranked if way == ranked[0] or overlap(values[way], values[ranked[0]])]


def last(values: Mapping[str, Spread], *, most: bool = True) -> list[str]:
    """Return the ways farthest behind, the worst median first; none where the noise does not tell the worst from the best."""
    behind = leaders(values, most=not most)
    return [] if set(behind) & set(leaders(values, most=most)[:1]) else behind


def named(ways: list[str], run: Measurements) -> str:
    """Return the title of the one way ahead, or with those that are not told from it."""
    titles = [run.title(way) for way in ways]
    if len(titles) == 1:
        return titles[0]
    others = titles[1:MOST_NAMED]
    if len(titles) > MOST_NAMED:
        others.append(f"{len(titles) - MOST_NAMED} more")
    return f"{titles[0]} (not told apart from {', '.join(others[:-1])}{' and ' if len(others) > 1 else ''}{others[-1]})"


def too_few(answers: Sequence[Observation]) -> str:
    """Return how many cells were measured too few times for anybody to be called ahead by them, "" where none was."""
    measured = [each.seconds for each in answers if each.seconds is not None]
    few = sum(not each.is_known for each in measured)
    if not few:
        return ""
    return (
        f"{few:,} of {words.count(len(measured), 'cell')} were measured fewer than {LEAST_REPEATS} times: by those nobody is called ahead."
    )
