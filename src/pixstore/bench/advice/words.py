"""Advice in words: one line, the reasons, the table of candidates, the commands; all from the figures."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pixstore.bench import naming, words
from pixstore.bench.advice.costs import EPOCHS, TIE, cost, gain_of, is_tie, reading
from pixstore.bench.advice.figures import Figures, Reason, Situation, Verdict
from pixstore.bench.advice.rules import ORDER_KEPT, SHARD_BYTES
from pixstore.bench.table import NONE, Table
from pixstore.naming import SourceLike, Stated, argument, said_of, source_arguments

MOST_REASONS = 5
VALUE_HEADS = {"train": "images/s", "browse": "one read, p95", "archive": "images/s in order"}
BATCH = 256
WHY_NOT_BETTER = {
    "tiny": "but with so little to read it does not matter",
    "demand": "more than is wanted",
    "never-pays": "too little for what the conversion takes",
}
"""By the rule that chose another."""


def headline(verdict: Verdict) -> str:
    """Return the recommendation in one line."""
    sure = f"confidence {verdict.confidence}: {verdict.confidence_reason}"
    if verdict.leaves_as_is:
        return f"Leave them as they are ({sure})."
    way = verdict.choice
    kept = {"keep": "their bytes kept as they are", "raw": "as raw pixels", "png": "as PNG"}.get(way.codec or "", str(way.codec))
    effort = "" if way.level is None else f" of level {way.level}"
    return f"Convert them: {naming.ENGINES.get(way.engine or '', str(way.engine))}, {kept}{effort} ({sure})."


def reasons(verdict: Verdict, situation: Situation) -> list[str]:
    """Return three to five reasons, the most important first, then remarks."""
    found = [*_unfed(verdict), *(each.words for each in verdict.reasons)]
    found += [said for said in (_price(verdict), _runner_up(verdict, situation)) if said]
    found += [f"not considered: {each.words}" for each in _telling(verdict)]
    return [*found[:MOST_REASONS], *(each.words for each in verdict.remarks)]


def _telling(verdict: Verdict) -> list[Reason]:
    """Return why ways were left out, where a rule besides lack of time said so, each reason once."""
    because = verdict.reasons[0].rule
    others = (each for way, each in verdict.excluded.items() if each.rule != "measured" and not (way == "source" and each.rule == because))
    return list({each.words: each for each in others}.values())


def _price(verdict: Verdict) -> str:
    way, epochs = verdict.choice, verdict.payback_epochs
    if way.is_source or way.convert_seconds is None or way.disk_bytes is None:
        return ""
    said = f"the conversion takes about {words.duration(way.convert_seconds)} and {words.size(way.disk_bytes)} of disk"
    return said if epochs is None else f"{said}; it has paid for itself after {_epochs(epochs)}"


def _epochs(epochs: float) -> str:
    return "one epoch" if epochs <= 1 else f"{epochs:,.0f} epochs" if epochs >= 10 else f"{epochs:.1f} epochs"


def _runner_up(verdict: Verdict, situation: Situation) -> str:
    other = verdict.runner_up
    mine, theirs = cost(verdict.choice, situation), None if other is None else cost(other, situation)
    if other is None or mine is None or theirs is None:
        return ""
    ratio = theirs.median / mine.median
    if abs(ratio - 1) <= TIE or is_tie(verdict.choice, other, situation):
        return f"next best: {other.title}, about the same {_costs(situation)}"
    if ratio > 1:
        return f"next best: {other.title}, {words.times(ratio)} the {_costs(situation)}"
    return _better(verdict, other, words.times(1 / ratio))


def _better(verdict: Verdict, other: Figures, times: str) -> str:
    """Return why a way that is better by what was measured is not chosen."""
    if verdict.reasons[0].rule == "little-gain":
        # That reason names it.
        return ""
    why = WHY_NOT_BETTER.get(verdict.reasons[0].rule, "but that was measured where it does not count")
    return f"{other.title} is {times} as fast, {why}"


def _costs(situation: Situation) -> str:
    return {"train": "time per image, opening counted", "browse": "time of a read", "archive": "disk"}[situation.use]


def _unfed(verdict: Verdict) -> list[str]:
    """Return that a demand is not met, where it is not."""
    found = verdict.demand
    if found is None or found.way is not None:
        return []
    if found.source_rate is None:
        return [f"whether {words.rounded(found.images_per_second)} images per second are reached as they lie could not be measured"]
    wanted, source, best = (words.rounded(each or 0.0) for each in (found.images_per_second, found.source_rate, found.rate))
    return [f"{wanted} images per second are not reached with these CPUs: as they lie {source}, the fastest way {best}"]


def candidates(ways: Sequence[Figures], situation: Situation) -> Table:
    """Return every candidate with its rate and how well that is known, disk, time to convert, and gain over the data as it lies."""
    source = next(way for way in ways if way.is_source)
    heads = ("kept as", "way", VALUE_HEADS[situation.use], "known within", "disk", "to convert", "gain")
    return Table(_title(situation), heads, [_row(way, source, situation) for way in ways])


def _title(situation: Situation) -> str:
    measured = f"{words.count(situation.sampled, 'image')} of {situation.images:,} measured"
    if situation.use == "train":
        return f"Shuffled batches, {measured}; the gain counts opening, once in {EPOCHS} epochs"
    return f"{'Single random reads' if situation.use == 'browse' else 'Bytes on disk, and reading in order'}, {measured}"


def _row(way: Figures, source: Figures, situation: Situation) -> tuple[str, ...]:
    found, gain = reading(way, situation), gain_of(way, source, situation)
    value, within = NONE, NONE
    if found is not None:
        low, high = found.interval
        is_browse = situation.use == "browse"
        value = words.duration(found.median) if is_browse else words.rounded(1 / found.median)
        within = f"{words.duration(low)} – {words.duration(high)}" if is_browse else f"{words.rounded(1 / high)} – {words.rounded(1 / low)}"
        within = "measured once" if len(found.runs) == 1 else within
    disk = NONE if way.disk_bytes is None else words.size(way.disk_bytes)
    convert = NONE if way.is_source or way.convert_seconds is None else words.duration(way.convert_seconds)
    return way.title, way.way, value, within, disk, convert, NONE if gain is None or way.is_source else words.times(gain.ratio)


def command(verdict: Verdict, source: SourceLike, destination: str, stated: Stated | None = None) -> str | None:
    """Return the command that does what is recommended, None where nothing is to be done."""
    way = verdict.choice
    if way.engine is None or way.codec is None:
        return None
    parts = [
        "pixstore",
        "convert",
        *source_arguments(source, stated or {}),
        argument(destination),
        "--engine",
        way.engine,
        "--codec",
        way.codec,
    ]
    if way.level is not None:
        parts += ["--level", str(way.level)]
    if verdict.order != ORDER_KEPT:
        parts += ["--order", verdict.order]
    if verdict.shard_bytes != SHARD_BYTES:
        parts += ["--shard-size", f"{verdict.shard_bytes >> 20}MiB"]
    return shlex.join(parts)


def loader(verdict: Verdict, situation: Situation, source: SourceLike, destination: str, stated: Stated | None = None) -> str | None:
    """Return the line of Python that reads it as measured, for training."""
    if situation.use != "train":
        return None
    shuffle = "True" if verdict.shuffle == "full" else '"window"'
    threads = "" if verdict.threads is None else f", threads={verdict.threads}"
    opened = repr(destination)
    if verdict.leaves_as_is:
        opened = ", ".join([repr(source), *(f"{name}={value!r}" for name, value in said_of(stated or {}).items())])
    return f"pixstore.open({opened}).loader({BATCH}, shuffle={shuffle}{threads})"
