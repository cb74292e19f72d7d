"""Exported as WebDataset: the webdataset library finds the same pixels, labels and columns, and so does our own source."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import webdataset
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from webdataset.tariterators import base_plus_ext

import pixstore
from pixstore.errors import LossNotAcceptedError
from pixstore.layouts.webdataset import _names
from pixstore.schema import Field, Schema


def pixels(number: int, kind: Any = np.uint8) -> Any:
    return np.random.default_rng(number).integers(0, 256, (9, 7, 3)).astype(kind)


def jpeg(number: int) -> bytes:
    made = io.BytesIO()
    Image.fromarray(pixels(number)).save(made, "JPEG")
    return made.getvalue()


def theirs(folder: Path) -> list[dict[str, Any]]:
    """Return the samples as the library groups and decodes them, its files closed."""
    found = []
    for path in sorted(folder.iterdir()):
        with open(path, "rb") as file:
            members = ({**each, "__url__": path.name} for each in webdataset.tariterators.tar_file_iterator(file))
            samples = [dict(each) for each in webdataset.tariterators.group_by_keys(members)]
        found += samples
    decoder = webdataset.autodecode.Decoder([webdataset.autodecode.imagehandler("rgb8")])
    return [decoder(sample) for sample in found]


def store(path: Path, count: int = 10, **columns: Any) -> pixstore.Dataset:
    with pixstore.Writer(path, durability="process") as writer:
        for number in range(count):
            writer.add(pixels(number), key=f"{number:03}", label=number % 3, **{name: values[number] for name, values in columns.items()})
    return pixstore.open(path)


def test_the_library_reads_the_same_pixels_and_labels(tmp_path: Path) -> None:
    dataset = store(tmp_path / "s", caption=[f"photo {number}" for number in range(10)])
    pixstore.export(tmp_path / "s", tmp_path / "out", to="webdataset", check=True)
    samples = theirs(tmp_path / "out")
    assert [each["__key__"] for each in samples] == dataset.keys.to_pylist()
    assert [each["cls"] for each in samples] == dataset.table["label"].to_pylist()
    assert [each["json"]["caption"] for each in samples] == dataset.table["caption"].to_pylist()
    assert np.array_equal(np.stack([each["png"] for each in samples]), dataset.read(slice(None))["image"])
    again = pixstore.open(tmp_path / "out")
    assert again.table.select(dataset.table.column_names).equals(dataset.table)


def test_files_of_images_are_written_untouched_and_masks_beside_them(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s") as writer:
        for number in range(4):
            writer.add(jpeg(number), mask=pixels(number + 9), key=f"{number}")
    pixstore.export(tmp_path / "s", tmp_path / "out", to="webdataset", check=True)
    dataset, again = pixstore.open(tmp_path / "s"), pixstore.open(tmp_path / "out")
    with tarfile.open(tmp_path / "out" / "shard-000000.tar") as archive:
        assert archive.getnames()[:2] == ["0.jpg", "0.mask.png"]
    assert again.encoded_many(slice(None)) == [jpeg(number) for number in range(4)]
    assert np.array_equal(again.read(slice(None))["mask"], dataset.read(slice(None))["mask"])


def test_shards_are_of_the_size_that_is_asked_for_and_samples_stay_whole(tmp_path: Path) -> None:
    store(tmp_path / "s")
    pixstore.export(tmp_path / "s", tmp_path / "out", to="webdataset", shard_bytes=5000)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"shard-{number:06}.tar" for number in range(len(names))] and len(names) > 3
    assert len(theirs(tmp_path / "out")) == len(pixstore.open(tmp_path / "out")) == 10


def test_splits_are_shards_of_their_own(tmp_path: Path) -> None:
    dataset = store(tmp_path / "s", split=["train"] * 7 + ["val"] * 3)
    pixstore.export(tmp_path / "s", tmp_path / "out", to="webdataset", check=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["train-000000.tar", "val-000000.tar"]
    assert pixstore.open(tmp_path / "out").table.select(dataset.table.column_names).equals(dataset.table)


def test_names_of_labels_are_kept_beside_them(tmp_path: Path) -> None:
    for name, number in (("cat", 1), ("dog", 2)):
        (tmp_path / "in" / name).mkdir(parents=True)
        Image.fromarray(pixels(number)).save(tmp_path / "in" / name / "a.b.png")
    pixstore.convert(tmp_path / "in", tmp_path / "s")
    pixstore.export(tmp_path / "s", tmp_path / "out", to="webdataset", check=True)
    again = pixstore.open(tmp_path / "out")
    assert again.classes == ("cat", "dog") and again.table.to_pydict() == {"key": ["cat/a.b.png", "dog/a.b.png"], "label": [0, 1]}
    assert [(each["__key__"], each["json"]["label_name"]) for each in theirs(tmp_path / "out")] == [
        ("cat/a%2Eb", "cat"),
        ("dog/a%2Eb", "dog"),
    ]


def test_columns_that_json_does_not_hold_are_named(tmp_path: Path) -> None:
    store(tmp_path / "s", blob=[b"x"] * 10)
    with pytest.raises(LossNotAcceptedError, match="blob"):
        pixstore.export(tmp_path / "s", tmp_path / "out", to="webdataset")
    pixstore.export(tmp_path / "s", tmp_path / "out", to="webdataset", accept="columns")
    assert pixstore.open(tmp_path / "out").table.column_names == ["key", "label"]


KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12).filter(str.strip)
ODD = st.sampled_from(["__a__/b", "a.b", "a.b.png", "a%2Eb", ".a", "a/.b", "/a", "../a", "a//b", "./a", "a", "a.png", "A.png", "._x", "a/"])


@given(st.lists(KEYS | ODD, unique=True, min_size=1, max_size=8))
def test_every_key_has_a_name_of_its_own_that_the_library_groups_by(keys: list[str]) -> None:
    names = _names(keys)
    assert len(set(names)) == len(keys)
    for name in names:
        assert base_plus_ext(f"{name}.mask.png") == (name, "mask.png")
        assert not name.startswith("/") and ".." not in name.split("/")


@settings(max_examples=40)
@given(st.lists(KEYS | ODD, unique=True, min_size=1, max_size=5))
def test_every_key_comes_back(tmp_path_factory: pytest.TempPathFactory, keys: list[str]) -> None:
    folder = tmp_path_factory.mktemp("keys")
    with pixstore.Writer(folder / "s", durability="process") as writer:
        for key in keys:
            writer.add(pixels(0), key=key)
    pixstore.export(folder / "s", folder / "out", to="webdataset")
    assert pixstore.open(folder / "out").keys.to_pylist() == keys


@pytest.mark.parametrize("labels", [[0, None, 1], [0, -1, 1]])
def test_names_of_labels_are_kept_where_some_samples_have_none(tmp_path: Path, labels: list[int | None]) -> None:
    schema = Schema((Field(),), pa.schema([("label", pa.int64())]), {"label": ("z", "a")})
    with pixstore.Writer(tmp_path / "s", durability="process", schema=schema) as writer:
        writer.add_batch(np.zeros((3, 4, 5, 3), np.uint8), label=pa.array(labels, pa.int64()))
    assert pixstore.export(tmp_path / "s", tmp_path / "out", to="webdataset").losses == []
    again = pixstore.open(tmp_path / "out")
    assert again.classes == ("z", "a") and again.table["label"].to_pylist() == labels
