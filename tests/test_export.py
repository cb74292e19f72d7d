"""`pixstore.export`: all or nothing at the destination, losses named before anything is written, the result proven."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixstore
from pixstore.errors import (
    DestinationExistsError,
    InvalidInputError,
    LossNotAcceptedError,
    PathNotFoundError,
    ReadOnlyError,
    StoreFullError,
)
from pixstore.export import LOSSES
from pixstore.layouts import catalog, tutorial_png

README = Path(__file__).resolve().parents[1] / "README.md"
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 6, 7, 3), np.uint8)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with pixstore.Writer(tmp_path / "in" / "s", codec="png", durability="process") as writer:
        for number, image in enumerate(IMAGES):
            writer.add(image, key=f"cat-{number}", label=number % 3, site="a")
    return tmp_path / "in" / "s"


def test_everything_that_would_be_lost_is_named_with_how_to_accept_it(store: Path, tmp_path: Path) -> None:
    with pytest.raises(LossNotAcceptedError) as caught:
        pixstore.export(store, tmp_path / "out", to="tutorial-png")
    assert caught.value.names == ("keys", "columns")
    assert "keys: samples are called by number" in str(caught.value) and "columns that are left out: site" in str(caught.value)
    assert "pass --accept keys --accept columns (accept=['keys', 'columns'])" in str(caught.value)
    with pytest.raises(LossNotAcceptedError, match="--accept columns"):
        pixstore.export(store, tmp_path / "out", to="tutorial-png", accept="keys")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


@pytest.mark.parametrize("accept", ["all", ["keys", "columns"], ("classes", "columns", "keys")])
def test_what_is_accepted_is_lost_and_reported(store: Path, tmp_path: Path, accept: Any) -> None:
    report = pixstore.export(store, tmp_path / "out", to="tutorial-png", accept=accept)
    assert [loss.name for loss in report.losses] == ["keys", "columns"] and report.checked == "samples counted"
    assert (report.samples, report.layout, report.source) == (12, "tutorial-png", str(store))
    assert report.bytes == sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) and report.seconds > 0


def test_unknown_names_are_refused_with_those_there_are(store: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"accept 'kyes' is none of .*keys.*, all"):
        pixstore.export(store, tmp_path / "out", to="folder", accept=["kyes"])
    with pytest.raises(InvalidInputError, match=r"no layout 'tape'; layouts here: .*folder"):
        pixstore.export(store, tmp_path / "out", to="tape")
    with pytest.raises(InvalidInputError, match="shard_bytes 0"):
        pixstore.export(store, tmp_path / "out", to="folder", shard_bytes=0)


def test_no_layout_names_a_loss_that_cannot_be_accepted(store: Path) -> None:
    dataset = pixstore.open(store)
    for layout in catalog.ALL:
        assert {loss.name for loss in layout.losses(dataset)} <= LOSSES, layout.name


def test_the_readme_says_of_each_layout_who_opens_it() -> None:
    rows = [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = {name for line in rows for name in line.split("|")[1].replace("`", "").replace(",", " ").split()}
    assert set(catalog.LAYOUTS) <= named


@pytest.mark.parametrize("kind", ["file", "folder", "link to nothing"])
def test_what_is_at_the_destination_stays(store: Path, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "out"
    {"file": place.touch, "folder": place.mkdir, "link to nothing": lambda: place.symlink_to("absent")}[kind]()
    with pytest.raises(DestinationExistsError, match="already there"):
        pixstore.export(store, place, to="folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_a_place_inside_the_source_is_refused(store: Path) -> None:
    with pytest.raises(DestinationExistsError, match="lies inside the source"):
        pixstore.export(store, store / "out", to="folder")


def test_a_source_that_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(PathNotFoundError):
        pixstore.export(tmp_path / "absent", tmp_path / "deep" / "out", to="folder")
    assert list(tmp_path.iterdir()) == []


def test_folders_above_the_destination_are_made(store: Path, tmp_path: Path) -> None:
    pixstore.export(store, tmp_path / "a" / "b" / "out", to="folder")
    assert len(pixstore.open(tmp_path / "a" / "b" / "out")) == 12


def test_a_dataset_a_selection_and_a_part_of_a_split_are_exported(store: Path, tmp_path: Path) -> None:
    dataset = pixstore.open(store)
    report = pixstore.export(dataset.select([5, 2, 9]), tmp_path / "three", to="folder", check=True)
    assert report.samples == 3 and report.source == "a dataset"
    assert sorted(key.as_py() for key in pixstore.open(tmp_path / "three").keys) == ["0/cat-9.png", "2/cat-2.png", "2/cat-5.png"]
    assert not any("saved splits" in note for note in report.notes)
    dataset.split({"train": 9, "test": 3}, name="default")
    (note,) = pixstore.export(store, tmp_path / "all", to="folder").notes
    assert note == "saved splits stay in the store: default; export each part with --split and --part"
    assert pixstore.export(store, tmp_path / "test", to="folder", split="default", part="test").samples == 3
    with pytest.raises(InvalidInputError, match="label_from"):
        pixstore.export(dataset, tmp_path / "no", to="folder", label_from="folder")
    with pytest.raises(InvalidInputError, match="holds no images"):
        pixstore.export(dataset.select([]), tmp_path / "no", to="folder")


def test_sources_are_exported_without_a_store_between(store: Path, tmp_path: Path) -> None:
    pixstore.export(store, tmp_path / "folder", to="folder")
    report = pixstore.export(tmp_path / "folder", tmp_path / "many.h5", to="tutorial-hdf5", accept="all", check=True)
    assert report.samples == 12 and len(pixstore.open(tmp_path / "many.h5")) == 12


def test_progress_ends_with_all_samples(store: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int, int]] = []
    pixstore.export(store, tmp_path / "out", to="folder", progress=lambda *each: told.append(each))
    assert told[-1] == (12, 12, IMAGES.nbytes)


@pytest.mark.parametrize("name", sorted(catalog.LAYOUTS))
def test_an_error_in_the_middle_leaves_nothing(store: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = catalog.layout(name)
    real = type(layout).write

    def interrupted(self: Any, export: Any) -> None:
        real(self, export)
        raise KeyboardInterrupt

    monkeypatch.setattr(type(layout), "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pixstore.export(store, tmp_path / "out", to=name, accept="all")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


@pytest.mark.parametrize(("code", "error"), [(errno.ENOSPC, StoreFullError), (errno.EACCES, ReadOnlyError)])
def test_a_full_or_closed_disk_is_told_and_leaves_nothing(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code), "x")

    monkeypatch.setattr(tutorial_png, "write_labels", refuse)
    with pytest.raises(error, match="out"):
        pixstore.export(store, tmp_path / "out", to="tutorial-png", accept="all")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_a_real_full_file_system_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files refuses writes as a full disk does, whatever the library that writes."""
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(np.random.default_rng(0).integers(0, 256, (40, 100, 100, 3), np.uint8), label=np.arange(40))
    code = (
        "import resource, signal, sys, pixstore\n"
        "from pixstore.errors import StoreFullError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        f"for to in {('tutorial-lmdb', 'tutorial-hdf5')!r}:\n"
        f"    try:\n        pixstore.export({str(tmp_path / 's')!r}, {str(tmp_path / 'out')!r}, to=to, accept='all')\n"
        "    except StoreFullError as error:\n        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and done.stdout.count("above the largest file that is allowed") == 2, done.stderr + done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s"]


def test_a_termination_leaves_nothing_and_a_kill_a_partial_folder_that_says_so(store: Path, tmp_path: Path) -> None:
    """The export stands still before its last file, so that the signal surely hits it in the middle."""
    code = (
        "import sys, time\nfrom pixstore.cli.main import main\nfrom pixstore.layouts import folder\n"
        "folder._write_metadata = lambda *_: time.sleep(60)\n"
        f"sys.exit(main(['export', {str(store)!r}, {str(tmp_path / 'out')!r}, '--to', 'folder', '-q']))\n"
    )
    for number, status in ((signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        with subprocess.Popen([sys.executable, "-c", code]) as running:
            while len(list(tmp_path.glob("out.*.partial/out/*/*.png"))) < len(IMAGES):
                assert running.poll() is None
                time.sleep(0.02)
            running.send_signal(number)
            assert running.wait(30) == status
        assert not (tmp_path / "out").exists()
    (left,) = (path.name for path in tmp_path.iterdir() if path.name != "in")
    assert left.startswith("out.") and left.endswith(".partial")
    notes = pixstore.export(store, tmp_path / "out", to="folder").notes
    assert [note for note in notes if note.startswith(left) and "remove it where none runs" in note]
    assert not [note for note in pixstore.export(store, tmp_path / "other", to="folder").notes if ".partial" in note]
