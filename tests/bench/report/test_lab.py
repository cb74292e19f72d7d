from __future__ import annotations

from dataclasses import replace

from pixstore.bench import Results
from pixstore.bench.measurements import Observation
from pixstore.bench.report import lab

SVG = '<svg width="10pt" height="10pt"></svg>'


def test_a_question_has_its_sentences_its_plots_and_their_tables(asked: Results) -> None:
    (section,) = lab.sections(asked, {"order": SVG, "order-one": SVG})
    assert section.heading == "Order <of> access"
    assert "<h2>Order &lt;of&gt; access</h2>" in section
    assert "Why &amp; how?" in section
    assert "Asking for 256 images at once instead of one gives" in section
    assert section.count("<figure>") == 2
    assert section.count("<summary>The numbers behind this plot</summary>") == 2
    assert (
        "Order of access, 256 at once. 5,000 images; access: 256 at once; threads: the tutorial&#x27;s 1, the others 2; 5 repeats."
        in section
    )
    assert "Asked for 12 s, in 3 rounds over all cells, in another order each time. The first round was a warm-up" in section


def test_no_failed_cell_is_hidden(asked: Results) -> None:
    (section,) = lab.sections(asked, {})
    failed = "<li>LMDB + raw · order: strided, access: 256 at once: OSError: &lt;b&gt;gone&lt;/b&gt;</li>"
    assert failed in section
    assert "<summary>1 cell of 32 not measured, and why</summary>" in section
    assert "<li>LMDB + raw · order: strided, access: one by one: not measured: the budget was spent</li>" in section


def test_a_question_that_could_not_be_asked_says_why(asked: Results) -> None:
    asked.observations = [Observation("order", "", 0, {}, error="OSError: no room")]
    (section,) = lab.sections(asked, {})
    assert "<li>OSError: no room</li>" in section
    assert lab.NOTHING in section
    assert lab.in_short(asked) is None


def test_too_little_is_not_nothing(asked: Results) -> None:
    asked.observations = [replace(each, way="packed/png") for each in asked.observations if each.setting["order"] == "strided"]
    (section,) = lab.sections(asked, {})
    assert lab.TOO_LITTLE in section


def test_a_question_that_is_not_known_still_shows_what_failed(asked: Results) -> None:
    asked.observations.append(Observation("moon", "lmdb/raw", 5, {"phase": 2}, error="OSError: clouds"))
    assert "LMDB + raw · phase 2: OSError: clouds" in lab.sections(asked, {})[-1]


def test_answers_in_short_lead_to_their_sections(asked: Results) -> None:
    short = lab.in_short(asked)
    assert short is not None
    assert '<a href="#at-order-of-access">Order &lt;of&gt; access</a>: Shuffled' in short
