from __future__ import annotations

import re

import pytest

from pixstore.bench import sheet

READ = ("ink", "soft", "link", "warning", "failed")
LEAST_TEXT, LEAST_LINE = 4.5, 3.0
"""WCAG 2, level AA: text; parts of graphics."""


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("is_dark", [False, True])
def test_text_is_read_and_lines_are_seen_in_light_and_dark(is_dark: bool) -> None:
    colours = sheet.palette(is_dark=is_dark)
    for name in (*READ, *(each for each in colours if each.endswith("-text"))):
        for behind in ("paper", "panel"):
            assert contrast(colours[name], colours[behind]) >= LEAST_TEXT, (name, behind)
    for name in colours:
        if name.startswith("way-") and not name.endswith("-tint"):
            assert contrast(colours[name], colours["paper"]) >= LEAST_LINE, name


def test_dark_has_every_colour_that_light_has() -> None:
    assert sheet.palette(is_dark=True).keys() == sheet.palette(is_dark=False).keys()


def test_every_variable_that_is_used_is_defined() -> None:
    text = sheet.sheet()
    assert set(re.findall(r"var\(--([\w-]+)\)", text)) <= set(re.findall(r"--([\w-]+):", text))
    assert text.count("{") == text.count("}")


def test_paper_is_always_light() -> None:
    assert "@media screen and (prefers-color-scheme: dark)" in sheet.sheet()
