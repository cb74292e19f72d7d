from __future__ import annotations

from pixstore.bench import page


def test_text_is_escaped_and_markup_is_not() -> None:
    assert page.element("p", "<script>", page.element("b", "a & b")) == "<p>&lt;script&gt;<b>a &amp; b</b></p>"


def test_tables_take_cells_as_they_are() -> None:
    table = page.table(["<way>"], [[page.cell("1 < 2", css="best")], ["x"]])
    assert "<th>&lt;way&gt;</th>" in table
    assert '<td class="best">1 &lt; 2</td>' in table
    assert "<td>x</td>" in table


def test_figures_lose_the_xml_heading_and_gain_words() -> None:
    figure = page.figure('<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg width="1"></svg>', 'disk "use"')
    assert figure.startswith('<figure><svg role="img" aria-label="disk &quot;use&quot;" width="1">')


def test_a_page_allows_nothing_from_outside() -> None:
    whole = page.page("a <title>", page.section("Head", page.bullets(["<i>"])))
    assert "default-src &#x27;none&#x27;" in whole
    assert "<title>a &lt;title&gt;</title>" in whole
    assert "<li>&lt;i&gt;</li>" in whole
