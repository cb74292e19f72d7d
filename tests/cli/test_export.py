"""`pixstore export`: what it writes, says and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pixstore as library
from pixstore.layouts import catalog


def test_a_store_becomes_a_folder_and_the_summary_says_so(pixstore, store: Path, tmp_path: Path) -> None:
    done = pixstore("export", store, tmp_path / "out", "--to", "folder", "--check")
    assert (done.status, done.err) == (0, "")
    first, second = done.out.splitlines()
    assert first.startswith(f"{tmp_path / 'out'}: 2 samples as folder in ")
    assert second == "read again: samples counted, pixels and labels compared"
    assert library.open(tmp_path / "out").keys.to_pylist() == ["cats/a.png", "dogs/c.jpg"]


def test_what_would_be_lost_is_one_line_and_status_2(pixstore, store: Path, tmp_path: Path) -> None:
    done = pixstore("export", store, tmp_path / "out", "--to", "tutorial-png")
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert "To lose that, pass --accept keys --accept classes" in done.err and not (tmp_path / "out").exists()
    done = pixstore("export", store, tmp_path / "out", "--to", "tutorial-png", "--accept", "keys", "--accept", "classes")
    assert done.status == 0 and "lost, as accepted: keys: samples are called by number" in done.out


def test_json_is_alone_on_stdout(pixstore, store: Path, tmp_path: Path) -> None:
    done = pixstore("export", store, tmp_path / "out", "--to", "tutorial-png", "--accept", "all", "--json", "-")
    result = json.loads(done.out)
    assert (result["samples"], result["layout"], result["destination"]) == (2, "tutorial-png", str(tmp_path / "out"))
    assert [loss["name"] for loss in result["losses"]] == ["keys", "classes"] and result["checked"] == "samples counted"


def test_help_lists_every_layout_with_what_it_is(pixstore) -> None:
    shown = " ".join(pixstore("export", "--help").out.split())
    for layout in catalog.ALL:
        assert layout.name in shown


def test_images_and_masks_that_lie_apart_are_exported_together(pixstore, photos: Path, tmp_path: Path) -> None:
    done = pixstore("export", "--field", f"image={photos}", "--field", f"mask={photos}", tmp_path / "out", "--to", "folder")
    assert done.status == 0 and sorted(path.name for path in (tmp_path / "out").iterdir()) == ["image", "mask"]


def test_a_part_of_a_split_is_exported(pixstore, store: Path, tmp_path: Path) -> None:
    library.open(store).split({"train": 1, "test": 1}, name="default")
    done = pixstore("export", store, tmp_path / "out", "--to", "folder", "--split", "default", "--part", "test", "--accept", "all")
    assert done.status == 0 and len(library.open(tmp_path / "out")) == 1


def test_usage_errors_name_what_is_missing(pixstore, store: Path, tmp_path: Path) -> None:
    assert "--to" in pixstore("export", store, tmp_path / "out").err
    done = pixstore("export", store, tmp_path / "out", "--to", "tape")
    assert done.status == 2 and "no layout 'tape'; layouts here: folder" in done.err
    assert pixstore("export", store, "--to", "folder").status == 2
