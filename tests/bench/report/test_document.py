from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from pixstore.bench import Results, against, report

VOID = {"meta", "br"}
SVG = '<svg width="10pt" height="10pt"></svg>'
HOSTILE = "<script>alert(1)</script>"


class Reader(HTMLParser):
    """Collects tags and checks that every one is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.addresses: list[str] = []
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.names += [value or "" for name, value in attributes if name == "id"]
        self.addresses += [value or "" for name, value in attributes if name in ("src", "href", "xlink:href", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(text: str) -> tuple[str, Reader]:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return text, reader


def test_report_is_one_file_that_loads_and_runs_nothing(measured: Results, tmp_path: Path) -> None:
    text, reader = read(report.write(measured, tmp_path).read_text(encoding="utf-8"))
    assert reader.seen.isdisjoint({"script", "link", "iframe", "object", "img"})
    assert all(address.startswith("#") for address in reader.addresses)
    assert "url(http" not in text
    assert len(re.findall("<svg ", text)) == 10


def test_every_link_leads_somewhere_and_no_name_is_given_twice(asked: Results, tmp_path: Path) -> None:
    _, reader = read(report.write(asked, tmp_path).read_text(encoding="utf-8"))
    assert {address.removeprefix("#") for address in reader.addresses} <= set(reader.names)
    assert len(set(reader.names)) == len(reader.names)


def test_colours_of_drawings_follow_the_page(asked: Results, tmp_path: Path) -> None:
    asked.cells = [cell for cell in asked.cells if cell.experiment == "disk"]
    text = report.write(asked, tmp_path).read_text(encoding="utf-8")
    drawn = "".join(re.findall("<svg .*?</svg>", text, flags=re.DOTALL))
    assert set(re.findall(r"#[0-9a-f]{6}\b", drawn, flags=re.IGNORECASE)) == set()
    assert "var(--way-lmdb)" in drawn


def test_what_changed_since_an_earlier_run_has_its_section(measured: Results) -> None:
    text, _ = read(report.render(measured, {}, against.compare(measured, measured)))
    assert "What has changed since the earlier run" in text
    assert "What has changed since the earlier run" not in report.render(measured, {})


def test_report_tells_everything_that_was_found(measured: Results) -> None:
    text, _ = read(report.render(measured, dict.fromkeys(("disk", "read-many-log"), SVG)))
    for words in (
        "These images are synthetic", "1,000 images, side by side", "Who wins", "How it grows", "What it costs in disk",
        "What 100 epochs take", "How far from what the machine can do", "One image", "How it was measured", "What failed",
        "The machine", "stopped before 10,000 images", "LMDB + raw", "lmdb/raw", "1,000,000 such images", "inflating",
    ):  # fmt: skip
        assert words in text, words
    assert "The lab in short" not in text
    assert "&lt;b&gt;no space&lt;/b&gt;" in text


def test_names_in_the_data_cannot_become_markup(measured: Results, tmp_path: Path) -> None:
    measured.cells = [cell for cell in measured.cells if cell.experiment == "disk"]
    measured.source.update(name=HOSTILE, notes=[HOSTILE], synthetic=False, images=7)
    measured.machine["cpu"] = HOSTILE
    measured.run["ways"]["packed/png"]["title"] = HOSTILE
    text, reader = read(report.write(measured, tmp_path).read_text(encoding="utf-8"))
    assert "script" not in reader.seen
    assert HOSTILE not in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    assert "7 images" in text


def test_answers_of_the_lab_cannot_become_markup(asked: Results, tmp_path: Path) -> None:
    asked.cells = []
    asked.run["lab"]["order"].update(title=HOSTILE, asks=HOSTILE)
    asked.run["ways"]["packed/png"]["title"] = HOSTILE
    asked.observations = [replace(each, proof={HOSTILE: HOSTILE}) for each in asked.observations]
    asked.observations[0].setting[HOSTILE] = HOSTILE
    _, reader = read(report.write(asked, tmp_path).read_text(encoding="utf-8"))
    assert "script" not in reader.seen


def test_results_without_anything_still_make_a_report() -> None:
    text, _ = read(report.render(Results({}, {}, {}, []), {}))
    assert "Nothing was measured" in text
