"""docs/layouts/: every page of "I have a …" runs, top to bottom, on data that the layout's own tool made.

`tests/layout_docs/<page>.py` (with _ for -) has `make(folder)`, which puts the page's data there. Blocks of Python share one namespace; a
line that ends in `# = value` is an assertion; blocks of shell commands run where the data lie, with `pixstore` at hand.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PAGES = sorted((PROJECT / "docs" / "layouts").glob("[!R]*.md"))
MAKERS = PROJECT / "tests" / "layout_docs"
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.M | re.S)
STATED = re.compile(r"^( *)(.+?)  # = (.+)$")
STEPS = ("open", "look", "convert", "train", "take")
"""What each page must say something of, in its headings."""
MOST_LINES = 90


def blocks(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (line of the page, language, text) of each block that runs."""
    for block in BLOCK.finditer(text):
        yield text.count("\n", 0, block.start()) + 2, block[1], block[2]


def with_checks(text: str) -> str:
    """Return Python with an assertion in place of each line that states its value."""
    return "\n".join(
        f"{stated[1]}check(({stated[2]}), {stated[3]}, {line.strip()!r})" if (stated := STATED.match(line)) else line
        for line in text.splitlines()
    )


def check(found: Any, stated: Any, line: str) -> None:
    assert found == stated, f"{line}: found {found!r}"


def make_data(page: Path, folder: Path) -> None:
    maker = MAKERS / f"{page.stem.replace('-', '_')}.py"
    found = importlib.util.spec_from_file_location(f"layout_docs_{maker.stem}", maker)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    module.make(folder)


def run_shell(text: str, folder: Path, line: str) -> None:
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    done = subprocess.run(["bash", "-ec", text], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}: {text}\n{done.stdout}{done.stderr}"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_runs_and_says_the_truth(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_data(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"check": check, "__name__": "page"}
    count = 0
    for line, language, text in blocks(page.read_text(encoding="utf-8")):
        where = f"{page.name}, line {line}"
        if language == "sh":
            run_shell(text, tmp_path, where)
        else:
            exec(compile("\n" * (line - 1) + with_checks(text), str(page), "exec"), names)
        count += 1
    assert count >= len(STEPS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_page_opens_looks_converts_trains_and_takes_out(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    headings = " ".join(re.findall(r"^## (.*)$", text, re.M)).lower()
    assert [step for step in STEPS if step not in headings] == []
    assert len(text.splitlines()) <= MOST_LINES


def test_the_list_of_pages_has_them_all() -> None:
    listed = re.findall(r"\]\(([a-z0-9-]+)\.md\)", (PROJECT / "docs" / "layouts" / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == [page.stem for page in PAGES]


def test_a_stated_value_that_is_wrong_is_found() -> None:
    with pytest.raises(AssertionError, match=r"1 \+ 1"):
        exec(with_checks("1 + 1  # = 3"), {"check": check})
