from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixstore.bench.carried import carry
from pixstore.bench.ways import hand_memmap
from pixstore.bench.ways.base import Work
from pixstore.bench.ways.tutorial_lmdb import TutorialLmdb

PROGRAM = "from pixstore.bench.lab.worker import serve; serve()"


@pytest.fixture
def job(work: Work, tmp_path: Path) -> dict[str, Any]:
    for name in ("store", "carried"):
        (tmp_path / name).mkdir()
    hand_memmap.WAY.store_many(tmp_path / "store", work)
    share = {"folder": str(tmp_path / "store"), "start": 0, "stop": 6, "rows": [5, 0, 3]}
    return {
        "doing": "read",
        "way": "hand-memmap",
        "batch": 2,
        "written": [],
        "work": carry(work, tmp_path / "carried"),
        "shares": [share] * 2,
    }


def asked(*jobs: dict[str, Any]) -> list[dict[str, Any]]:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    answers = []
    for job in jobs:
        print(json.dumps(job), file=process.stdin, flush=True)
        answers.append(json.loads(process.stdout.readline()))
    rest, _ = process.communicate(timeout=60)
    assert (rest, process.returncode) == ("", 0)
    return answers


def test_a_job_is_answered_with_times_and_the_next_one_too(job: dict[str, Any]) -> None:
    for answer in asked(job, job):
        assert answer["processes"] == 2
        assert answer["seconds"] > 0


def test_an_error_is_an_answer_and_the_next_job_is_done(job: dict[str, Any], tmp_path: Path) -> None:
    nowhere = {**job, "shares": [{**job["shares"][0], "folder": str(tmp_path / "nowhere")}]}
    wrong = {**job, "shares": [{**job["shares"][0], "start": 1}]}
    first, second, third = asked(nowhere, wrong, job)
    assert first["error"] == "FileNotFoundError"
    assert second["error"] in ("DifferenceError", "IndexError")
    assert third["processes"] == 2


def test_a_pickle_that_nobody_vouches_for_is_not_loaded(work: Work, job: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "pickles").mkdir()
    way = TutorialLmdb()
    way.store_many(tmp_path / "pickles", work)
    share = {**job["shares"][0], "folder": str(tmp_path / "pickles")}
    unknown = {**job, "way": "tutorial-lmdb", "shares": [share]}
    known = {**unknown, "written": way.written}
    refused, read = asked(unknown, known)
    assert refused["error"] == "UnsafeInputError"
    assert read["processes"] == 1


def test_pixels_and_labels_are_compared(job: dict[str, Any], tmp_path: Path) -> None:
    path, other = tmp_path / "store" / hand_memmap.IMAGES, tmp_path / "other"
    shutil.copytree(path.parent, other)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    np.save(other / hand_memmap.LABELS, np.zeros(6, np.int64))
    pixels, labels = asked(job, {**job, "shares": [{**job["shares"][0], "folder": str(other)}]})
    assert pixels == {"error": "DifferenceError", "message": "the read-back differs from the input: image 5 came back with other pixels"}
    assert "came back with label 0, not 9" in labels["message"]
