"""docs/guides/trust.md, followed word for word from top to bottom."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from pixstore.trust.findings import Kind

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "guides" / "trust.md"
TEXT = GUIDE.read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<kind>sh|python)\n(?P<text>.*?)^```$", re.M | re.S)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Follow the guide; return what each block prints."""
    work = tmp_path_factory.mktemp("guide")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 12, 3), np.uint8)
    for number, image in enumerate(pixels):
        path = work / "photos" / ("cats" if number % 2 else "dogs") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    printed: list[str] = []
    names: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        for block in BLOCK.finditer(TEXT):
            if block["kind"] == "python":
                with redirect_stdout(io.StringIO()) as out:
                    exec(block["text"], names)
                printed.append(out.getvalue())
                continue
            done = subprocess.run(
                ["sh", "-e", "-c", block["text"]], capture_output=True, text=True, timeout=60, check=False, env=environment
            )
            assert done.returncode == 0, f"{block['text']}\n{done.stdout}{done.stderr}"
            printed.append(done.stdout)
    return printed


def test_a_sound_store_is_proven(said: list[str]) -> None:
    assert "6 samples proven, version 1; everything is as it was written" in said[0]
    assert "a random 0.01 of the records was read (--seed " in said[1] and said[2].startswith("6 samples, ")


def test_the_folder_and_both_stores_are_the_same(said: list[str]) -> None:
    assert said[3].startswith("equal: 6 samples") and "with the same pixels" in said[4]


def test_damage_is_named_and_the_rest_is_saved(said: list[str]) -> None:
    assert "DAMAGED" in said[7] and "('cats/1.png')" in said[7] and "status 1" in said[7]
    assert "5 samples of version 1 saved" in said[8] and "cats/1.png" in said[8].splitlines()[-1]
    assert "5 samples proven" in said[9] and "the lost sample is the only difference" in said[9]


def test_every_kind_of_finding_is_explained() -> None:
    named = set(re.findall(r"^\| (`[^|]*) \|", TEXT, re.M))
    assert {kind for line in named for kind in re.findall(r"`(\w+)`", line)} == set(get_args(Kind))
