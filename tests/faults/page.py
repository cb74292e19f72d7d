"""docs/reliability.md, made from the results of `make torture` and from the words of reliability.template.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from faults.part import Part

TEMPLATE = Path(__file__).with_name("reliability.template.md")
FIGURES = "{{figures}}"
MOST_FAILURES = 20

Record = Mapping[str, Any]
Key = tuple[str, str, str, str, str]


def render(records: Sequence[Record], parts: Sequence[Part]) -> str:
    """Return the page: the words, and a table for each part that has results."""
    current = newest(records)
    sections = [section(part, [each for each in current if each["part"] == part.name]) for part in parts]
    return TEMPLATE.read_text().replace(FIGURES, "\n".join([totals(current), *(each for each in sections if each)]).rstrip())


def newest(records: Sequence[Record]) -> list[Record]:
    """Return the results that count: of each part, engine, operation and fault those of the revision tried last; no trial twice."""
    last: dict[Key, str] = {key_of(each): each["revision"] for each in records}
    chosen: dict[tuple[Key, int], Record] = {}
    for each in records:
        key = key_of(each)
        if each["revision"] == last[key]:
            chosen[key, each["seed"]] = each
    return list(chosen.values())


def key_of(record: Record) -> Key:
    return tuple(record[name] for name in ("part", "engine", "op", "fault", "durability"))  # type: ignore[return-value]


def totals(records: Sequence[Record]) -> str:
    """Return the sum of all in one sentence, and every failure."""
    trials, failures = sum(each["trials"] for each in records), [(each, line) for each in records for line in each["failures"]]
    text = f"**{trials:,} trials, {len(failures):,} failures.**\n"
    for each, line in failures[:MOST_FAILURES]:
        where = " ".join(each[name] for name in ("part", "engine", "op", "fault") if each[name])
        first = line.splitlines()[0]
        text += f"\n- {where}: {first}"
    return text + "\n" if failures else text


def section(part: Part, records: Sequence[Record]) -> str:
    """Return the part's heading, what it does, and its table: a row for each operation and fault, a column for each engine."""
    if not records:
        return ""
    engines = list(dict.fromkeys(each["engine"] for each in records))
    lines = [f"### {part.title}\n", f"{part.explains}\n", *table(records, engines), ""]
    if skipped := sorted({f"{each['engine']} {each['op']}: {each['skipped']}" for each in records if each["skipped"]}):
        lines += [f"Skipped: {'; '.join(skipped)}.", ""]
    lines += [f"{noted(records)}\n"]
    return "\n".join(lines)


def table(records: Sequence[Record], engines: Sequence[str]) -> list[str]:
    rows = list(dict.fromkeys((each["op"], each["fault"], each["durability"]) for each in records if not each["skipped"]))
    lines = [
        f"| operation | fault | durability | {' | '.join(engine or 'trials' for engine in engines)} |",
        f"|---|---|---|{'---:|' * len(engines)}",
    ]
    for row in rows:
        cells = [cell([each for each in records if (each["op"], each["fault"], each["durability"]) == row and each["engine"] == engine])
                 for engine in engines]  # fmt: skip
        lines.append(f"| {' | '.join([*row, *cells])} |")
    return lines


def cell(records: Sequence[Record]) -> str:
    """Return "trials, failures" of one engine."""
    if not records:
        return "–"
    failures = sum(len(each["failures"]) for each in records)
    trials = f"{sum(each['trials'] for each in records):,}"
    return f"{trials}, **{failures:,} failed**" if failures else f"{trials}, 0"


def noted(records: Sequence[Record]) -> str:
    """Return under what conditions the table came about: counts, seeds, time, machine."""
    counts: Counter[str] = Counter()
    for each in records:
        counts.update(each["counts"])
    seconds = sum(each["seconds"] for each in records)
    facts = [
        f"Of these {', '.join(f'{what}: {count:,}' for what, count in sorted(counts.items()))}." if counts else "",
        f"Seeds from {_list(str(each['seed']) for each in records)}; {seconds / 60:.0f} minutes of trials;",
        f"{_list(each['date'][:10] for each in records)}; revision {_list(each['revision'] for each in records)};",
        f"{_list(each['machine'] for each in records)}; {_list(each['core'] for each in records)} core.",
    ]
    return " ".join(each for each in facts if each)


def _list(values: Iterable[str]) -> str:
    return ", ".join(sorted(set(values)))
