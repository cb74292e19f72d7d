"""What a mode begins with: the version, the schema, the lock."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pixstore import errors, mode
from pixstore.manifest import load
from pixstore.mode import base_version, starting_schema, stated_schema, take_store
from pixstore.schema import Field, Schema
from pixstore.writer import Writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Writer(tmp_path / "s", codec={"image": "png", "mask": "raw"}, durability="process") as writer:
        writer.add(np.zeros((2, 2, 3), np.uint8), mask=np.zeros((2, 2), np.uint8), label=1)
    return tmp_path / "s"


def test_base_is_the_version_there_is(path: Path, tmp_path: Path) -> None:
    assert base_version(path, "a") == base_version(path, "w") == load(path)
    assert base_version(tmp_path / "none", "a") is None and not (tmp_path / "none").exists()
    with pytest.raises(errors.DestinationExistsError, match="mode='a' to add"):
        base_version(path, "x")
    with pytest.raises(errors.InvalidInputError, match="'r'"):
        base_version(path, "r")  # type: ignore[arg-type]


def test_what_a_killed_writer_left_is_no_obstacle(tmp_path: Path) -> None:
    take_store(tmp_path / "s", durable=False).release()
    (tmp_path / "s" / "shards" / "0123456789abcdef.partial").mkdir()
    for name in ("manifest.json.77.partial", "bad.csv", "bad.csv.77.partial", "duplicates.csv"):
        (tmp_path / "s" / name).write_text("half")
    assert base_version(tmp_path / "s", "x") is None


@pytest.mark.parametrize("name", ["bad.csv", "photo.png", "manifest.json.partial", "shards.77.partial"])
def test_folder_of_somebody_else_is_never_written_into(tmp_path: Path, name: str) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / name).write_text("somebody's")
    with pytest.raises(errors.DestinationExistsError, match="a folder with other files"):
        base_version(tmp_path / "s", "x")


@pytest.mark.parametrize("name", ["shards/photo.jpg", "shards/0123.arrow", "versions/1.json", "splits/mine.arrow", "splits"])
def test_folders_with_others_files_in_them_are_somebody_elses(tmp_path: Path, name: str) -> None:
    take_store(tmp_path / "s", durable=False).release()
    (tmp_path / "s" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "s" / name).write_text("somebody's")
    with pytest.raises(errors.DestinationExistsError, match="a folder with other files"):
        base_version(tmp_path / "s", "x")


@pytest.mark.parametrize("name", ["shards", "versions", "splits"])
def test_linked_folder_is_never_written_through(path: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    if (path / name).exists():
        (path / name).rename(tmp_path / "elsewhere" / "moved")
    (path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(errors.UnsafeInputError, match=f"{name}: is a link"):
        take_store(path, durable=False)


def test_durable_version_never_stands_on_one_that_was_not_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    real = mode.sync_tree

    def noting(folder: Path, descriptor: int) -> None:
        synced.append(folder)
        real(folder, descriptor)

    monkeypatch.setattr(mode, "sync_tree", noting)
    take_store(path, durable=False).release()
    assert synced == []
    with Writer(path, mode="a", durability="power") as writer:
        writer.add(np.zeros((2, 2, 3), np.uint8), label=1)
    assert synced == [path]
    take_store(path, durable=True).release()
    assert synced == [path], "all of it is synced since"


def test_lock_is_free_again_where_syncing_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(folder: Path, descriptor: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(mode, "sync_tree", failing)
    with pytest.raises(OSError, match="medium"):
        take_store(path, durable=True)
    take_store(path, durable=False).release()


def test_stated_codecs_win_over_those_of_the_version(path: Path) -> None:
    base = load(path)
    assert [each.codec for each in starting_schema(None, base, None).fields] == ["png", "raw"]
    assert [each.codec for each in starting_schema(None, base, "jpeg").fields] == ["jpeg", "raw"]
    assert [each.codec for each in starting_schema(None, base, {"depth": "raw", "mask": "png"}).fields] == ["png", "png", "raw"]
    assert starting_schema(None, None, None).fields == (Field("image"),)
    assert starting_schema(None, None, {"a": "png"}).fields == (Field("a", "png"),)


def test_type_that_cannot_be_stored_is_refused_at_the_start() -> None:
    with pytest.raises(errors.SchemaError, match="date32"):
        starting_schema(Schema(columns=pa.schema([("day", pa.date32())])), None, None)


def test_schema_states_a_layout_that_all_shards_share(path: Path) -> None:
    base = load(path)
    both = stated_schema(base.schema, base.shards)
    assert [each.shape for each in both.fields] == [(2, 2, 3), (2, 2)]
    with Writer(path, mode="a", durability="process") as writer:
        writer.add(np.zeros((2, 2, 3), np.uint8), label=1)
    assert [each.shape for each in load(path).schema.fields] == [(2, 2, 3), None]
