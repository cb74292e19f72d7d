"""The layouts there are, in the order in which help lists them."""

from __future__ import annotations

from pixstore.errors import InvalidInputError
from pixstore.layout import Layout
from pixstore.layouts import (
    basicsr_lmdb,
    caffe_lmdb,
    folder,
    hdf5,
    hf_parquet,
    mds,
    npz,
    tfrecord,
    tutorial_hdf5,
    tutorial_lmdb,
    tutorial_png,
    webdataset,
)

ALL: tuple[Layout, ...] = (
    folder.LAYOUT,
    tutorial_png.LAYOUT,
    tutorial_lmdb.LAYOUT,
    tutorial_hdf5.LAYOUT,
    hdf5.LAYOUT,
    caffe_lmdb.LAYOUT,
    basicsr_lmdb.LAYOUT,
    hf_parquet.LAYOUT,
    tfrecord.LAYOUT,
    mds.LAYOUT,
    webdataset.LAYOUT,
    npz.LAYOUT,
)
LAYOUTS: dict[str, Layout] = {each.name: each for each in ALL}


def layout(name: str) -> Layout:
    """Return the layout of this name. Raises InvalidInputError naming those there are."""
    if name not in LAYOUTS:
        raise InvalidInputError(f"no layout {name!r}; layouts here: {', '.join(LAYOUTS)}")
    return LAYOUTS[name]
