"""What a bench found, on a terminal: its tables, its findings, the lab's answers, and what could not be measured."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pixstore import bench
from pixstore.bench import findings, lab_table, table, words
from pixstore.bench.lab.catalog import QUESTIONS
from pixstore.cli.console import Output
from pixstore.cli.words import printable

WIDEST = 400
MOST_REASONS = 3
NOTHING = "Nothing of this question was measured."


def show_table(shown: table.Table, output: Output) -> None:
    """Print a table on stdout, as wide as it is where that is no terminal."""
    if not output.speaks:
        return
    drawn = Table(title=escape(printable(shown.title)), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    drawn.pad_edge = drawn.show_edge = False
    for number, head in enumerate(shown.heads):
        drawn.add_column(head, justify="right" if number >= len(table.NAMES) else "left", no_wrap=True)
    for row in shown.rows:
        drawn.add_row(*(escape(printable(each)) for each in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, console.measure(drawn, options=console.options.update(width=WIDEST)).maximum)
    console.print(drawn)
    console.print()


def show_findings(results: bench.Results, count: int | None, output: Output) -> None:
    """Print footnotes, the first `count` findings (all for None), and what the lab answers."""
    for note in table.footnotes(results):
        output.say(printable(note))
    output.say()
    for sentence in findings.sentences(results)[:count]:
        output.say(printable(sentence))
    found = findings.answers(results)
    for name in dict.fromkeys([*found, *(each.question for each in results.observations)]):
        output.say(f"\n{printable(_title(results, name))}")
        answered = lab_table.first_table(results, name)
        for sentence in found.get(name) or [_unanswered(results, name)]:
            output.say(f"  {printable(sentence)}")
        if answered is not None:
            output.say()
            show_table(answered, output)
        for line in _lost(results, name):
            output.say(f"  {printable(line)}")
    output.say()


def show_place(written: Path, output: Output) -> None:
    """Print where the report is."""
    output.say(f"Report: {printable(written)}")


def _title(results: bench.Results, question: str) -> str:
    return str(results.run.get("lab", {}).get(question, {}).get("title", question))


def _unanswered(results: bench.Results, question: str) -> str:
    """Return how much of a question was measured that has no answer."""
    answers = results.answers(question)
    valued = sum(each.error is None for each in answers)
    if not valued:
        return NOTHING
    valued_cells = f"{valued:,} of {words.count(len(answers), 'cell')} have values"
    if question not in QUESTIONS:
        return f"This pixstore does not know the question, so it has no answer to it; {valued_cells}."
    return f"Too little was measured for an answer: {valued_cells}."


def _lost(results: bench.Results, question: str) -> list[str]:
    """Return how many cells of a question have no value, for the most frequent reasons."""
    reasons = Counter(each.error for each in results.answers(question) if each.error is not None)
    said = [f"{words.count(count, 'cell')}: {reason}" for reason, count in reasons.most_common(MOST_REASONS)]
    rest = reasons.total() - sum(count for _, count in reasons.most_common(MOST_REASONS))
    return [*said, f"{words.count(rest, 'cell')} for other reasons, which the report names"] if rest else said
