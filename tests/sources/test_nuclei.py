"""One folder for each image with all its masks: image in place, masks as a stack; what is missing is refused by name."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.errors import CorruptRecordError, InvalidInputError, LabelMismatchError, NotAStoreError, RecordError
from pixstore.loader.transforms import HorizontalFlip, Normalize, Resize
from pixstore.sources.nuclei import Nuclei

COUNTS = {"a1": 3, "b2": 0, "c3": 5}


def masks_of(name: str) -> Any:
    return np.random.default_rng(COUNTS[name]).integers(0, 2, (COUNTS[name], 6, 8), np.uint8) * np.uint8(255)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    root = tmp_path / "stage1_train"
    for name in COUNTS:
        for folder in ("images", "masks"):
            (root / name / folder).mkdir(parents=True)
        Image.fromarray(np.full((6, 8, 4), COUNTS[name], np.uint8)).save(root / name / "images" / f"{name}.png")
        for number, mask in enumerate(masks_of(name)):
            Image.fromarray(mask).save(root / name / "masks" / f"{number}f.png")
    return root


def test_a_sample_has_its_image_and_a_stack_of_its_masks(cells: Path) -> None:
    ds = pixstore.open(cells)
    assert ds.origin == Nuclei.name and ds.keys.to_pylist() == list(COUNTS) and ds.schema.field("masks").is_stack
    for name in COUNTS:
        assert ds[name]["image"].shape == (6, 8, 4) and (ds[name]["masks"] == masks_of(name)).all()
    stacks = ds[[2, 1, 2]]["masks"]
    assert [each.shape for each in stacks] == [(5, 6, 8), (0, 6, 8), (5, 6, 8)]
    assert ds.extents("image", [0]) is not None and ds.extents("masks", [0]) is None
    assert len(pickle.loads(pickle.dumps(ds))[:]["masks"]) == 3


def test_only_the_layout_is_recognised(cells: Path, tmp_path: Path) -> None:
    assert Nuclei.recognises(cells)
    (tmp_path / "test").mkdir()
    (cells / "a1" / "images").rename(tmp_path / "test" / "images")
    for other in (tmp_path / "test", tmp_path / "absent", tmp_path / "test" / "images" / "a1.png"):
        assert not Nuclei.recognises(other)


@pytest.mark.parametrize("engine", ["packed", "files", "lmdb", "hdf5"])
@pytest.mark.parametrize("codec", ["keep", "zstd"])
def test_it_becomes_a_store_and_stays_a_stack(cells: Path, engine: str, codec: str, tmp_path: Path) -> None:
    pixstore.convert(cells, tmp_path / "out", engine=engine, codec=codec, durability="process")
    made = pixstore.open(tmp_path / "out")
    assert made.schema.field("masks").is_stack and not made.schema.field("image").is_stack
    for name in COUNTS:
        assert made[name]["masks"].shape == (COUNTS[name], 6, 8) and (made[name]["masks"] == masks_of(name)).all()
    assert pixstore.compare(pixstore.open(cells), made, pixels=codec != "keep").equal


def test_a_codec_for_images_is_refused_for_stacks(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="'masks' holds many masks N·H·W"):
        pixstore.convert(cells, tmp_path / "out", codec="png")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("stored", [False, True])
def test_a_loader_hands_stacks_over_untouched(cells: Path, stored: bool, tmp_path: Path) -> None:
    if stored:
        pixstore.convert(cells, tmp_path / "out", durability="process")
    ds = pixstore.open(tmp_path / "out" if stored else cells)
    (batch,) = ds.loader(3, transforms=[Normalize((0.5,) * 3, (0.5,) * 3)])
    assert batch["image"].dtype == np.float32
    for name, stack in zip(COUNTS, batch["masks"], strict=True):
        assert stack.dtype == np.uint8 and (stack == masks_of(name)).all()
    (batch,) = ds.loader(3, transforms=[Resize((4, 4), fields=("image",))], masks=())
    assert batch["image"].shape == (3, 4, 4, 3) and batch["masks"][2].shape == (5, 6, 8)


@pytest.mark.parametrize("transform", [Resize((4, 4)), HorizontalFlip(0.5)])
def test_a_loader_refuses_to_take_a_stack_for_an_image(cells: Path, transform: Any) -> None:
    ds = pixstore.open(cells)
    with pytest.raises(InvalidInputError, match=r"'masks', which holds many masks N·H·W.*fields=\['image'\].*function of a batch"):
        ds.loader(2, transforms=[transform])
    assert len(list(ds.loader(2, transforms=[transform], fields=["image"]))) == 2


def test_wrongly_described_an_image_without_a_folder_of_masks_is_refused_by_name(cells: Path) -> None:
    (cells / "b2" / "masks").rmdir()
    with pytest.raises(LabelMismatchError, match=r"no folder masks/: 1 \('b2'\).*--unmatched skip"):
        pixstore.open(cells)
    ds = pixstore.open(cells, unmatched="skip")
    assert ds.keys.to_pylist() == ["a1", "c3"]
    assert [(each.path, each.reason) for each in ds.report.skipped] == [("b2", "no folder masks/")]


def test_wrongly_described_masks_without_an_image_or_with_two_are_refused_by_name(cells: Path) -> None:
    (cells / "a1" / "images" / "a1.png").rename(cells / "b2" / "images" / "a1.png")
    with pytest.raises(LabelMismatchError, match=r"no image in images/: 1 \('a1'\); several images in images/.*: 1 \('b2'\)"):
        pixstore.open(cells)
    assert pixstore.open(cells, unmatched="skip").keys.to_pylist() == ["c3"]
    (cells / "c3" / "images" / "c3.png").unlink()
    with pytest.raises(NotAStoreError, match="no folder here"):
        pixstore.open(cells, unmatched="skip")


def test_wrongly_described_a_mask_of_another_size_is_left_out_of_a_conversion_and_listed(cells: Path, tmp_path: Path) -> None:
    Image.new("L", (9, 6)).save(cells / "c3" / "masks" / "1f.png")
    with pytest.raises(CorruptRecordError, match=r"'c3' \(row 2\) in .*1f\.png: is 6 × 9 pixels, its image 6 × 8"):
        pixstore.open(cells)[:]
    report = pixstore.convert(cells, tmp_path / "out", durability="process")
    assert [bad.key for bad in report.bad_rows] == ["c3"] and pixstore.open(tmp_path / "out").keys.to_pylist() == ["a1", "b2"]


def test_what_is_no_image_and_no_folder_is_left_out_and_listed(cells: Path, tmp_path: Path) -> None:
    (cells / "labels.csv").write_text("a")
    (cells / "a1" / "masks" / ".DS_Store").write_text("a")
    (cells / "a1" / "masks" / "link.png").symlink_to(cells / "c3" / "masks" / "0f.png")
    (cells / "elsewhere").symlink_to(tmp_path)
    ds = pixstore.open(cells)
    assert len(ds["a1"]["masks"]) == 3
    assert {each.path: each.reason for each in ds.report.skipped} == {
        "labels.csv": "lies beside the folders of images",
        "elsewhere": "a link; links are not followed",
        "a1/masks/.DS_Store": "hidden or system file",
        "a1/masks/link.png": "a link; links are not followed",
    }


def test_a_conversion_does_not_go_on_after_a_mask_changed(cells: Path, tmp_path: Path) -> None:
    Image.new("L", (9, 6)).save(cells / "c3" / "masks" / "1f.png")
    with pytest.raises(RecordError):
        pixstore.convert(cells, tmp_path / "out", on_bad="fail", shard_bytes=1, workers=1, durability="process")
    Image.fromarray(masks_of("c3")[1]).save(cells / "c3" / "masks" / "1f.png")
    with pytest.raises(pixstore.errors.JobMismatchError):
        pixstore.convert(cells, tmp_path / "out", on_bad="fail", shard_bytes=1, workers=1, durability="process")


def test_folders_of_splits_with_many_images_and_masks_are_not_taken_for_folders_of_one_image(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for kind in ("images", "masks"):
            (tmp_path / split / kind).mkdir(parents=True)
            for number in range(2):
                Image.fromarray(np.full((4, 5), number, np.uint8)).save(tmp_path / split / kind / f"{number}.png")
    assert not Nuclei.recognises(tmp_path)
    assert any("images and masks are joined" in note for note in pixstore.open(tmp_path).report.notes)
