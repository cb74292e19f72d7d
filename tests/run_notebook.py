"""Runs the code cells of a notebook in one namespace, as Jupyter does, and prints as JSON what each would show.

python run_notebook.py NOTEBOOK: a list with one object per code cell: `html`, `png` (base64) and `text` of its last expression, each
null where there is none; `printed` is what the cell prints.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any


def run(notebook: dict[str, Any]) -> list[dict[str, str | None]]:
    """Return what each code cell shows; what a cell raises goes on."""
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                value = value_of("".join(cell["source"]), f"cell {number}", names)
            shown.append({**display(value), "printed": printed.getvalue()})
    return shown


def value_of(source: str, name: str, names: dict[str, Any]) -> Any:
    """Run a cell; return the value of the expression it ends with, None where it ends with something else."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), name, "eval"), names)


def display(value: Any) -> dict[str, str | None]:
    if value is None:
        return {"html": None, "png": None, "text": None}
    html, png = getattr(value, "_repr_html_", None), getattr(value, "_repr_png_", None)
    return {
        "html": html() if html else None,
        "png": base64.b64encode(png()).decode("ascii") if png else None,
        "text": repr(value),
    }


if __name__ == "__main__":
    print(json.dumps(run(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
