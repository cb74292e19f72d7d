"""The examples in README.md run, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
PAGES = [path.relative_to(PROJECT).as_posix() for path in [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]]


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_readme_example_runs(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["dataset"][7]["label"] == 7
    assert names["dataset"]["00000007"]["label"] == 7
    assert (names["dataset"][7].image == names["images"][7]).all()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    missing = [link for link in links if not (PROJECT / page).parent.joinpath(link).exists()]
    assert missing == []


def test_readme_names_only_verbs_that_the_makefile_has() -> None:
    verbs = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"^    make ([a-z-]+)|`make ([a-z-]+)`", (PROJECT / page).read_text(encoding="utf-8"), re.MULTILINE))
        assert {first or second for first, second in named} <= verbs
