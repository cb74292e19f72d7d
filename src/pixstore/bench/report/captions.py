"""The conditions that every figure carries: how many images, how many threads, from memory or from the disk, how many repeats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pixstore.bench import naming, words
from pixstore.bench.measurements import Cell, Measurements, Observation, Value
from pixstore.bench.plots.shown import place_text

BEFORE = "resident_before_pages"
PAGES = "pages"
COLD_PART, WARM_PART = 0.01, 0.99
WORKERS = ("threads", "workers", "readers", "writers", "processes")
"""Settings that say themselves how many work at once."""


def of_cells(results: Measurements, cells: Sequence[Cell]) -> str:
    """Return the conditions of cells of the classic experiment."""
    timed = [cell.seconds for cell in cells if cell.seconds]
    parts = [_images(results, {cell.images for cell in cells}), _threads(results, [cell.way for cell in cells])]
    if any(cell.experiment.startswith("read") for cell in cells):
        parts.append("read from memory, right after storing")
    return _joined([*parts, _repeats([len(each.runs) for each in timed])])


def of_answers(results: Measurements, answers: Sequence[Observation]) -> str:
    """Return the conditions of cells of a question: what is the same for all of them."""
    names = {name for each in answers for name in each.setting}
    parts = [_images(results, {each.images for each in answers}), _same(answers)]
    if names.isdisjoint(WORKERS):
        parts.append(_threads(results, [each.way for each in answers]))
    parts.append(_cold(answers) if "cache" in names else _memory(answers))
    return _joined([*parts, _repeats([len(each.seconds.runs) for each in answers if each.seconds])])


def settings(setting: Iterable[tuple[str, Value]]) -> str:
    """Return a setting in words: "order: shuffled, batch 64"."""
    return ", ".join(f"{name}: {value}" if isinstance(value, str) else place_text(name, value) for name, value in setting)


def _joined(parts: Iterable[str]) -> str:
    text = "; ".join(part for part in parts if part)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _images(results: Measurements, counts: set[int]) -> str:
    return words.images(results, *counts) if counts else ""


def _same(answers: Sequence[Observation]) -> str:
    same = {name: value for name, value in answers[0].setting.items() if all(each.setting.get(name) == value for each in answers)}
    return settings(same.items())


def _threads(results: Measurements, ways: Iterable[str]) -> str:
    groups: dict[str, set[int]] = {"the tutorial's": set(), "by hand": set(), "the others": set()}
    for way in ways:
        kind = "the tutorial's" if naming.is_tutorial(way) else "by hand" if naming.is_by_hand(way) else "the others"
        groups[kind] |= _threads_of(results, way)
    every = set().union(*groups.values())
    if len(every) <= 1:
        return words.count(every.pop(), "thread") if every else ""
    said = [f"{kind} {' or '.join(map(str, sorted(numbers)))}" for kind, numbers in groups.items() if numbers]
    return f"threads: {', '.join(said)}"


def _threads_of(results: Measurements, way: str) -> set[int]:
    """Return on how many threads a way works; a way that only a question has is one of ours, on all CPUs, unless its name says else."""
    known = results.run.get("ways", {}).get(way, {}).get("threads")
    if known is None:
        is_alone = naming.is_tutorial(way) or naming.is_by_hand(way) or "@1thread" in way
        known = 1 if is_alone else results.machine.get("cpus")
    return {known} if isinstance(known, int) else set()


def _cold(answers: Sequence[Observation]) -> str:
    """Return what is proven of the cells that are said to be cold."""
    parts = _resident_parts([each for each in answers if each.setting.get("cache") == "cold"])
    if not parts:
        return ""
    most = f"at most {words.percent(max(parts))}" if max(parts) else "none"
    return f"cold: {most} of the files' pages lay in memory before"


def _resident_parts(answers: Sequence[Observation]) -> list[float]:
    """Return which part of its files lay in memory before each cell's last repeat, of the cells that were looked at."""
    proofs = [(each.proof.get(BEFORE), each.proof.get(PAGES)) for each in answers]
    return [before / pages for before, pages in proofs if isinstance(before, int) and isinstance(pages, int) and pages > 0]


def _memory(answers: Sequence[Observation]) -> str:
    """Return whether the files lay in memory, as far as it was proven."""
    parts = _resident_parts(answers)
    if not parts:
        return ""
    if max(parts) <= COLD_PART:
        return "from a cold cache, proven in the table"
    return "from memory, proven in the table" if min(parts) >= WARM_PART else "what lay in memory before is in the table"


def _repeats(counts: Sequence[int]) -> str:
    if not counts:
        return ""
    least, most = min(counts), max(counts)
    return words.count(most, "repeat") if least == most else f"{least} to {most} repeats"


def proof(held: dict[str, object]) -> str:
    """Return in words what shows that a cell's setting held."""
    if BEFORE in held and PAGES in held:
        text = f"of {held[PAGES]:,} pages {held[BEFORE]:,} lay in memory before" if _are_numbers(held) else ""
        after = held.get("resident_after_pages")
        text += f", {after:,} after" if isinstance(after, int) and text else ""
        method = f" ({held['method']})" if "method" in held else ""
        rest = {name: value for name, value in held.items() if name not in (BEFORE, PAGES, "resident_after_pages", "method")}
        return "; ".join(each for each in (text + method, proof(rest)) if each)
    return "; ".join(_spelled(name, value) for name, value in held.items() if value not in ([], {}, None, ""))


def _are_numbers(held: dict[str, object]) -> bool:
    return isinstance(held[BEFORE], int) and isinstance(held[PAGES], int)


def _spelled(name: str, value: object) -> str:
    if isinstance(value, dict):
        return f"{name.replace('_', ' ')}: {', '.join(f'{key} {each}' for key, each in value.items())}"
    if isinstance(value, list):
        return f"{name.replace('_', ' ')}: {', '.join(map(str, value))}"
    shown = f"{value:,}" if isinstance(value, int) else words.rounded(value) if isinstance(value, float) and value >= 0 else str(value)
    return f"{name.replace('_', ' ')} {shown}"
