"""`pixstore split`: what it draws, saves and says, and the parts that `convert` takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore as library

SIZES = ["--train", "0.8", "--val", "0.1", "--test", "0.1"]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "cats"
    with library.Writer(path, durability="process") as writer:
        writer.add_batch(np.zeros((100, 2, 2, 3), np.uint8), label=np.arange(100) % 5, patient=np.arange(100) // 7)
    return path


def test_a_split_is_saved_and_told(pixstore, store: Path) -> None:
    done = pixstore("split", store, *SIZES, "--stratify", "label", "--seed", 3)
    assert (done.status, done.err) == (0, "")
    assert "default: 100 samples, stratified by label, seed 3" in done.out
    assert done.out.split() == (
        "default: 100 samples, stratified by label, seed 3 train 80 80.0% val 10 10.0% test 10 10.0%"
        f" saved in {store}, version 2"
    ).split()  # fmt: skip
    parts = library.open(store).split(name="default")
    assert {name: np.bincount(part.table["label"]).tolist() for name, part in parts.items()} == {
        "train": [16] * 5,
        "val": [2] * 5,
        "test": [2] * 5,
    }


def test_json_is_alone_on_stdout_and_has_the_notes(pixstore, store: Path) -> None:
    done = pixstore("split", store, "--train", 85, "--test", 15, "--group", "patient", "--name", "by-patient", "--json", "-")
    assert (done.status, done.err) == (0, "")
    result = json.loads(done.out)
    assert result == {
        "path": str(store),
        "name": "by-patient",
        "version": 2,
        "stratify": None,
        "group": "patient",
        "seed": 0,
        "parts": result["parts"],
        "notes": result["notes"],
    }
    assert sum(result["parts"].values()) == 100


def test_folds_are_named_by_number(pixstore, store: Path) -> None:
    done = pixstore("split", store, "--kfold", 10, "--stratify", "label", "--name", "cv", "--json", "-")
    assert json.loads(done.out)["parts"] == {f"fold-{number}": 10 for number in range(10)}
    assert len(library.open(store).kfold(name="cv")) == 10


def test_what_could_not_be_as_asked_is_a_note(pixstore, store: Path) -> None:
    done = pixstore("split", store, "--kfold", 10, "--group", "patient")
    assert (done.status, done.err) == (0, "")
    assert "note: groups of 'patient' are kept whole" in done.out


def test_the_split_that_is_proposed_for_what_is_no_store_names_a_file(pixstore, tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert f"pixstore split {tmp_path} --train 0.8 --test 0.2 --out split.arrow" in pixstore("split", tmp_path).out


def test_without_sizes_the_saved_splits_are_listed(pixstore, store: Path) -> None:
    assert "no split is saved here; make one: pixstore split" in pixstore("split", store).out
    pixstore("split", store, *SIZES, "--group", "patient")
    pixstore("split", store, "--kfold", 2, "--name", "cv")
    done = pixstore("split", store)
    assert done.status == 0
    assert "default: 100 samples, grouped by patient, seed 0" in done.out and "cv: 100 samples, seed 0" in done.out
    one = json.loads(pixstore("split", store, "--name", "cv", "--json", "-").out)
    assert one["splits"]["cv"]["parts"] == {"fold-0": 50, "fold-1": 50}
    assert list(one["splits"]) == ["cv"]


@pytest.mark.parametrize("suffix", [".arrow", ".csv"])
def test_a_source_saves_its_split_beside(suffix: str, pixstore, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / f"split{suffix}"
    done = pixstore("split", photos, "--train", 2, "--test", 1, "--out", out)
    assert (done.status, done.err) == (0, "")
    assert f"saved in {out}\n" in done.out
    parts = library.open(photos).split(name=out)
    assert {name: len(part) for name, part in parts.items()} == {"train": 2, "test": 1}
    assert pixstore("split", photos, "--out", out).status == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--train", "0.8"], "sum to 0.8, not to 1"),
        (["--train", "much"], "'much' is no size"),
        (["--train", "0.5", "--test", "50"], "partly counts"),
        ([*SIZES, "--kfold", "3"], "two kinds of split"),
        ([*SIZES, "--stratify", "breed"], "no column 'breed'; columns here: key, label, patient"),
        ([*SIZES, "--name", "a/b"], "cannot name a split"),
        ([*SIZES, "--name", "a", "--out", "b.csv"], "--out for a file"),
        ([*SIZES, "--out", "b.json"], ".csv"),
        (["--kfold", "1"], "1 folds"),
        (["--kfold", "101"], "none of 100 samples"),
        (["--name", "other"], "none is saved"),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(options: list[str], said: str, pixstore, store: Path) -> None:
    done = pixstore("split", store, *options)
    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1 and said in done.err
    assert library.open(store).store_manifest.version == 1


def test_a_source_without_a_file_is_told_what_to_do(pixstore, photos: Path) -> None:
    done = pixstore("split", photos, "--train", 2, "--test", 1)
    assert done.status == 2 and "default.arrow" in done.err


def test_another_split_is_replaced_only_where_that_is_said(pixstore, store: Path) -> None:
    assert pixstore("split", store, *SIZES).status == 0
    assert pixstore("split", store, *SIZES).status == 0
    done = pixstore("split", store, *SIZES, "--seed", 1)
    assert done.status == 2 and "another split 'default'" in done.err
    assert pixstore("split", store, *SIZES, "--seed", 1, "--replace").status == 0


def test_convert_takes_one_part(pixstore, store: Path, tmp_path: Path) -> None:
    pixstore("split", store, *SIZES)
    done = pixstore("convert", store, tmp_path / "val", "--split", "default", "--part", "val")
    assert done.status == 0
    assert library.open(tmp_path / "val").keys.to_pylist() == library.open(store).split(name="default")["val"].keys.to_pylist()


def test_convert_makes_one_store_for_each_fold_of_a_source(pixstore, photos: Path, tmp_path: Path) -> None:
    pixstore("split", photos, "--kfold", 3, "--out", tmp_path / "cv.csv")
    done = pixstore("convert", photos, tmp_path / "folds", "--split", tmp_path / "cv.csv", "--each", "--json", "-")
    assert done.status == 0
    assert {name: report["samples"] for name, report in json.loads(done.out)["parts"].items()} == {
        "fold-0": 1,
        "fold-1": 1,
        "fold-2": 1,
    }
    keys = [key for number in range(3) for key in library.open(tmp_path / "folds" / f"fold-{number}").keys.to_pylist()]
    assert sorted(keys) == library.open(photos).keys.to_pylist()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--part", "train"], "part 'train' of no split"),
        (["--split", "default", "--part", "dev"], "no part 'dev'; its parts: train, val, test"),
        (["--split", "default"], "has the parts train, val, test; say which"),
        (["--split", "nights", "--part", "train"], "splits here: default"),
        (["--each"], "--each is for all parts"),
        (["--split", "default", "--part", "val", "--each"], "--each is for all parts"),
    ],
)
def test_convert_refuses_a_part_that_is_not_there(options: list[str], said: str, pixstore, store: Path, tmp_path: Path) -> None:
    pixstore("split", store, *SIZES)
    done = pixstore("convert", store, tmp_path / "out", *options)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert not (tmp_path / "out").exists()


def test_convert_each_looks_at_every_place_before_it_begins(pixstore, store: Path, tmp_path: Path) -> None:
    pixstore("split", store, *SIZES)
    (tmp_path / "out" / "test").mkdir(parents=True)
    done = pixstore("convert", store, tmp_path / "out", "--split", "default", "--each")
    assert done.status == 2 and "out/test" in done.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["test"]
