"""The report's style sheet: light and dark, wide and narrow, on screen and on paper."""

from __future__ import annotations

from pixstore.bench import style, svg

LIGHT = {
    "ink": style.INK, "soft": style.SOFT, "line": "#dddddd", "paper": style.PAPER, "panel": "#f6f3f7", "accent": "#AA3C8B",
    "link": "#005a8c", "warning": "#8a3b00", "edge": style.EDGE, "grid": style.FAINT, "failed": style.WRONG,
}  # fmt: skip
DARK = {
    "ink": "#e8e8e8", "soft": "#b3b8bf", "line": "#3a3f46", "paper": "#15181c", "panel": "#1f2329", "accent": "#d98cc4",
    "link": "#7fc4ee", "warning": "#ffb77a", "edge": "#7d838c", "grid": "#343940", "failed": "#ff9b94",
}  # fmt: skip
# Of each way's colour: line and bar, hollow bar, text. On dark paper all must be light; hollow bars stay darker than full ones.
DARK_WAYS = {
    "files": ("#F2884B", "#7a4526", "#F5A373"), "lmdb": ("#4FA8E0", "#23506d", "#7cc0ea"), "hdf5": ("#2FBF93", "#18594a", "#5cd0ac"),
    "packed": ("#D97BC0", "#683a5c", "#e39fd1"), "numpy": ("#B5C742", "#565f20", "#c6d46c"), "source": ("#B0B0B0", "#545454", "#c4c4c4"),
    "other": ("#C9A54B", "#60501f", "#d6ba74"),
}  # fmt: skip

RULES = """
:root { color-scheme: light dark; %(light)s }
@media screen and (prefers-color-scheme: dark) { :root { %(dark)s } }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 64rem; margin: 2.5rem auto 5rem; padding: 0 1.2rem; overflow-wrap: break-word; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 2.6rem 0 .6rem; border-top: 1px solid var(--line); padding-top: 1.4rem; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .3rem; }
a { color: var(--link); }
.soft { color: var(--soft); } .synthetic { color: var(--warning); }
.summary, .answer { border-left: 4px solid var(--accent); background: var(--panel); padding: .6rem 1.1rem; margin: 1.2rem 0; }
.summary p, .answer p { margin: .4rem 0; } .summary p { font-size: 1.05rem; }
nav ul { columns: 17rem; column-gap: 2rem; padding-left: 1.2rem; } nav li { break-inside: avoid; margin: 0; padding: .12rem 0; }
.table, .plot { overflow-x: auto; }
table { border-collapse: collapse; width: 100%%; margin: .8rem 0; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .28rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child, .left { text-align: left; }
td { white-space: nowrap; } td:first-child, .left, .reason { white-space: normal; }
td:first-child { min-width: 8rem; } .reason { text-align: left; } td.reason { min-width: 14rem; }
th { font-weight: 600; border-bottom: 2px solid var(--edge); }
li { margin: .25rem 0; }
code { font: .88em ui-monospace, monospace; color: var(--soft); }
.best { font-weight: 700; }
.failed { color: var(--failed); }
.spread { display: block; white-space: nowrap; font-weight: 400; color: var(--soft); font-size: .82em; }
figure { margin: 1.4rem 0 .4rem; }
.plot svg { display: block; height: auto; max-width: 100%%; }
figcaption { color: var(--soft); font-size: .9rem; margin-top: .4rem; }
details { margin: .4rem 0 1rem; } summary { cursor: pointer; color: var(--link); } 
@media (max-width: 45rem) {
  body { margin: 1rem auto 3rem; padding: 0 .9rem; } h1 { font-size: 1.5rem; }
  th, td { padding: .28rem .4rem; }
}
@media print {
  body { margin: 0; max-width: none; font-size: 11pt; } nav, details:not([open]) { display: none; }
  h2, h3 { break-after: avoid; } figure, .answer, .summary, tr { break-inside: avoid; }
  .table, .plot { overflow: visible; } .plot svg { min-width: 0 !important; max-width: 100%%; max-height: 22cm; }
  table { font-size: 8.5pt; } a { color: inherit; text-decoration: none; }
}
"""


def palette(*, is_dark: bool) -> dict[str, str]:
    """Return every colour of the page by its name, those of the drawings too."""
    if not is_dark:
        return svg.variables() | LIGHT
    found = dict(DARK)
    for family, colours in DARK_WAYS.items():
        found |= {f"way-{family}{part}": colour for part, colour in zip(("", "-tint", "-text"), colours, strict=True)}
    return found


def sheet() -> str:
    """Return the style sheet as CSS."""
    light, dark = (" ".join(f"--{name}: {colour};" for name, colour in palette(is_dark=each).items()) for each in (False, True))
    return RULES % {"light": light, "dark": dark}
