"""Update and delete: labels change without a pixel file, images by a new record, and what is not named stays byte for byte."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.engine_kinds import LOCATING

import pixstore
from pixstore import errors, manifest
from pixstore.registry import ENGINES
from pixstore.writer import Writer


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def pixels(count: int, *shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


IMAGES = pixels(5, 4, 4, 3)
KEYS = ["a", "b", "c", "d", "e"]


@pytest.fixture
def path(tmp_path: Path, engine: str) -> Path:
    with Writer(tmp_path / "s", engine=engine, codec="png") as writer:
        writer.add_batch(IMAGES, key=KEYS, label=[0, 1, 2, 3, 4], name=list("vwxyz"))
    return tmp_path / "s"


def pixel_files(path: Path) -> set[str]:
    return {each.name for each in (path / "shards").iterdir() if each.suffix not in {".arrow", ".keys"}}


def labels(path: Path, **options: Any) -> dict[str, int]:
    table = pixstore.open(path, **options).table
    return dict(zip(table["key"].to_pylist(), table["label"].to_pylist(), strict=True))


def test_changing_columns_copies_no_pixels_and_keeps_the_rest(path: Path) -> None:
    before = pixel_files(path)
    with Writer(path, mode="a") as writer:
        writer.update("d", label=33)
        writer.update("b", label=11)
        writer.update("b", name="W")
    ds = pixstore.open(path)
    assert (pixel_files(path) == before) == (ds.store_manifest.engine in LOCATING)  # type: ignore[union-attr]
    assert labels(path) == {"a": 0, "c": 2, "e": 4, "d": 33, "b": 11} and labels(path, version=1)["d"] == 3
    for key, image in zip(KEYS, IMAGES, strict=True):
        assert np.array_equal(ds[key].image, image)
    assert ds["b"]["name"] == "W" and ds["d"]["name"] == "y"
    assert ds.schema.fields[0].shape == (4, 4, 3)
    assert np.array_equal(ds[["b", "a", "d"]]["image"], IMAGES[[1, 0, 3]])


def test_columns_change_again_and_again(path: Path) -> None:
    for number in range(3):
        with Writer(path, mode="a") as writer:
            writer.update("a", label=100 + number)
            writer.update("c", label=None)
    assert labels(path) == {"b": 1, "d": 3, "e": 4, "a": 102, "c": None}
    assert np.array_equal(pixstore.open(path)["a"].image, IMAGES[0])


def test_image_changes_and_columns_stay(path: Path) -> None:
    changed = pixels(1, 6, 6, 3, seed=9)[0]
    with Writer(path, mode="a") as writer:
        writer.update("c", changed)
    ds = pixstore.open(path)
    assert np.array_equal(ds["c"].image, changed) and ds["c"]["label"] == 2 and ds["c"]["name"] == "x"
    assert ds.formats([ds.row_of("c")])[0].codec == "png" and len(ds) == 5


def test_new_field_of_one_sample_leaves_its_image_byte_for_byte(path: Path) -> None:
    stored = pixstore.open(path).encoded("b")
    with Writer(path, mode="a", codec={"image": "jpeg", "mask": "png"}) as writer:
        writer.update("b", mask=IMAGES[1][..., 0])
        writer.update("b", label=12)
    ds = pixstore.open(path)
    assert ds.encoded("b") == stored and np.array_equal(ds["b"]["mask"], IMAGES[1][..., 0]) and ds["b"]["label"] == 12
    assert ds["a"]["mask"] is None
    with Writer(path, mode="a") as writer:
        writer.update("b", label=13)
        writer.update("a", label=14)
    ds = pixstore.open(path)
    assert np.array_equal(ds["b"]["mask"], IMAGES[1][..., 0]) and ds["a"]["mask"] is None and ds["a"]["label"] == 14


def test_jpeg_is_kept_when_another_field_changes(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(IMAGES[0]).save(file, "jpeg")
    with Writer(tmp_path / "s") as writer:
        writer.add(file.getvalue(), key="a")
    with Writer(tmp_path / "s", mode="a", codec="png") as writer:
        writer.update("a", mask=IMAGES[0][..., 0])
    assert pixstore.open(tmp_path / "s").encoded("a") == file.getvalue()


def test_buffer_that_is_used_again_after_update_does_not_change_what_was_given(path: Path) -> None:
    frame = np.zeros((4, 4, 3), np.uint8)
    with Writer(path, mode="a") as writer:
        for number, key in enumerate("abc"):
            frame[:] = number
            writer.update(key, frame)
    assert [int(pixstore.open(path)[key].image[0, 0, 0]) for key in "abc"] == [0, 1, 2]


def test_delete_leaves_the_file_of_the_shard_and_the_earlier_version(path: Path) -> None:
    before = pixel_files(path)
    with Writer(path, mode="a") as writer:
        writer.delete("b")
        writer.delete("c")
        writer.delete("e")
    ds = pixstore.open(path)
    assert ds.keys.to_pylist() == ["a", "d"] and "b" not in ds and ds.get("c") is None
    assert np.array_equal(ds[:]["image"], IMAGES[[0, 3]]) and pixel_files(path) == before
    assert manifest.load(path).shards[0].deleted == ((1, 3), (4, 5))
    assert len(pixstore.open(path, version=1)) == 5


def test_deleting_every_sample_leaves_an_empty_dataset(path: Path) -> None:
    with Writer(path, mode="a") as writer:
        for key in KEYS:
            writer.delete(key)
    ds = pixstore.open(path)
    assert len(ds) == 0 and ds.table.num_rows == 0 and list(ds) == [] and "a" not in ds and len(ds[:]) == 0


def test_deleted_key_may_be_added_again(path: Path) -> None:
    with Writer(path, mode="a") as writer:
        writer.delete("b")
        writer.add(IMAGES[4], key="b", label=40)
        writer.delete("b")
        writer.add(IMAGES[3], key="b", label=41)
    assert labels(path)["b"] == 41 and np.array_equal(pixstore.open(path)["b"].image, IMAGES[3])


def test_updated_sample_may_be_deleted_and_deleted_one_is_gone(path: Path) -> None:
    with Writer(path, mode="a") as writer:
        writer.update("a", label=9)
        writer.update("b", IMAGES[0])
        writer.delete("a")
        writer.delete("b")
        for call in (writer.delete, writer.update):
            with pytest.raises(errors.KeyNotFoundError, match="'a'"):
                call("a")
    assert set(labels(path)) == {"c", "d", "e"}


def test_sample_of_this_block_may_be_changed_and_deleted(path: Path) -> None:
    with Writer(path, mode="a") as writer:
        writer.add(IMAGES[0], key="new", label=1)
        writer.update("new", label=2)
        writer.add(IMAGES[1], key="other", label=3)
        writer.delete("other")
        writer.add(IMAGES[2], key="other", label=4)
    found = labels(path)
    assert found["new"] == 2 and found["other"] == 4 and np.array_equal(pixstore.open(path)["new"].image, IMAGES[0])


def test_updated_key_added_again_is_a_duplicate(path: Path) -> None:
    with pytest.raises(errors.DuplicateKeyError, match="'a'"), Writer(path, mode="a") as writer:
        writer.update("a", label=9)
        writer.add(IMAGES[0], key="a", label=8)
    assert labels(path)["a"] == 0


def test_changes_after_a_commit_in_between(path: Path) -> None:
    with Writer(path, mode="a") as writer:
        writer.update("a", label=7)
        writer.commit()
        writer.update("a", label=8)
        writer.delete("b")
        writer.commit()
        writer.update("a", name="A")
    assert labels(path)["a"] == 8 and "b" not in labels(path) and labels(path, version=2)["a"] == 7
    assert pixstore.open(path)["a"]["name"] == "A"


def test_many_updates_between_adds_make_few_shards(tmp_path: Path) -> None:
    with Writer(tmp_path / "s") as writer:
        writer.add_batch(pixels(300, 2, 2), label=list(range(300)))
        writer.commit()
        for number in range(300):
            writer.update(f"{number:08}", label=-number)
            writer.add(IMAGES[0], label=number)
    assert len(manifest.load(tmp_path / "s").shards) == 2
    assert labels(tmp_path / "s")["00000299"] == -299
