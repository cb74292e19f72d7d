"""HTML that cannot be anything but what it was meant to be: every text is escaped, nothing is loaded, nothing runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from pixstore.bench import svg
from pixstore.bench.sheet import sheet

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
NOT_IN_ANCHORS = re.compile(r"[^a-z0-9]+")


class Markup(str):
    """Text that is HTML already."""


class Section(Markup):
    """A section of the page, with what the list of contents needs."""

    heading: str
    name: str


def text(value: object) -> Markup:
    """Return the value as HTML: escaped, unless it is Markup."""
    return value if isinstance(value, Markup) else Markup(escape(str(value)))


def element(name: str, *children: object, css: str = "") -> Markup:
    """Return an element around its children, which are escaped where they are not Markup."""
    kind = f' class="{escape(css)}"' if css else ""
    return Markup(f"<{name}{kind}>{''.join(text(child) for child in children)}</{name}>")


def section(heading: str, *children: object) -> Section:
    """Return a section that its anchor, made of the heading, leads to."""
    inside = "".join(text(child) for child in (element("h2", heading), *children))
    name = anchor(heading)
    found = Section(f'<section id="{name}">{inside}</section>')
    found.heading, found.name = heading, name
    return found


def anchor(heading: str) -> str:
    """Return the name of a heading in addresses: "at-order-of-access"."""
    return f"at-{NOT_IN_ANCHORS.sub('-', heading.lower()).strip('-')}"


def link(heading: str, shown: object) -> Markup:
    """Return a link to the section of this heading."""
    return Markup(f'<a href="#{anchor(heading)}">{text(shown)}</a>')


def contents(sections: Iterable[Section]) -> Markup:
    """Return a list of links to the sections."""
    return element("nav", bullets(link(each.heading, each.heading) for each in sections))


def bullets(items: Iterable[object]) -> Markup:
    return element("ul", *(element("li", item) for item in items))


def table(heads: Sequence[object], rows: Iterable[Sequence[object]]) -> Markup:
    """Return a table in a box of its own, where what is too wide is moved sideways; what is a cell already is taken as it is."""
    head = element("tr", *(each if isinstance(each, Cell) else element("th", each) for each in heads))
    body = [element("tr", *(cell if isinstance(cell, Cell) else element("td", cell) for cell in row)) for row in rows]
    return element("div", element("table", element("thead", head), element("tbody", *body)), css="table")


class Cell(Markup):
    """A whole table cell."""


def cell(*children: object, css: str = "") -> Cell:
    return Cell(element("td", *children, css=css))


def head(*children: object, css: str = "") -> Cell:
    return Cell(element("th", *children, css=css))


def folded(summary: str, *children: object) -> Markup:
    """Return what is shown only when its summary is clicked at."""
    return element("details", element("summary", summary), *children)


def figure(drawing: str, caption: str, *conditions: str) -> Markup:
    """Return a figure around an SVG that we have drawn ourselves, with the page's colours; below it the caption and its conditions."""
    labelled = svg.for_page(drawing).replace("<svg", f'<svg role="img" aria-label="{escape(caption)}"', 1)
    said = " ".join([f"{caption}.", *conditions])
    return element("figure", element("div", Markup(labelled), css="plot"), element("figcaption", said))


def page(title: str, *children: object) -> str:
    """Return the whole document."""
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{sheet()}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{"".join(text(child) for child in children)}\n</body></html>\n'
