from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixstore.bench.lab.catalog import QUESTIONS
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Found, Work
from pixstore.bench.ways.tutorial_png import TutorialPng
from pixstore.cli.bench import parse_duration
from pixstore.errors import InvalidInputError

QUICK = ("--repeats", 1, "--ways", "tutorial-png,tutorial-hdf5,packed/png")


class Negative(TutorialPng):
    """Reads back other pixels than were stored."""

    def read_many(self, folder: Path, work: Work) -> Found:
        right = super().read_many(folder, work)
        return Found([255 - image for image in right.images], right.labels)


def test_a_first_look_prints_one_table_two_sentences_and_what_is_next(pixstore: Callable[..., Any], tmp_path: Path) -> None:
    done = pixstore("bench", "--out", tmp_path / "out", "--cutoffs", "1,5", *QUICK)
    assert done.status == 0
    assert done.out.startswith("5 images: synthetic images")
    words = ["images kept as", "PNG files, tutorial", "tutorial-hdf5", "shuffled s", "disk MB", "no way is called fastest"]
    for each in [*words, "pixstore bench YOUR/IMAGES", "pixstore convert YOUR/IMAGES"]:
        assert each in done.out
    assert f"Report: {tmp_path / 'out' / 'report.html'}" in done.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"plots", "report.html", "results.csv", "results.json"}
    assert "<svg" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_own_images_get_every_table(pixstore: Callable[..., Any], photos: Path, tmp_path: Path) -> None:
    done = pixstore(
        "bench", photos, "--out", tmp_path / "out", "--cutoffs", "1,3", "--repeats", 1, "--experiments", "store-one,read-one,read-many"
    )
    assert done.status == 0
    for words in ("One image", "store ms", "Reading in order", "as it lies", "packed/keep"):
        assert words in done.out
    assert f"Next:\n  pixstore advise {photos}\n  pixstore convert {photos} images.pixstore" in done.out
    assert "Storing\n" not in done.out


def test_json_is_alone_on_stdout(pixstore: Callable[..., Any], tmp_path: Path) -> None:
    done = pixstore("bench", "--out", tmp_path / "out", "--cutoffs", "2", "--json", "-", *QUICK)
    value = json.loads(done.out)
    assert value == json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert value["format"] == 1


def test_quiet_prints_nothing(pixstore: Callable[..., Any], tmp_path: Path) -> None:
    done = pixstore("bench", "--out", tmp_path / "out", "--cutoffs", "2", "--quiet", *QUICK)
    assert (done.status, done.out, done.err) == (0, "", "")


def test_a_wrong_read_back_is_status_1_and_names_the_way(
    pixstore: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(catalog.TUTORIAL, "tutorial-png", Negative())
    done = pixstore("bench", "--out", tmp_path / "out", "--cutoffs", "2", "--experiments", "read-many", *QUICK)
    assert done.status == 1
    assert "differs from what was stored: tutorial-png, read-many, 2 images" in done.err
    assert "failed" in done.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--cutoffs", "1,ten"), "'ten' in --cutoffs"),
        (("--cutoffs", "0"), "'0' in --cutoffs"),
        (("--budget", "soon"), "write 90s, 20m or 1h"),
        (("--max-disk", "much"), "'much' is no size"),
        (("--ways", "png"), "no way 'png'"),
        (("--experiments", "sing"), "no experiment 'sing'"),
        (("--suite", "ordre"), "no suite 'ordre'; suites are classic, full, order"),
        (("absent",), "absent"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(
    pixstore: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = pixstore("bench", *options)
    assert done.status == 2
    assert words in done.err
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_question_alone_prints_its_answer(pixstore: Callable[..., Any], photos: Path, tmp_path: Path) -> None:
    done = pixstore("bench", photos, "--out", tmp_path / "out", "--suite", "order", "--ways", "packed/raw,lmdb/raw", "--budget", "3s")
    assert done.status == 0
    assert "\nOrder of access\n  " in done.out
    assert "with many images" not in done.out
    assert f"Report: {tmp_path / 'out' / 'report.html'}" in done.out
    value = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert value["results"] == [] and len(value["lab"]) == 16


def test_help_names_every_question_with_what_it_is(pixstore: Callable[..., Any]) -> None:
    shown = " ".join(re.sub(r"[│╭╮╰╯─]", " ", pixstore("bench", "--help").out).split())
    for name, question in QUESTIONS.items():
        assert f"{name}: {question.title}" in shown
    for way in catalog.BY_HAND:
        assert way in shown


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("20m", 1200), ("1.5h", 5400)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "1d", "-5s", "nan"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="length of time"):
        parse_duration(text)


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_shows_what_was_measured(tmp_path: Path, sent: signal.Signals, status: int) -> None:
    out = tmp_path / "out"
    # A job in the background of a shell begins with Ctrl-C ignored, and so would its children.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{listen}; import sys; from pixstore.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [
        sys.executable,
        "-c",
        program,
        "bench",
        "--out",
        str(out),
        "--cutoffs",
        "1,300,100000",
        "--ways",
        "tutorial-png",
        "--repeats",
        "3",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(out.glob(".stores-*/*tutorial-png/299.png")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(sent)
    shown, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in said
    assert "1 image: synthetic" in shown or "300 images: synthetic" in shown
    assert list(out.glob(".stores-*")) == []
    assert (out / "report.html").exists()
    shutil.rmtree(out)
