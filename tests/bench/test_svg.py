from __future__ import annotations

from xml.etree import ElementTree

from pixstore.bench import style, svg

HEAD = '<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg width="300pt" height="150pt" viewBox="0 0 300 150" version="1.1">'


def test_a_group_gets_its_title_and_marks_get_one_each() -> None:
    drawing = '<g id="tip-0"><path/></g><g id="tip-1"><use x="1"/><use x="2"/></g>'
    titled = svg.with_tips(drawing, {"tip-0": ["a < b"], "tip-1": ["first", "second"]})
    assert titled == (
        '<g><title>a &lt; b</title><path/></g><g><use x="1"><title>first</title></use><use x="2"><title>second</title></use></g>'
    )


def test_a_line_with_other_marks_than_texts_is_left_alone() -> None:
    drawing = '<g id="tip-0"><use x="1"/></g>'
    assert svg.with_tips(drawing, {"tip-0": ["first", "second"]}) == drawing


def test_colours_become_the_names_of_the_page() -> None:
    drawing = f'{HEAD}<path style="fill: {style.INK}; stroke: #123456"/><rect fill="#ffffff"/></svg>'
    found = svg.for_page(drawing)
    assert '<path style="fill: var(--ink); stroke: #123456"/><rect style="fill: var(--paper)"/>' in found


def test_every_colour_of_a_drawing_has_a_name_of_its_own() -> None:
    colours = [colour.lower() for colour in svg.variables().values()]
    assert len(set(colours)) == len(colours)


def test_only_ids_that_are_used_stay() -> None:
    drawing = f'{HEAD}<g id="axes_1"><path id="m1"/><use xlink:href="#m1"/><rect id="p2"/><g clip-path="url(#p2)"/></g></svg>'
    found = svg.for_page(drawing)
    assert "axes_1" not in found
    assert 'id="m1"' in found
    assert 'id="p2"' in found


def test_a_drawing_shrinks_only_as_far_as_it_can_be_read() -> None:
    found = svg.for_page(f"{HEAD}</svg>")
    assert found.startswith("<svg ")
    root = ElementTree.fromstring(found)
    assert root.get("width") is None
    assert root.get("height") is None
    assert root.get("style") == "width: 400px; min-width: 288px"
