"""TensorFlow: a tf.data.Dataset of the loader's batches whose signature is known before the first of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import pixstore
from pixstore import errors
from pixstore.dataset import Dataset
from pixstore.loader.transforms import ChannelsFirst, Resize, ToFloat
from pixstore.tensorflow import dataset
from pixstore.writer import Writer

COUNT = 50
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 6, 5, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def ds(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("tensorflow") / "s"
    with Writer(path, codec="png", durability="process") as writer:
        writer.add_batch(IMAGES, label=np.arange(COUNT), share=np.arange(COUNT) / 2, note=[None, *["n"] * (COUNT - 1)])
    return pixstore.open(path)


def test_batches_are_those_of_the_loader_epoch_after_epoch(ds: Dataset) -> None:
    made = dataset(ds.loader(8, shuffle=True, columns=["label", "share"]))
    loader = ds.loader(8, shuffle=True)
    for _ in range(2):
        for expected, batch in zip(loader, made, strict=True):
            assert np.array_equal(batch["image"], expected["image"]) and np.array_equal(batch["label"], expected["label"])
            assert [key.decode() for key in batch["key"].numpy()] == expected["key"]


def test_signature_is_static(ds: Dataset) -> None:
    spec = dataset(ds.loader(8, columns=["label", "share"])).element_spec
    assert spec["image"].shape.as_list() == [None, 6, 5, 3] and spec["image"].dtype == tf.uint8
    assert spec["label"].shape.as_list() == [None] and spec["label"].dtype == tf.int64 and spec["share"].dtype == tf.float64
    assert spec["key"].dtype == tf.string and set(spec) == {"image", "label", "share", "key"}
    spec = dataset(ds.loader(8, columns=[], transforms=[Resize((4, 7)), ToFloat(), ChannelsFirst()])).element_spec
    assert spec["image"].shape.as_list() == [None, 3, 4, 7] and spec["image"].dtype == tf.float32


def test_pairs_for_keras_come_by_map(ds: Dataset) -> None:
    pairs = dataset(ds.loader(8, columns=["label"])).map(lambda batch: (batch["image"], batch["label"]))
    image, label = next(iter(pairs))
    assert np.array_equal(image, IMAGES[:8]) and label.numpy().tolist() == list(range(8))


def test_what_has_no_static_type_is_refused(ds: Dataset, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidInputError, match=r"column 'note' is neither numbers nor text throughout.*columns="):
        dataset(ds.loader(8))
    with Writer(tmp_path / "s", codec="png", durability="process") as writer:
        writer.add(np.zeros((2, 3, 3), np.uint8))
        writer.add(np.ones((4, 5, 3), np.uint8))
    several = pixstore.open(tmp_path / "s")
    with pytest.raises(errors.InvalidInputError, match=r"'image' have several shapes.*add a Resize"):
        dataset(several.loader(2))
    assert dataset(several.loader(2, transforms=[Resize((3, 3))])).element_spec["image"].shape.as_list() == [None, 3, 3, 3]
    with pytest.raises(errors.InvalidInputError, match="no batch"):
        dataset(ds.select([]).loader(2))
