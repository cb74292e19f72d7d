"""The sections of the lab: a question, its answer in sentences, its plots with the tables behind them, and what has no value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pixstore.bench import findings, page, words
from pixstore.bench.lab.catalog import QUESTIONS
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.plots.drawing import Plot, plots
from pixstore.bench.plots.shown import UNMEASURED, word_of
from pixstore.bench.report import captions, tables

NOTHING = "Nothing of this question was measured."
TOO_LITTLE = "Too little was measured for an answer."


def in_short(results: Measurements) -> page.Section | None:
    """Return the first sentence of every answer, each leading to its section."""
    said = [(_title(results, name), _sentences(results, name)) for name in _asked(results)]
    items = [page.Markup(f"{page.link(title, title)}: {page.text(found[0])}") for title, found in said if found]
    return page.section("The lab in short", page.bullets(items)) if items else None


def sections(results: Measurements, drawings: Mapping[str, str]) -> list[page.Section]:
    """Return a section per question that was asked."""
    every = [plot for plot in plots(results) if plot.question]
    return [_section(results, name, [plot for plot in every if plot.question == name], drawings) for name in _asked(results)]


def _asked(results: Measurements) -> list[str]:
    """Return the questions that were asked, in the order of the catalog; those it does not know last."""
    asked = dict.fromkeys(each.question for each in results.observations)
    return [*(name for name in QUESTIONS if name in asked), *(name for name in asked if name not in QUESTIONS)]


def _told(results: Measurements, name: str) -> Mapping[str, object]:
    told = results.run.get("lab", {}).get(name, {})
    return told if isinstance(told, dict) else {}


def _title(results: Measurements, name: str) -> str:
    known = QUESTIONS[name].title if name in QUESTIONS else name
    return str(_told(results, name).get("title", known))


def _sentences(results: Measurements, name: str) -> list[str]:
    return findings.answers(results).get(name, [])


def _section(results: Measurements, name: str, shown: Sequence[Plot], drawings: Mapping[str, str]) -> page.Section:
    answers = results.answers(name)
    asks = str(_told(results, name).get("asks", QUESTIONS[name].asks if name in QUESTIONS else ""))
    has_values = any(each.error is None for each in answers)
    sentences = _sentences(results, name) or [TOO_LITTLE if has_values else NOTHING]
    parts: list[object] = [page.element("p", asks, css="soft")]
    parts.append(page.element("div", *(page.element("p", each) for each in sentences), css="answer"))
    for plot in shown:
        # Where nothing has a value, the list of what was not measured says all that such a table would.
        if plot.chart is None or not has_values:
            continue
        if plot.name in drawings:
            held = tables.shown_by(answers, plot.chart)
            parts.append(page.figure(drawings[plot.name], plot.title, captions.of_answers(results, held)))
        summary = tables.BEHIND if plot.name in drawings else f"{plot.title}: no plot, as nothing of it was measured; its cells"
        parts.append(tables.of_chart(results, plot.chart, answers, summary))
    return page.section(_title(results, name), *parts, *_without_value(results, answers), _how(results, name))


def _without_value(results: Measurements, answers: Sequence[Observation]) -> list[page.Markup]:
    """Return lists of what failed, and of what was not measured, each with its reason."""
    found = []
    lost = [each for each in answers if each.error is not None]
    failed = _grouped(results, [each for each in lost if word_of(each.error) != UNMEASURED])
    unmeasured = _grouped(results, [each for each in lost if word_of(each.error) == UNMEASURED])
    if failed:
        found.append(page.element("div", page.element("p", "Failed:"), page.bullets(failed), css="failed"))
    if unmeasured:
        count = sum(word_of(each.error) == UNMEASURED for each in lost)
        summary = f"{words.count(count, 'cell')} of {len(answers):,} not measured, and why"
        found.append(page.folded(summary, page.bullets(unmeasured)))
    return found


def _grouped(results: Measurements, lost: Sequence[Observation]) -> list[str]:
    groups: dict[tuple[str, str], list[str]] = {}
    for each in lost:
        groups.setdefault((each.way, str(each.error)), []).append(captions.settings(each.setting.items()))
    return [_reason(results.title(way) if way else "", settings, error) for (way, error), settings in groups.items()]


def _reason(title: str, settings: Sequence[str], error: str) -> str:
    where = " | ".join(each for each in settings if each)
    return ": ".join(each for each in (" · ".join(each for each in (title, where) if each), error) if each)


def _how(results: Measurements, name: str) -> page.Markup:
    """Return how long the question took and how it was repeated."""
    told = _told(results, name)
    seconds, rounds = told.get("seconds"), told.get("rounds")
    if not isinstance(seconds, int | float) or not isinstance(rounds, int):
        return page.Markup("")
    if not rounds or not seconds:
        return page.element("p", "There was no time left to ask this question.", css="soft")
    warm_up = " The first round was a warm-up and is not counted." if told.get("warmed_up") else ""
    text = f"Asked for {words.duration(seconds)}, in {words.count(rounds, 'round')} over all cells, in another order each time.{warm_up}"
    return page.element("p", text, css="soft")
