"""Every rule by which `advise` decides, with its numbers: from figures to a verdict. Nothing is measured or read here.

Four kinds, in the order they are asked: EXCLUDING takes ways out; `best_of` chooses among the rest; LEAVING says when the data had better
stay as it lies; the rest sets threads, shuffling, order, shard size and confidence. docs/guides/advise.md says the same in words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pixstore.bench import words
from pixstore.bench.advice.costs import CLOCK_SECONDS, EPOCHS, TIE, cost, fits_memory, gain_of, is_tie, payback, rate_at_least, reading
from pixstore.bench.advice.figures import FULL, WINDOW, Confidence, Demand, Figures, Gain, Reason, Situation, Verdict
from pixstore.bench.statistics import Spread

LEAST_GAIN = 1.10
"""What a conversion has to win at least."""
TINY_SECONDS = 1.0
"""Where opening and one pass take less, there is nothing to win."""
OPENING_PART = 0.2
"""From this part of a run's reading on, opening is worth a word."""
MOST_PAYBACK_EPOCHS = 100.0
WORTH_DECODING = 1.5
"""How many times as fast decoded pixels have to be to be spoken of."""
EDIT_FACTOR = 3.0
"""A way whose edits take so many times the least is none where edits come often."""
WINDOW_FACTOR = 1.2
"""What shuffling in windows has to win, read from the medium."""
SAMPLE_FOR_HIGH = 100
WIDE = 0.20
"""With an interval that reaches further than this part of the median to either side, confidence is low."""
SLOW_MEDIA = ("disk", "network")
SIMPLE = ("packed", "files", "hdf5", "lmdb")
"""Engines, the simplest first: the first two are read without any library."""
SHARD_BYTES = 1 << 30
EDITED_SHARD_BYTES = 256 << 20
ORDER_KEPT, ORDER_SHUFFLED = "source", "shuffle:0"

Excluding = Callable[[Figures, Sequence[Figures], Situation], str]
Leaving = Callable[[Figures, Figures, Situation], str]


@dataclass(frozen=True)
class Rule:
    """A rule's name and its test: the words that say why it applies, "" where it does not."""

    name: str
    test: Excluding


@dataclass(frozen=True)
class LeavingRule:
    """A rule that keeps the data as it lies; it is given the best store and the source."""

    name: str
    test: Leaving


# EXCLUDING: which ways are no candidates.


def _not_measured(way: Figures, ways: Sequence[Figures], situation: Situation) -> str:
    if cost(way, situation) is None:
        return f"{way.title} could not be measured in the time: give --budget"
    if way.cold_seconds or situation.use == "archive" or fits_memory(way, situation) or not any(each.cold_seconds for each in ways):
        return ""
    return f"{way.title} does not fit memory, and could not be read from the {_place(situation)} as others were"


def _failed(way: Figures, ways: Sequence[Figures], situation: Situation) -> str:
    return "" if way.error is None else f"{way.title} failed: {way.error}"


def _no_room(way: Figures, ways: Sequence[Figures], situation: Situation) -> str:
    if way.is_source or way.disk_bytes is None or way.disk_bytes <= situation.free_bytes:
        return ""
    return f"{way.title} takes {words.size(way.disk_bytes)}, {words.size(situation.free_bytes)} are free"


def _read_only(way: Figures, ways: Sequence[Figures], situation: Situation) -> str:
    return "" if way.is_source or situation.is_writable else "nothing can be written where the store would go; name another --dest"


def _file_each(way: Figures, ways: Sequence[Figures], situation: Situation) -> str:
    if way.engine != "files" or situation.medium not in SLOW_MEDIA:
        return ""
    return f"{way.title} has a file for each image, and each costs a trip to the {situation.medium}"


def _remote_lmdb(way: Figures, ways: Sequence[Figures], situation: Situation) -> str:
    # lmdb.h, "Caveats": not on remote file systems, where locks and maps may not be kept in step.
    is_remote = way.engine == "lmdb" and situation.medium == "network"
    return "LMDB's own documentation advises against network file systems" if is_remote else ""


def _slow_to_edit(way: Figures, ways: Sequence[Figures], situation: Situation) -> str:
    if situation.edit != "often" or way.edit_seconds is None:
        return ""
    least = max(CLOCK_SECONDS, min(each.edit_seconds.median for each in ways if each.edit_seconds is not None))
    if way.edit_seconds.median <= EDIT_FACTOR * least:
        return ""
    return (
        f"one edit of {way.title} takes {words.duration(way.edit_seconds.median)}, {words.times(way.edit_seconds.median / least)} the least"
    )


def _not_editable(way: Figures, ways: Sequence[Figures], situation: Situation) -> str:
    if not way.is_source or situation.edit != "often" or situation.is_editable:
        return ""
    return "images cannot be added to this source or removed from it in place, and edits come often"


EXCLUDING = (
    # First: what cannot be kept as it is need not be compared with.
    Rule("not-editable", _not_editable),
    Rule("failed", _failed),
    Rule("measured", _not_measured),
    Rule("read-only", _read_only),
    Rule("room", _no_room),
    Rule("file-each", _file_each),
    Rule("remote-lmdb", _remote_lmdb),
    Rule("slow-edit", _slow_to_edit),
)
UNKNOWN_RULES = ("failed", "measured")
"""What they take out might be best: nobody knows. All others know that it is not."""


def exclude(ways: Sequence[Figures], situation: Situation) -> dict[str, Reason]:
    """Return the ways that are no candidates, each with the first rule that says so."""
    found = {}
    for way in ways:
        for rule in EXCLUDING:
            said = rule.test(way, ways, situation)
            if said:
                found[way.way] = Reason(rule.name, said)
                break
    return found


# Choosing among what is left.


def best_of(ways: Sequence[Figures], situation: Situation) -> tuple[Figures | None, list[Reason]]:
    """Return the best way and why: the least cost; among those equal to it the least disk, then the simplest engine.

    On a slow medium that was not measured all are equal: fetching decides there, and what was measured is decoding.
    """
    ordered = by_cost(ways, situation)
    if not ordered:
        return None, []
    is_unknown = situation.medium in SLOW_MEDIA and not situation.is_medium_measured
    equal = ordered if is_unknown else [way for way in ordered if is_tie(way, ordered[0], situation)]
    least = min(_bytes(way) for way in equal)
    small = [way for way in equal if _bytes(way) <= least * (1 + TIE) or math.isinf(least)]
    chosen = min(small, key=_simplicity)
    others = [way.title for way in equal if way is not chosen]
    if not others:
        return chosen, []
    if is_unknown:
        said = f"nothing was measured on the {situation.medium}, where fetching decides: the least disk, then the simplest"
        return chosen, [Reason("unmeasured", said)]
    return chosen, [Reason("tie", f"as good within what was measured: {', '.join(others)}; of equals the least disk, then the simplest")]


def by_cost(ways: Sequence[Figures], situation: Situation) -> list[Figures]:
    """Return those ways whose cost is known, the cheapest first."""
    known = [(found.median, number, way) for number, way in enumerate(ways) if (found := cost(way, situation)) is not None]
    return [way for _, _, way in sorted(known, key=lambda each: each[:2])]


def _simplicity(way: Figures) -> tuple[int, int]:
    return SIMPLE.index(way.engine) if way.engine in SIMPLE else len(SIMPLE), way.level or 0


def _bytes(way: Figures) -> float:
    return math.inf if way.disk_bytes is None else float(way.disk_bytes)


# LEAVING: when the data had better stay as it lies.


def _tiny(best: Figures, source: Figures, situation: Situation) -> str:
    found = reading(source, situation)
    if situation.use != "train" or situation.demand is not None or found is None:
        return ""
    seconds = found.median * situation.images + source.opening_seconds
    if seconds >= TINY_SECONDS:
        return ""
    return f"opening and reading all {words.count(situation.images, 'image')} takes {words.duration(seconds)} as they lie: nothing to win"


def _little_gain(best: Figures, source: Figures, situation: Situation) -> str:
    gain = gain_of(best, source, situation)
    if gain is None or _is_slow_for_files(source, situation):
        return ""
    what = "smaller" if situation.use == "archive" else "faster"
    if gain.ratio < LEAST_GAIN:
        said = f"no {what}" if gain.ratio <= 1 else f"only {gain.ratio - 1:.0%} {what}"
        return f"the best store, {best.title}, is {said} than the data as it lies; less than {LEAST_GAIN - 1:.0%} is not worth a copy"
    return "" if gain.low > 1 else f"whether {best.title} is {what} than the data as it lies is within the noise"


def _never_pays(best: Figures, source: Figures, situation: Situation) -> str:
    epochs = payback(best, source, situation)
    if epochs is None or epochs <= MOST_PAYBACK_EPOCHS:
        return ""
    return f"the conversion would have paid for itself after {epochs:,.0f} epochs only"


def _is_slow_for_files(source: Figures, situation: Situation) -> bool:
    """Whether the data is a file for each image on a medium where each costs a way, or would lie there."""
    is_far = not fits_memory(source, situation) or not situation.is_medium_measured
    return situation.use == "train" and situation.source_medium in SLOW_MEDIA and situation.has_own_files and is_far


LEAVING = (LeavingRule("tiny", _tiny), LeavingRule("little-gain", _little_gain), LeavingRule("never-pays", _never_pays))


# The verdict.


def decide(ways: Sequence[Figures], situation: Situation) -> Verdict:
    """Return what to do, and why. One of the ways is the data as it lies."""
    source = next(way for way in ways if way.is_source)
    excluded = exclude(ways, situation)
    allowed = [way for way in ways if way.way not in excluded]
    stores = [way for way in allowed if not way.is_source and not way.is_decoded]
    best, reasons = best_of(stores, situation)
    demand, fed = _fed(allowed, source, situation)
    # Of equals the preferred one is a little dearer: whether a store is worth it is asked of the cheapest.
    cheapest = next(iter(by_cost(stores, situation)), None)
    choice, because = _choice(best, cheapest, source, fed, excluded, situation)
    if choice is not best or because.rule == "demand":
        reasons = []
    others = [way for way in by_cost([way for way in allowed if not way.is_decoded], situation) if way is not choice]
    runner_up = others[0] if others else None
    compared = best if choice.is_source else choice
    gain = None if compared is None else gain_of(compared, source, situation)
    shuffle, order, said = _shuffling(choice, situation)
    said += _opening(choice, source, situation)
    confidence, why = _doubt(ways, source, because, excluded) or _confidence(choice, runner_up, source, because, situation)
    return Verdict(
        choice, runner_up, gain, None if compared is None else payback(compared, source, situation),
        (because, *reasons, *said), tuple(_remarks(allowed, choice, situation, demand)), excluded, confidence, why,
        _threads(choice, situation), shuffle, order, EDITED_SHARD_BYTES if situation.edit == "often" else SHARD_BYTES, demand,
    )  # fmt: skip


def _choice(
    best: Figures | None,
    cheapest: Figures | None,
    source: Figures,
    fed: Figures | None,
    excluded: dict[str, Reason],
    situation: Situation,
) -> tuple[Figures, Reason]:
    mine = excluded.get(source.way)
    if mine is not None and mine.rule in UNKNOWN_RULES:
        return source, Reason(mine.rule, f"{mine.words}; no store can be called better than what nothing is known of")
    if fed is not None:
        return fed, Reason("demand", _fed_words(fed, source, situation))
    if best is None or cheapest is None:
        first = next((reason for way, reason in excluded.items() if way != source.way), Reason("", "there was no other to choose"))
        return source, Reason("nothing-left", f"no way of storing is left: {first.words}")
    if mine is not None:
        return best, mine
    for rule in LEAVING:
        said = rule.test(cheapest, source, situation)
        if said:
            return source, Reason(rule.name, said)
    if _is_slow_for_files(source, situation):
        return best, Reason("slow-medium", f"the data is a file for each image, and each costs a trip to the {situation.source_medium}")
    gain = gain_of(best, source, situation)
    return best, Reason("gain", _gain_words(gain, situation))


def _gain_words(gain: Gain | None, situation: Situation) -> str:
    if gain is None:
        return "the data as it lies could not be measured"
    span = words.times(gain.ratio) + (f" ({gain.low:.2f} to {gain.high:.2f})" if gain.low < gain.high else "")
    if situation.use == "archive":
        return f"the data as it lies takes {span} the disk"
    if situation.use == "browse":
        return f"a random read (p95) takes {span} as long from the data as it lies"
    return f"{span} as many images per second as from the data as it lies, opening counted once in {EPOCHS} epochs"


def _fed(ways: Sequence[Figures], source: Figures, situation: Situation) -> tuple[Demand | None, Figures | None]:
    """Return the answer to a demand, and the cheapest way that meets it: the source, else the quickest made, decoded ones last."""
    if situation.demand is None:
        return None, None
    costs = sorted(
        ways, key=lambda way: (not way.is_source, way.is_decoded, math.inf if way.convert_seconds is None else way.convert_seconds)
    )
    fed = next((way for way in costs if rate_at_least(way, situation) >= situation.demand), None)
    fastest = max(ways, key=lambda way: rate_at_least(way, situation), default=source)
    rate = rate_at_least(fastest if fed is None else fed, situation)
    found = rate_at_least(source, situation)
    return Demand(situation.demand, found or None, None if fed is None else fed.way, rate or None), fed


def _fed_words(fed: Figures, source: Figures, situation: Situation) -> str:
    rate, demand = words.rounded(rate_at_least(fed, situation)), words.rounded(situation.demand or 0.0)
    if fed.is_source:
        return f"the data as it lies gives {rate} images per second or more, {demand} are wanted"
    short = words.rounded(rate_at_least(source, situation))
    return f"the data as it lies gives {short} images per second, {demand} are wanted; {fed.title} gives {rate} and is made soonest"


def _opening(choice: Figures, source: Figures, situation: Situation) -> list[Reason]:
    """Return that opening the source costs, where it is much of a run."""
    found = reading(source, situation)
    if situation.use != "train" or choice.is_source or found is None:
        return []
    if source.opening_seconds < OPENING_PART * found.median * situation.images * EPOCHS:
        return []
    opens = f"opening it as it lies takes {words.duration(source.opening_seconds)} in every program that reads it"
    return [Reason("opening", f"{opens}, the store {words.duration(choice.opening_seconds)}")]


# Threads, shuffling, confidence, remarks.


def _threads(way: Figures, situation: Situation) -> int | None:
    """Return the fewest threads that are as fast as the best (or, with a demand, enough); None where it was not measured."""
    if not way.seconds:
        return None
    if not fits_memory(way, situation) or not situation.is_medium_measured:
        # Whoever waits for a medium waits less in many threads.
        return max(way.seconds)
    best = min(each.median for each in way.seconds.values())
    limit = best * (1 + TIE)
    if situation.demand is not None and rate_at_least(way, situation) >= situation.demand:
        limit = max(limit, 1 / situation.demand)
    return min(threads for threads, each in way.seconds.items() if each.median <= limit)


def _shuffling(way: Figures, situation: Situation) -> tuple[str, str, list[Reason]]:
    """Return the mode of shuffling, the order to store in, and why."""
    if situation.use != "train":
        return FULL, ORDER_KEPT, []
    if fits_memory(way, situation) and (situation.is_medium_measured or situation.medium not in SLOW_MEDIA):
        return FULL, ORDER_KEPT, []
    full, window = (way.cold_seconds.get(mode) for mode in (FULL, WINDOW))
    is_slow = situation.medium in SLOW_MEDIA or (full is not None and window is not None and full.median > WINDOW_FACTOR * window.median)
    if not is_slow:
        return FULL, ORDER_KEPT, []
    order = ORDER_KEPT if way.is_source else ORDER_SHUFFLED
    stored = "" if way.is_source else ", and storing in shuffled order makes neighbours unlike"
    return WINDOW, order, [Reason("window", f"random reads are slow where it lies: shuffle in windows (shuffle='window'){stored}")]


def _doubt(ways: Sequence[Figures], source: Figures, because: Reason, excluded: Mapping[str, Reason]) -> tuple[Confidence, str] | None:
    """Return why no verdict can be trusted, whatever the figures of the choice; None where there is no such reason."""
    wrong = [way.title for way in ways if way.differs]
    if wrong:
        return "low", f"what {', '.join(wrong)} read back is not what was stored; please report it"
    if because.rule in UNKNOWN_RULES:
        return "low", excluded[source.way].words
    if because.rule in ("tiny", "demand"):
        # Neither asks what the best store is.
        return None
    unknown = {way.way: excluded[way.way] for way in ways if not way.is_decoded and _is_unknown(way, excluded)}
    if because.rule == "nothing-left":
        failed = any(each.rule == "failed" for each in unknown.values())
        words_of_it = "not every store could be made" if failed else "nothing could be measured in the time: give --budget"
        return ("low", words_of_it) if unknown else None
    # One that failed is no choice either way; one that had no turn might have been the best.
    late = [way.title for way in ways if way.way in unknown and unknown[way.way].rule == "measured"]
    return ("low", f"not measured in the time: {', '.join(late)}; give --budget") if late else None


def _is_unknown(way: Figures, excluded: Mapping[str, Reason]) -> bool:
    return way.way in excluded and excluded[way.way].rule in UNKNOWN_RULES


def _confidence(
    choice: Figures, runner_up: Figures | None, source: Figures, because: Reason, situation: Situation
) -> tuple[Confidence, str]:
    """Return how sure the verdict is, and the first reason that it is no surer."""
    compared = [choice] if because.rule == "not-editable" else [choice, source]
    if not situation.is_medium_measured:
        return "low", f"nothing was measured on the {situation.medium} itself"
    if because.rule == "nothing-left":
        return "high", "there was no other choice"
    if because.rule == "tiny":
        return "high", "all of it takes less than a second"
    if situation.use != "archive":
        known = [found for way in compared if (found := reading(way, situation)) is not None]
        if len(known) < len(compared):
            return "low", "not everything could be measured"
        if any(not fits_memory(way, situation) and not way.cold_seconds for way in compared):
            return "low", f"it does not fit memory, and reading from the {_place(situation)} could not be measured"
        if any(not each.is_known or _width(each) > WIDE for each in known):
            return "low", "the times scatter widely, or there was time for few repeats; measure again on a quiet machine"
    if situation.sampled < min(SAMPLE_FOR_HIGH, situation.images):
        return "medium", f"a sample of {words.count(situation.sampled, 'image')} of {situation.images:,}"
    if runner_up is not None and is_tie(choice, runner_up, situation):
        return "medium", f"as good within what was measured: {runner_up.title}"
    return "high", "clear of every other by more than the measurements scatter"


def _place(situation: Situation) -> str:
    return "medium" if situation.medium == "unknown" else situation.medium


def _width(spread: Spread) -> float:
    low, high = spread.interval
    return (high - low) / 2 / spread.median


def _remarks(ways: Sequence[Figures], choice: Figures, situation: Situation, demand: Demand | None) -> list[Reason]:
    """Return what users should know besides: what decoded pixels would win, what a source cannot prove."""
    found = []
    mine = reading(choice, situation)
    fast = next(iter(by_cost([way for way in ways if way.is_decoded and way is not choice], situation)), None)
    theirs = None if fast is None else reading(fast, situation)
    if situation.use == "train" and fast is not None and mine is not None and theirs is not None:
        ratio = mine.median / theirs.median
        if ratio >= WORTH_DECODING:
            found.append(Reason("decoded", _decoded_words(fast, ratio, demand)))
    if choice.verify_seconds is not None and situation.use == "archive":
        seconds = words.duration(choice.verify_seconds * situation.images)
        found.append(Reason("proven", f"pixstore verify proves every byte of it in about {seconds}, read from memory"))
    if choice.is_source and situation.use == "archive":
        found.append(Reason("unproven", "nothing proves that data as it lies stays as it is: a store's checksums do (pixstore verify)"))
    return found


def _decoded_words(way: Figures, ratio: float, demand: Demand | None) -> str:
    size = "" if way.disk_bytes is None else f", on {words.size(way.disk_bytes)} of disk"
    if demand is None:
        when = "so that is never chosen unless a --demand needs it"
    elif demand.way is None:
        when = "and the --demand is not reached even so"
    else:
        when = "and the --demand does not need it"
    return (
        f"decoded once (--engine {way.engine} --codec {way.codec}), images come {words.times(ratio)} as fast{size}; the files' own bytes "
        f"and what else is in them are then not kept, {when}"
    )
