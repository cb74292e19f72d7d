"""Drawings as they are put into files and into a page: tooltips, no ids that nobody asks for, colours that follow the page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from pixstore.bench import style

PAINTED = {"ink": style.INK, "soft": style.SOFT, "edge": style.EDGE, "grid": style.FAINT, "paper": style.PAPER, "failed": style.WRONG}
"""The page's names for the colours of a drawing that are no way's."""
HEADING_END = re.compile(r"^.*?(?=<svg)", re.DOTALL)
METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)
GROUP = re.compile(r'<g id="(tip-\d+)">(.*?)</g>', re.DOTALL)
USE = re.compile(r"<use ([^>]*?)/>")
ID = re.compile(r' id="([^"]*)"')
ASKED_FOR = re.compile(r'(?:href="|url\()#([^")]*)')
COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
FILL = re.compile(r' fill="(var\([^"]*\))"')
TAG = re.compile(r"<svg [^>]*>")
SIZE = re.compile(r' (width|height)="([\d.]+)pt"')
LEAST_PART = 0.72
"""A drawing is made no smaller than this part of its size: its text must be read on a phone, where it is moved sideways."""


def with_tips(drawing: str, tips: Mapping[str, Sequence[str]]) -> str:
    """Return the SVG with a title in each marked group, which browsers show at the pointer; one per mark where there are several."""

    def titled(found: re.Match[str]) -> str:
        texts, inside = tips.get(found[1], ()), found[2]
        if len(texts) == 1:
            return f"<g><title>{escape(texts[0])}</title>{inside}</g>"
        marks = iter(texts)
        if len(USE.findall(inside)) != len(texts):
            return found[0]
        return f"<g>{USE.sub(lambda use: f'<use {use[1]}><title>{escape(next(marks))}</title></use>', inside)}</g>"

    return GROUP.sub(titled, drawing)


def for_page(drawing: str) -> str:
    """Return the SVG without its XML heading, with the page's colours as variables, and with no id but those it uses itself.

    Ids that are used come from a hash of the drawing's name and differ between the drawings of a page.
    """
    found = COMMENT.sub("", METADATA.sub("", HEADING_END.sub("", drawing, count=1)))
    used = set(ASKED_FOR.findall(found))
    found = ID.sub(lambda each: each[0] if each[1] in used else "", found)
    found = COLOUR.sub(_variable, found)
    found = FILL.sub(r' style="fill: \1"', found)
    return TAG.sub(_sized, found, count=1)


def variables() -> dict[str, str]:
    """Return the page's name of every colour that a drawing may have, and the colour."""
    found = dict(PAINTED)
    for family, colour in style.COLOURS.items():
        found |= {f"way-{family}": colour, f"way-{family}-tint": style.tint(colour), f"way-{family}-text": style.text_colour(colour)}
    return found


_NAMES = {colour.lower(): name for name, colour in variables().items()}


def _variable(found: re.Match[str]) -> str:
    name = _NAMES.get(found[0].lower())
    return found[0] if name is None else f"var(--{name})"


def _sized(found: re.Match[str]) -> str:
    """Give the drawing a width and let its height follow; points become the pixels they would be."""
    points = dict(SIZE.findall(found[0]))
    pixels = float(points["width"]) * 4 / 3
    style_ = f"width: {pixels:.0f}px; min-width: {pixels * LEAST_PART:.0f}px"
    return f'{SIZE.sub("", found[0])[:-1]} style="{style_}">'
