"""Keras: a PyDataset whose items are the loader's steps, in the order and with the draws of each epoch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import pixstore
from pixstore import errors
from pixstore.dataset import Dataset
from pixstore.keras import Batches
from pixstore.loader.transforms import RandomCrop, ToFloat
from pixstore.writer import Writer

COUNT = 50


@pytest.fixture(scope="module")
def ds(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("keras") / "s"
    bright = np.arange(COUNT) % 2
    images = np.random.default_rng(0).integers(0, 100, (COUNT, 8, 8, 3)) + 100 * bright[:, None, None, None]
    with Writer(path, codec="png", durability="process") as writer:
        writer.add_batch(images.astype(np.uint8), label=bright, row=np.arange(COUNT))
    return pixstore.open(path)


def test_items_are_the_steps_of_the_loader_in_any_order(ds: Dataset) -> None:
    loader = ds.loader(8, shuffle=True, transforms=[RandomCrop(8, padding=2)])
    batches = Batches(loader, targets="row")
    for epoch in range(2):
        same = ds.loader(8, shuffle=True, transforms=loader.options.transforms)
        same.set_epoch(epoch)
        expected = [(batch["image"].copy(), batch["row"]) for batch in same]
        assert len(batches) == len(expected) == 7
        for step in (6, 0, 3, 5, 1, 2, 4):
            image, row = batches[step]
            assert np.array_equal(image, expected[step][0]) and np.array_equal(row, expected[step][1])
        batches.on_epoch_end()
    assert loader.epoch == 0


def test_inputs_and_targets_are_chosen_by_name(ds: Dataset) -> None:
    inputs, targets = Batches(ds.loader(8), inputs=("image", "row"), targets=("label",))[0]
    assert set(inputs) == {"image", "row"} and set(targets) == {"label"} and len(Batches(ds.loader(8), targets=None)[0]) == 1
    with pytest.raises(errors.SchemaError, match="'mask'"):
        Batches(ds.loader(8), targets="mask")[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_fit_learns_from_the_batches_and_advances_epochs(ds: Dataset, workers: int) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"])
    train = Batches(ds.loader(10, shuffle=True, transforms=[ToFloat()]), workers=workers)
    history = model.fit(train, epochs=30, verbose=0)
    assert history.history["accuracy"][-1] == 1.0 and train.epoch >= 30
    whole = Batches(ds.loader(16, transforms=[ToFloat()]), targets=None)
    predicted = model.predict(whole, verbose=0)
    assert np.array_equal(predicted[:, 0] > 0.5, np.arange(COUNT) % 2 == 1)


class Noting(Batches):
    """Notes what Keras reads: (epoch, step)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.read: list[tuple[int, int]] = []

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        self.read.append((self.epoch, index))
        return super().__getitem__(index)


def test_a_callback_makes_the_epochs_of_fit_those_of_the_loader(ds: Dataset) -> None:
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    batches = Noting(ds.loader(10, shuffle=True, transforms=[ToFloat()]))
    exact = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.set_epoch(epoch))
    model.fit(batches, epochs=5, initial_epoch=2, callbacks=[exact], verbose=0)
    built = len(batches.read) - 3 * 5
    assert sorted(batches.read[built:]) == [(epoch, step) for epoch in (2, 3, 4) for step in range(5)]
