"""Images in memory taken through steps, by the reference that the core is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from pixstore import reference
from pixstore.loader.draws import Draws
from pixstore.loader.recipe import FieldResult, Recipe
from pixstore.loader.stored import FormatTable
from pixstore.schema import Format

Images: TypeAlias = Mapping[str, Sequence[NDArray[Any]]]
Run: TypeAlias = Callable[..., dict[str, list[NDArray[Any]]]]


def results_of(recipe: Recipe, images: Images, orientation: Mapping[str, Any], seed: int) -> dict[str, FieldResult]:
    """Return what the recipe makes of raw images whose row numbers are 0, 1, …"""
    stored = {}
    for name, arrays in images.items():
        formats = [Format("raw", each.shape, each.dtype.name) for each in arrays]
        stored[name] = FormatTable(formats).stored(np.arange(len(arrays), dtype=np.int32), orientation.get(name))
    count = len(next(iter(images.values())))
    return recipe.programs(stored, Draws(seed, 0, np.arange(count)), "row {}".format)


def through(result: FieldResult, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return what the steps make of raw images, in the shapes and dtypes that the result promises."""
    done = [np.empty(result.shape_of(row), result.dtype_of(row)) for row in range(len(arrays))]
    buffers: list[Any] = [np.ascontiguousarray(each).view(np.uint8).reshape(-1) for each in arrays]
    shapes = np.array([(*each.shape, 1)[:3] for each in arrays], np.int32)
    sample_bytes = np.array([each.itemsize for each in arrays], np.uint8)
    assert reference.load(buffers, np.zeros(1, np.uint8), shapes, sample_bytes, result.steps, list(done)) == []
    return done


@pytest.fixture(name="through", scope="session")
def through_fixture() -> Callable[[FieldResult, Sequence[NDArray[Any]]], list[NDArray[Any]]]:
    """Return through(result, images): what the steps make of each raw image."""
    return through


@pytest.fixture(scope="session")
def run() -> Run:
    """Return run(recipe, images, orientation={}, seed=0): each field's images after the transforms."""

    def run_all(
        recipe: Recipe, images: Images, *, orientation: Mapping[str, Any] | None = None, seed: int = 0
    ) -> dict[str, list[NDArray[Any]]]:
        results = results_of(recipe, images, orientation or {}, seed)
        return {name: through(results[name], images[name]) for name in images}

    return run_all
