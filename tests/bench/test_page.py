from __future__ import annotations

from pixstore.bench import page


def test_text_is_escaped_and_markup_is_not() -> None:
    assert page.element("p", "<script>", page.element("b", "a & b")) == "<p>&lt;script&gt;<b>a &amp; b</b></p>"


def test_tables_take_cells_as_they_are_and_have_a_box_of_their_own() -> None:
    table = page.table(["<way>"], [[page.cell("1 < 2", css="best")], ["x"]])
    assert table.startswith('<div class="table"><table>')
    assert "<th>&lt;way&gt;</th>" in table
    assert '<td class="best">1 &lt; 2</td>' in table
    assert "<td>x</td>" in table


def test_figures_lose_the_xml_heading_and_gain_words() -> None:
    drawing = '<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg width="3pt" height="1pt"></svg>'
    figure = page.figure(drawing, 'disk "use"', "5 images.")
    assert figure.startswith('<figure><div class="plot"><svg role="img" aria-label="disk &quot;use&quot;"')
    assert "<figcaption>disk &quot;use&quot;. 5 images.</figcaption>" in figure


def test_contents_lead_to_the_sections() -> None:
    section = page.section("LMDB's <options> & more", "text")
    assert section.startswith('<section id="at-lmdb-s-options-more"><h2>LMDB')
    assert '<a href="#at-lmdb-s-options-more">LMDB&#x27;s &lt;options&gt; &amp; more</a>' in page.contents([section])
    assert page.link("LMDB's <options> & more", "here") == '<a href="#at-lmdb-s-options-more">here</a>'


def test_a_page_allows_nothing_from_outside() -> None:
    whole = page.page("a <title>", page.section("Head", page.bullets(["<i>"])))
    assert "default-src &#x27;none&#x27;" in whole
    assert "<title>a &lt;title&gt;</title>" in whole
    assert "<li>&lt;i&gt;</li>" in whole
