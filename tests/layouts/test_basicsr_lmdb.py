"""Exported as BasicSR's LMDB: its way of reading, py-lmdb by the lines of meta_info.txt, finds the same images, and so do we."""

from __future__ import annotations

import importlib
import io
import re
import sys
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.errors import InvalidInputError, LossNotAcceptedError
from pixstore.source import SourceOptions
from pixstore.sources import lmdb_basicsr

sys.path.append(str(Path(__file__).parents[1]))
make = importlib.import_module("foreign_databases")


def read(path: Path) -> dict[str, Any]:
    """Read as BasicSR does: the key is what stands before the first dot of a line; sizes are those of the line."""
    found = {}
    with lmdb.open(str(path), readonly=True, lock=False, readahead=False) as environment, environment.begin() as transaction:
        for line in (path / "meta_info.txt").read_text().splitlines():
            key = line.split(".")[0]
            image = np.asarray(Image.open(io.BytesIO(transaction.get(key.encode("ascii")))))
            size = tuple(int(each) for each in re.findall(r"\d+", line.split("(")[1].split(")")[0]))
            assert size == (*image.shape[:2], image.shape[2] if image.ndim == 3 else 1)
            found[key] = image
    return found


def store(path: Path, images: dict[str, Any], codec: str = "raw", **columns: Any) -> Path:
    with pixstore.Writer(path, codec=codec, durability="process") as writer:
        for key, image in images.items():
            writer.add(image, key=key, **columns)
    return path


def test_arrays_become_png_in_the_order_of_the_rows(tmp_path: Path) -> None:
    images = {"b": make.images(1)[0], "a": make.images(2)[1][..., 0], "deep": make.images(1)[0].astype(np.uint16) * 7}
    for name, image in images.items():
        report = pixstore.export(store(tmp_path / f"s{name}", {name: image}), tmp_path / name, to="basicsr-lmdb", check=True)
        assert report.losses == []
    both = store(tmp_path / "s", {name: np.atleast_3d(images[name])[..., :1] for name in ("b", "a")})
    pixstore.export(both, tmp_path / "out", to="basicsr-lmdb")
    assert list(read(tmp_path / "out")) == ["b", "a"]
    assert np.array_equal(read(tmp_path / "b")["b"], images["b"])
    assert np.array_equal(pixstore.open(tmp_path / "deep")[0].image, images["deep"])
    assert lmdb_basicsr.SOURCE.open(tmp_path / "out", SourceOptions()).report.notes == []


def test_files_stay_what_they_are(tmp_path: Path) -> None:
    files = {"a": make.encoded(make.images(1)[0]), "b": make.encoded(make.images(2)[0], "jpeg")}
    pixstore.export(store(tmp_path / "s", files, codec="keep"), tmp_path / "out", to="basicsr-lmdb")
    ours = pixstore.open(tmp_path / "out")
    assert [bytes(each) for each in ours.encoded_many(slice(None))] == list(files.values())
    assert (tmp_path / "out" / "meta_info.txt").read_text() == "a.png (12,10,3) 1\nb.jpg (12,10,3) 1\n"


def test_suffixes_dots_and_labels_are_named_as_losses(tmp_path: Path) -> None:
    store(tmp_path / "s", {"x/cat.1.png": make.images(1)[0]}, label=3)
    with pytest.raises(LossNotAcceptedError, match=r"'x/cat.1.png' becomes 'x/cat_1'[\s\S]*label"):
        pixstore.export(tmp_path / "s", tmp_path / "out", to="basicsr-lmdb")
    pixstore.export(tmp_path / "s", tmp_path / "out", to="basicsr-lmdb", accept=("keys", "columns"))
    assert list(read(tmp_path / "out")) == ["x/cat_1"]


def test_keys_that_become_the_same_are_refused(tmp_path: Path) -> None:
    store(tmp_path / "s", {"cat.png": make.images(1)[0], "cat.jpg": make.images(1)[0]})
    with pytest.raises(InvalidInputError, match=r"'cat.png' and 'cat.jpg' would both be 'cat'"):
        pixstore.export(tmp_path / "s", tmp_path / "out", to="basicsr-lmdb", accept=("keys",))


@pytest.mark.parametrize(("name", "sizes"), [("lq", ("120,123,3", "90,60,3")), ("gt", ("480,492,3", "360,240,3"))])
def test_real_databases_come_back_with_their_sizes_put_right(shared_data: Path, tmp_path: Path, name: str, sizes: tuple[str, str]) -> None:
    source = shared_data / "lmdb-foreign" / "basicsr-realesrgan" / "tests" / "data" / f"{name}.lmdb"
    dataset = pixstore.open(source)
    for row, batch in enumerate(dataset.loader(1)):
        assert np.array_equal(batch["image"][0], dataset[row].image)
    pixstore.convert(source, tmp_path / "store")
    pixstore.export(tmp_path / "store", tmp_path / "out", to="basicsr-lmdb")
    assert (tmp_path / "out" / "meta_info.txt").read_text() == f"baboon.png ({sizes[0]}) 1\ncomic.png ({sizes[1]}) 1\n"
    assert [bytes(each) for each in pixstore.open(tmp_path / "out").encoded_many([0, 1])] == [
        bytes(each) for each in pixstore.open(source).encoded_many([0, 1])
    ]
