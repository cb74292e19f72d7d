"""Raw arrays with meta_info.pkl: BGR unless told otherwise, one size or one each; contradictions are refused and nothing is unpickled."""

from __future__ import annotations

import importlib
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixstore
from pixstore.errors import CorruptStoreError, DuplicateKeyError, LabelMismatchError, PixstoreError, UnsafeInputError

sys.path.append(str(Path(__file__).parents[1]))
make = importlib.import_module("foreign_databases")


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def described(folder: Path, **changed: Any) -> Path:
    """Write two arrays, and a pickle about them that is changed in something."""
    make.arrays(folder, 2)
    meta = {"name": "cats", "resolution": ["3_12_10"], "keys": ["0000", "0001"], **changed}
    (folder / "meta_info.pkl").write_bytes(pickle.dumps({key: value for key, value in meta.items() if value is not None}))
    return folder


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_come_out_as_the_rgb_images_that_went_in(tmp_path: Path, protocol: int) -> None:
    make.arrays(tmp_path / "a", 5, protocol=protocol)
    dataset = pixstore.open(tmp_path / "a")
    assert np.array_equal(dataset.read(slice(None))["image"], make.images(5))
    assert dataset.schema.fields[0].channel_order == "bgr"


@pytest.mark.parametrize("resolution", ["3_12_10", ["3_12_10"], ["3_12_10"] * 2, ("3_12_10", "3_12_10")])
def test_one_size_for_all_or_one_each(tmp_path: Path, resolution: Any) -> None:
    assert np.array_equal(pixstore.open(described(tmp_path / "a", resolution=resolution)).read(slice(None))["image"], make.images(2))


def test_sizes_and_channels_may_differ(tmp_path: Path) -> None:
    colour, grey = make.images(1, height=4, width=5)[0], make.images(1, height=7, width=3, channels=1)[0]
    make.write(tmp_path / "a", {b"c": colour[..., ::-1].tobytes(), b"g": grey.tobytes()})
    meta = {"keys": [b"g", b"c"], "resolution": ["1_7_3", "3_4_5"]}
    (tmp_path / "a" / "meta_info.pkl").write_bytes(pickle.dumps(meta))
    dataset = pixstore.open(tmp_path / "a")
    assert dataset.table["key"].to_pylist() == ["g", "c"]
    assert np.array_equal(dataset["c"].image, colour) and np.array_equal(dataset["g"].image, grey)


def test_wrongly_described_channels_are_swapped_by_the_user_alone(tmp_path: Path) -> None:
    make.arrays(tmp_path / "a", 3)
    assert np.array_equal(pixstore.open(tmp_path / "a", channel_order="rgb").read(slice(None))["image"], make.images(3)[..., ::-1])


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"resolution": ["3_12_11"]}, CorruptStoreError, r"another size than 2 of 2.*'0000' has 360 bytes, 12 × 11 × 3 needs 396"),
        ({"resolution": ["3_12_10", "1_12_10"]}, CorruptStoreError, r"1 of 2.*'0001' has 360 bytes, 12 × 10 × 1 needs 120"),
        ({"resolution": ["3_12_10"] * 3}, LabelMismatchError, "2 keys and 3 resolutions"),
        ({"resolution": ["3_12"]}, CorruptStoreError, "'3_12' is not channels_height_width"),
        ({"resolution": ["0_12_10"]}, CorruptStoreError, "'0_12_10'"),
        ({"resolution": ["3_999999999_999999999"]}, CorruptStoreError, "needs 2999999994000000003"),
        ({"keys": ["0000"]}, LabelMismatchError, r"1 keys, data.mdb has 2.*not in the list: 1 \('0001'\)"),
        ({"keys": ["0000", "0001", "0002"]}, LabelMismatchError, r"not in the database: 1 \('0002'\)"),
        ({"keys": ["0000", "0000"]}, DuplicateKeyError, "'0000'"),
        ({"keys": None}, CorruptStoreError, "a dict with name, resolution"),
        ({"keys": [1, 2]}, CorruptStoreError, "keys should be a list of text"),
        ({"keys": Runs()}, UnsafeInputError, r"posix\.system"),
    ],
)
def test_wrongly_described_arrays_are_refused(tmp_path: Path, changed: Any, error: type[PixstoreError], words: str) -> None:
    with pytest.raises(error, match=f"meta_info.pkl.*{words}"):
        pixstore.open(described(tmp_path / "a", **changed))
    assert not Path("pwned").exists()
