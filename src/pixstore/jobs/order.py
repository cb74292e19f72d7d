"""In which order samples are converted: "source", "key", a column's name, or "shuffle:SEED"."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixstore.dataset import Dataset
from pixstore.errors import InvalidInputError
from pixstore.loader.order import FullShuffle
from pixstore.rows import Indices
from pixstore.schema import KEY

SHUFFLE = "shuffle:"


def ordered_rows(dataset: Dataset, order: str) -> Indices:
    """Return every row of the dataset once, in this order; rows with equal values stay in the source's order, nulls come last.

    A shuffle depends on the seed and the number of rows alone. Raises InvalidInputError for an order that there is not.
    """
    count = len(dataset)
    if order == "source":
        return np.arange(count)
    if order.startswith(SHUFFLE):
        return FullShuffle(count, _seed(order), 0).rows(np.arange(count))
    column = KEY if order == "key" else order
    if column != KEY and column not in dataset.schema.columns.names:
        names = "".join(f", {name!r}" for name in dataset.schema.columns.names)
        raise InvalidInputError(f"order {order!r} is none of 'source', 'key', 'shuffle:SEED'{names}")
    try:
        rows: Indices = pc.sort_indices(dataset.table.select([column]), [(column, "ascending")]).to_numpy().astype(np.int64)
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        kind = dataset.schema.columns.field(column).type
        raise InvalidInputError(f"order {order!r}: values of type {kind} have no order; choose another column") from error
    return rows


def _seed(order: str) -> int:
    text = order.removeprefix(SHUFFLE)
    if not text.isdecimal():
        raise InvalidInputError(f"order {order!r}: {text!r} is no seed; give a whole number, as in 'shuffle:0'")
    return int(text)
