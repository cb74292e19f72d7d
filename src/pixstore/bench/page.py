"""HTML that cannot be anything but what it was meant to be: every text is escaped, nothing is loaded, nothing runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = """
:root { color-scheme: light; --ink: #222; --soft: #555; --line: #ddd; --accent: #AA3C8B; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: #fff;
  max-width: 60rem; margin: 2.5rem auto 5rem; padding: 0 1.2rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; border-top: 1px solid var(--line); padding-top: 1.4rem; }
.soft { color: var(--soft); } .synthetic { color: #8a3b00; }
.summary { border-left: 4px solid var(--accent); background: #faf5f9; padding: .6rem 1.1rem; margin: 1.2rem 0; }
.summary p { margin: .4rem 0; font-size: 1.05rem; }
table { border-collapse: collapse; width: 100%; margin: .8rem 0; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .28rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child, .left { text-align: left; }
th { font-weight: 600; border-bottom: 2px solid #999; }
code { font: .88em ui-monospace, monospace; color: var(--soft); }
.best { font-weight: 700; }
.failed { color: #b00020; } .spread { display: block; white-space: nowrap; font-weight: 400; color: var(--soft); font-size: .82em; }
figure { margin: 1.4rem 0; overflow-x: auto; } figure svg { max-width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: .9rem; }
details { margin: .8rem 0; } summary { cursor: pointer; } li { margin: .25rem 0; }
@media print { body { margin: 0; max-width: none; } h2, figure, table { break-inside: avoid; } }
"""


class Markup(str):
    """Text that is HTML already."""


def text(value: object) -> Markup:
    """Return the value as HTML: escaped, unless it is Markup."""
    return value if isinstance(value, Markup) else Markup(escape(str(value)))


def element(name: str, *children: object, css: str = "") -> Markup:
    """Return an element around its children, which are escaped where they are not Markup."""
    kind = f' class="{escape(css)}"' if css else ""
    return Markup(f"<{name}{kind}>{''.join(text(child) for child in children)}</{name}>")


def section(heading: str, *children: object) -> Markup:
    return element("section", element("h2", heading), *children)


def bullets(items: Iterable[object]) -> Markup:
    return element("ul", *(element("li", item) for item in items))


def table(heads: Sequence[object], rows: Iterable[Sequence[object]]) -> Markup:
    """Return a table; a cell that is a `td` already is taken as it is."""
    head = element("tr", *(element("th", each) for each in heads))
    body = [element("tr", *(cell if isinstance(cell, Cell) else element("td", cell) for cell in row)) for row in rows]
    return element("table", element("thead", head), element("tbody", *body))


class Cell(Markup):
    """A whole table cell."""


def cell(*children: object, css: str = "") -> Cell:
    return Cell(element("td", *children, css=css))


def figure(svg: str, caption: str) -> Markup:
    """Return a figure around an SVG that we have drawn ourselves, without its XML heading."""
    drawing = svg[svg.index("<svg") :]
    labelled = drawing.replace("<svg", f'<svg role="img" aria-label="{escape(caption)}"', 1)
    return element("figure", Markup(labelled), element("figcaption", caption))


def page(title: str, *children: object) -> str:
    """Return the whole document."""
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{"".join(text(child) for child in children)}\n</body></html>\n'
