"""Advice from end to end: on photos, on arrays, on an archive; nothing is left behind."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixstore
from pixstore.bench import Progress, advise
from pixstore.bench.advice.advice import default_destination
from pixstore.cli.main import main
from pixstore.errors import InvalidInputError, PathNotFoundError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the current one."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_few_photos_are_left_as_they_are(photos: Path, elsewhere: Path) -> None:
    told: list[Progress] = []
    advice = advise(str(photos), budget_seconds=3, progress=told.append)
    assert advice.verdict.leaves_as_is and advice.command is None and advice.differences == ()
    assert advice.verdict.reasons[0].rule == "tiny"
    assert advice.formats == {"jpeg": 9, "png": 3}
    assert told[0].doing == "opening" and told[-1].doing != "opening"
    assert str(elsewhere.resolve()) in advice.measured_on
    assert os.listdir(elsewhere) == []
    assert str(advice).startswith("Leave them as they are") and "\n- " in str(advice)
    read = json.loads(json.dumps(advice.to_json()))
    assert read["headline"] == advice.headline and read["command"] is None and read["leaves_as_is"] is True
    assert [each["rule"] for each in read["verdict"]["reasons"]] == ["tiny"]
    assert len(read["ways"]) == len(advice.ways) == 6 and read["situation"]["images"] == 12


@pytest.mark.parametrize("use", ["browse", "archive"])
def test_each_use_has_its_advice(use: Any, photos: Path) -> None:
    advice = advise(photos, use, budget_seconds=1.5, edit="often")
    assert advice.situation.use == use and advice.verdict.choice.way in {way.way for way in advice.ways}
    assert advice.loader is None and len(advice.reasons) >= 1


def test_the_command_makes_the_store_that_was_recommended(photos: Path, elsewhere: Path) -> None:
    advice = advise(photos, budget_seconds=2, demand=1e9, medium="network")
    assert advice.verdict.confidence == "low"
    assert advice.command is not None and advice.loader is not None
    assert main(shlex.split(advice.command)[1:]) == 0
    with pixstore.open(elsewhere / "my photos.pixstore") as made:
        assert len(made) == 12 and made.encoded("00.png") == (photos / "00.png").read_bytes()


def test_arrays_for_an_archive_are_compressed(tmp_path: Path) -> None:
    images = np.zeros((50, 64, 64, 3), np.uint8)
    images[:] = np.arange(64, dtype=np.uint8)[:, None, None]
    with pixstore.Writer(tmp_path / "flat.pixstore", durability="process") as writer:
        writer.add_batch(images, label=np.zeros(50, np.int64))
    advice = advise(tmp_path / "flat.pixstore", "archive", budget_seconds=4, destination=tmp_path / "small.pixstore")
    assert advice.verdict.choice.codec == "png" and advice.verdict.gain is not None and advice.verdict.gain.ratio > 1.5


def test_an_archive_says_what_opening_takes(archive: Path) -> None:
    advice = advise(archive, budget_seconds=4, edit="often")
    assert not advice.verdict.leaves_as_is and advice.verdict.excluded["source"].rule == "not-editable"
    assert advice.ways[0].opening_seconds > 0


def test_where_nothing_can_be_written_measuring_goes_elsewhere(photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    # Nobody can make a folder there, not even root.
    advice = advise(photos, budget_seconds=2, destination="/proc/store.pixstore")
    assert not advice.situation.is_writable and str(tmp_path) in advice.measured_on
    assert advice.verdict.leaves_as_is and advice.verdict.reasons[0].rule == "nothing-left"


@pytest.mark.parametrize(
    "options",
    [{"use": "fast"}, {"edit": "daily"}, {"medium": "tape"}, {"demand": 0.0}, {"budget_seconds": -1.0}, {"use": "browse", "demand": 5.0}],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], photos: Path) -> None:
    with pytest.raises(InvalidInputError):
        advise(photos, **options)


def test_an_interrupt_leaves_nothing(photos: Path, elsewhere: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.doing != "opening":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        advise(photos, progress=interrupt)
    assert os.listdir(elsewhere) == []


def test_a_source_that_is_not_there_leaves_nothing(elsewhere: Path) -> None:
    with pytest.raises(PathNotFoundError):
        advise(elsewhere / "nothing")
    assert os.listdir(elsewhere) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("a/photos", "photos.pixstore"),
        ("cifar.tar.xz", "cifar.pixstore"),
        ("x/.hidden", "images.pixstore"),
        ("v1.2-photos", "v1.2-photos.pixstore"),
        ("photos.h5", "photos.pixstore"),
    ],
)
def test_the_store_is_named_after_the_source(source: str, name: str) -> None:
    assert default_destination(source) == Path(name)


def test_the_command_does_not_store_where_something_lies(photos: Path, elsewhere: Path) -> None:
    assert main(["convert", str(photos), "photos.pixstore", "--quiet"]) == 0
    assert default_destination("photos.pixstore") == Path("photos-2.pixstore")
    there = advise(photos, budget_seconds=2, demand=1e9, medium="network", destination="photos.pixstore")
    assert there.command is not None and any("already" in note and "--dest" in note for note in there.notes)


def test_without_time_nothing_is_advised(photos: Path) -> None:
    advice = advise(photos, budget_seconds=1e-6)
    assert advice.verdict.leaves_as_is and advice.command is None
    assert advice.verdict.confidence == "low" and "give --budget" in advice.headline and "failed" not in str(advice)
