"""`pixstore convert`: from a folder to a store, with the summary, the JSON and the exit status it promises."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore as library


def test_summary_says_samples_bytes_time_engine_and_why(pixstore, photos: Path, tmp_path: Path) -> None:
    done = pixstore("convert", photos, tmp_path / "out")
    assert (done.status, done.err) == (0, "")
    assert "out: 3 samples in " in done.out
    assert " in, " in done.out and " out\n" in done.out
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
        (["--level", "13"], "--level"),
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
