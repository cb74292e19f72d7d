"""docs/guides/lmdb.md: every block runs, top to bottom, and every line that states its value has it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "guides" / "lmdb.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
STATED = re.compile(r"^ *(.+?)  # = (.+)$")


def blocks() -> Iterator[tuple[int, str]]:
    """Yield (line in the guide, text) of each block."""
    text = GUIDE.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        yield text.count("\n", 0, block.start()) + 2, block[1]


def with_checks(text: str) -> str:
    """Return the block with an assertion in place of each line that states its value."""
    lines = []
    for line in text.splitlines():
        stated = STATED.match(line)
        indent = line[: len(line) - len(line.lstrip())]
        lines.append(f"{indent}check(({stated[1]}), {stated[2]}, {line.strip()!r})" if stated else line)
    return "\n".join(lines)


def check(found: Any, stated: Any, line: str) -> None:
    assert found == stated, f"{line}: found {found!r}"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_every_block_runs_and_says_the_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"check": check}
    for line, text in blocks():
        padded = "\n" * (line - 1) + with_checks(text)
        exec(compile(ast.parse(padded, str(GUIDE)), str(GUIDE), "exec"), names)
    names["env"].close()
    assert len(list(blocks())) > 15


def test_calls_that_people_know_are_all_there() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    calls = ["lmdb.open", "begin(", "put(", "get(", "delete(", "replace(", "cursor()", "set_range", "iternext", "open_db", "stat(", "copy("]
    calls += ["map_size", "sync", "getmulti", "putmulti", "readonly", "max_readers", "writemap", "compact", "iterprev", "info()"]
    assert [each for each in calls if each not in text] == []


def test_stated_value_that_is_wrong_is_found() -> None:
    names: dict[str, Any] = {"check": check}
    with pytest.raises(AssertionError, match="1 \\+ 1"):
        exec(with_checks("1 + 1  # = 3"), names)
