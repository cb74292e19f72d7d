"""`pixstore convert`: from a folder to a store, with the summary, the JSON and the exit status it promises."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore as library
from pixstore.manifest import load


def test_summary_says_samples_bytes_time_engine_and_why(pixstore, photos: Path, tmp_path: Path) -> None:
    done = pixstore("convert", photos, tmp_path / "out")
    assert (done.status, done.err) == (0, "")
    assert "out: 3 samples in " in done.out
    assert " in, " in done.out and " out (" in done.out and done.out.count(" estimated)") == 2
    assert "engine packed (the default" in done.out
    assert "notes.txt" in done.out and "skipped 1 file" in done.out


@pytest.mark.parametrize("engine", ["packed", "files", "lmdb", "hdf5"])
def test_each_engine_keeps_bytes_keys_and_labels(engine: str, pixstore, photos: Path, tmp_path: Path) -> None:
    assert pixstore("convert", photos, tmp_path / "out", "--engine", engine).status == 0
    with library.open(tmp_path / "out") as made:
        assert made.keys.to_pylist() == ["cats/a.png", "cats/b.png", "dogs/c.jpg"]
        assert [made.classes[label] for label in made[:]["label"]] == ["cats", "cats", "dogs"]
        for key in made.keys.to_pylist():
            assert made.encoded(key) == (photos / key).read_bytes()


def test_options_reach_the_library(pixstore, photos: Path, tmp_path: Path) -> None:
    options = [
        "--codec",
        "jpeg",
        "--quality",
        50,
        "--threads",
        1,
        "--durability",
        "process",
        "--shard-size",
        "1MB",
        "--label-from",
        "^(.)",
    ]
    done = pixstore("convert", photos, tmp_path / "out", "--json", "-", *options)
    assert done.status == 0
    report = json.loads(done.out)
    assert (report["codec"], report["samples"]) == ("jpeg", 3)
    with library.open(tmp_path / "out") as made:
        assert made.store_manifest.durability == "process"
        assert made.classes == ("c", "d")
        assert Image.open(io.BytesIO(made.encoded(0))).format == "JPEG"


def test_json_file_has_every_figure(pixstore, photos: Path, tmp_path: Path) -> None:
    done = pixstore("convert", photos, tmp_path / "out", "--quiet", "--json", tmp_path / "report.json")
    assert (done.status, done.out, done.err) == (0, "", "")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["samples"] == 3 and report["seconds"] > 0
    assert report["bytes_in"] == sum(path.stat().st_size for path in photos.glob("*/*"))
    assert report["bytes_out"] == sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert [each["path"] for each in report["skipped"]] == ["notes.txt"]


def test_broken_image_is_left_out_counted_and_fails_only_with_strict(pixstore, photos: Path, tmp_path: Path) -> None:
    (photos / "cats" / "half.png").write_bytes((photos / "cats" / "a.png").read_bytes()[:100])
    done = pixstore("convert", photos, tmp_path / "out")
    assert done.status == 0
    assert "left out 1 sample" in done.out and "cats/half.png" in done.out
    assert pixstore("convert", photos, tmp_path / "strict", "--strict").status == 1
    with library.open(tmp_path / "strict") as made:
        assert len(made) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--engine", "nonsense"], "nonsense"),
        (["--codec", "nonsense"], "nonsense"),
        (["--shard-size", "much"], "512MB"),
        (["--level", "20"], "--level"),
        (["--codec", "png", "--level", "13"], "level 13 is outside 1 … 12 of codec 'png'"),
        (["--quality", "0"], "--quality"),
        (["--threads", "0"], "--threads"),
        (["--durability", "always"], "--durability"),
        (["--label-from", "("], "label"),
    ],
)
def test_wrong_option_is_one_line_and_makes_nothing(options: list[str], said: str, pixstore, photos: Path, tmp_path: Path) -> None:
    done = pixstore("convert", photos, tmp_path / "out", *options)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("pixstore: ") and done.err.count("\n") == 1 and said in done.err
    assert not (tmp_path / "out").exists()


def test_destination_that_is_there_stays_as_it_is(pixstore, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    done = pixstore("convert", photos, tmp_path / "out")
    assert done.status == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_source_that_is_not_there_creates_nothing(pixstore, tmp_path: Path) -> None:
    done = pixstore("convert", tmp_path / "nowhere", tmp_path / "out")
    assert done.status == 2
    assert "nowhere" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_single_file_that_cannot_be_read_is_named_once(pixstore, photos: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.png"
    cut.write_bytes((photos / "cats" / "a.png").read_bytes()[:100])
    done = pixstore("convert", cut, tmp_path / "out")
    assert done.status == 2
    assert done.err.count(str(cut)) == 1 and done.err.count("\n") == 1


def test_array_source_becomes_png_pixel_for_pixel(pixstore, tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (5, 6, 7, 3), np.uint8)
    with library.Writer(tmp_path / "raw", codec="raw") as writer:
        writer.add_batch(images, label=[4, 3, 2, 1, 0])
    assert pixstore("convert", tmp_path / "raw", tmp_path / "png", "--codec", "png", "--level", 6).status == 0
    with library.open(tmp_path / "png") as made:
        assert (made[:]["image"] == images).all()
        assert made.encoded(0).startswith(b"\x89PNG")


def test_dry_run_says_bytes_time_and_space_and_makes_nothing(pixstore, photos: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = pixstore("convert", photos, tmp_path / "out", "--dry-run")
    assert done.status == 0 and "3 samples" in done.out and "about" in done.out and "free" in done.out
    found = json.loads(pixstore("convert", photos, tmp_path / "out", "--dry-run", "--json", "-").out)["estimate"]
    assert found["samples"] == 3 and found["bytes_in"] == sum(path.stat().st_size for path in photos.glob("*/*")) and found["seconds"] > 0
    assert sorted(tmp_path.rglob("*")) == before


def test_estimate_stands_beside_what_came_of_it(pixstore, photos: Path, tmp_path: Path) -> None:
    report = json.loads(pixstore("convert", photos, tmp_path / "out", "--json", "-").out)
    assert abs(report["estimate"]["bytes_out"] - report["bytes_out"]) <= 0.1 * report["bytes_out"]


def test_order_duplicates_and_bad_samples_are_options(pixstore, photos: Path, tmp_path: Path) -> None:
    (photos / "dogs" / "copy.png").write_bytes((photos / "cats" / "a.png").read_bytes())
    (photos / "dogs" / "half.png").write_bytes((photos / "cats" / "a.png").read_bytes()[:100])
    done = pixstore(
        "convert", photos, tmp_path / "out", "--order", "shuffle:1", "--dedup", "--check", "decode", "--workers", 2, "--memory", "1MB"
    )
    assert done.status == 0 and "left out 1 exact duplicate, listed in duplicates.csv" in done.out and "listed in bad.csv" in done.out
    with library.open(tmp_path / "out") as made:
        assert len(made) == 3
    failed = pixstore("convert", photos, tmp_path / "fail", "--on-bad", "fail")
    assert failed.status == 2 and "dogs/half.png" in failed.err and not (tmp_path / "fail").exists()
    few = pixstore("convert", photos, tmp_path / "few", "--bad-limit", "0", "--workers", 1)
    assert few.status == 2 and "more than the 0 that may be" in few.err


def test_processes_are_one_word_away(pixstore, photos: Path, tmp_path: Path) -> None:
    assert pixstore("convert", photos, tmp_path / "out", "--on", "processes", "--workers", 1, "--durability", "process").status == 0
    with library.open(tmp_path / "out") as made:
        assert len(made) == 3
    wrong = pixstore("convert", photos, tmp_path / "other", "--on", "cloud")
    assert wrong.status == 2 and "'cloud'" in wrong.err and not (tmp_path / "other").exists()


def test_resume_without_anything_to_resume_is_refused(pixstore, photos: Path, tmp_path: Path) -> None:
    done = pixstore("convert", photos, tmp_path / "out", "--resume")
    assert done.status == 2 and "no unfinished conversion is there" in done.err and not (tmp_path / "out").exists()
    assert pixstore("convert", photos, tmp_path / "out").status == 0
    again = pixstore("convert", photos, tmp_path / "out", "--resume")
    assert again.status == 2 and "nothing to resume" in again.err


def test_each_part_that_a_cut_off_run_did_not_finish_is_made(pixstore, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "parts.csv").write_text("key,part\ncats/a.png,train\ncats/b.png,val\ndogs/c.jpg,val\n")
    each = ["convert", photos, tmp_path / "out", "--split", tmp_path / "parts.csv", "--each"]
    assert pixstore("convert", photos, tmp_path / "out" / "train", "--split", tmp_path / "parts.csv", "--part", "train").status == 0
    done = pixstore(*each)
    assert done.status == 0 and "val: 2 samples" in done.out and "train: 1 sample" not in done.out
    again = pixstore(*each)
    assert again.status == 2 and "is there already" in again.err
    (tmp_path / "out" / "val").rename(tmp_path / "elsewhere")
    (tmp_path / "out" / "val").mkdir()
    assert "is there already" in pixstore(*each).err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_keeps_what_is_done_and_the_same_command_goes_on(number: int, photos: Path, tmp_path: Path) -> None:
    for copy in range(400):
        image = np.random.default_rng(copy).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(image).save(photos / "cats" / f"{copy}.png")
    often = "from pixstore.jobs import coordinate; coordinate.COMMIT_SECONDS = 1e-9"
    program = f"import sys; {often}; from pixstore.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "convert", photos, tmp_path / "out", "--shard-size", "20kB", "--workers", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        until = time.monotonic() + 60
        while not ((tmp_path / "out" / "manifest.json").exists() and load(tmp_path / "out").shards):
            assert running.poll() is None and time.monotonic() < until, "no range was committed"
            time.sleep(0.005)
        running.send_signal(number)
        said = running.communicate()[1]
    assert running.returncode == 128 + number and "samples are done; run the same again to go on" in said and "Traceback" not in said
    assert load(tmp_path / "out").is_unfinished
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True)
    assert done.returncode == 0 and "were there from before" in done.stdout
    with library.open(tmp_path / "out") as made:
        assert len(made) == 403
