"""Batches as a tf.data.Dataset with a static signature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pixstore.errors import DependencyError, InvalidInputError
from pixstore.loader.loader import Loader

try:
    import tensorflow
except ImportError as error:
    raise DependencyError(f"pixstore.tensorflow needs 'tensorflow' ({error}): pip install 'pixstore[tensorflow]'") from error


def dataset(loader: Loader, *, ahead: int = 2) -> tensorflow.data.Dataset:
    """Return a tf.data.Dataset of dicts: fields (None, H, W, C), or (None, C, H, W) after ChannelsFirst, columns (None,), text tf.string.

    Each pass is the loader's next epoch. tf.data prefetches `ahead` batches, which the loader's state counts as handed out. For Keras
    take pairs: dataset(loader).map(lambda batch: (batch["image"], batch["label"])).

    The first batch is read to learn the types of columns. Raises InvalidInputError for images of several shapes (add a Resize or a crop)
    and for columns that are neither numbers nor text throughout (choose others by ds.loader(…, columns=[…])).
    """
    if not len(loader):
        raise InvalidInputError("the loader has no batch, so the types of its columns are not known")
    first = loader.read_step(0)
    signature = {name: _spec(name, first[name], loader) for name in first}

    def batches() -> Iterator[dict[str, Any]]:
        for batch in loader:
            yield {name: batch[name] for name in signature}

    return tensorflow.data.Dataset.from_generator(batches, output_signature=signature).prefetch(ahead)


def _spec(name: str, value: Any, loader: Loader) -> tensorflow.TensorSpec:
    if isinstance(value, np.ndarray):
        return tensorflow.TensorSpec((None, *value.shape[1:]), tensorflow.as_dtype(value.dtype), name=name)
    if name in loader.field_names:
        raise InvalidInputError(f"images of field {name!r} have several shapes, which tf.data cannot batch: add a Resize or a crop")
    if all(isinstance(each, str | bytes) for each in value):
        return tensorflow.TensorSpec((None,), tensorflow.string, name=name)
    raise InvalidInputError(f"column {name!r} is neither numbers nor text throughout: leave it out by ds.loader(…, columns=[…])")
