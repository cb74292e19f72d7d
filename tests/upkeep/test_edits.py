"""One sample in, samples out: byte for byte, refused by name, nothing half done."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore import errors
from pixstore.manifest import load
from pixstore.registry import ENGINES
from pixstore.upkeep.edits import put, take_out

from .conftest import content, pixels, tree


def encoded(kind: str, seed: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels(1, 6, 7, 3, seed=seed)[0]).save(file, kind)
    return file.getvalue()


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a store that turns what it is given into PNG, with two samples, one of them with a mask."""
    with pixstore.Writer(tmp_path / "s", engine=request.param, codec={"image": "png", "mask": "raw"}, durability="process") as writer:
        writer.add(pixels(1, 6, 7, 3)[0], key="a", mask=pixels(1, 6, 7)[0], label=1, note="first")
        writer.add(pixels(1, 6, 7, 3, seed=1)[0], key="b", label=2, note="second")
    return tmp_path / "s"


def test_image_is_kept_byte_for_byte_whatever_the_store_makes_of_others(store: Path) -> None:
    image = encoded("JPEG")
    report = put(store, "c", {"image": image, "mask": encoded("PNG")}, {"label": 3}, replacing=False)
    ds = pixstore.open(store)
    assert (report.version, report.replaced, report.bytes) == (2, False, len(image) + len(encoded("PNG")))
    assert ds.encoded("c") == image and ds.encoded("c", field="mask") == encoded("PNG")
    assert ds["c"]["label"] == 3 and ds["c"]["note"] is None
    assert [each.codec for each in load(store).schema.fields] == ["png", "raw"] and load(store).durability == "process"


def test_replacing_keeps_what_is_not_given(store: Path) -> None:
    before = pixstore.open(store)["a"]
    assert put(store, "a", {"image": encoded("JPEG", 5)}, {"note": "other"}, replacing=True).replaced
    after = pixstore.open(store)["a"]
    assert pixstore.open(store).encoded("a") == encoded("JPEG", 5) and np.array_equal(after["mask"], before["mask"])
    assert (after["label"], after["note"]) == (1, "other") and len(pixstore.open(store)) == 2
    assert put(store, "b", {"image": encoded("PNG")}, {}, replacing=True).replaced and pixstore.open(store)["b"]["mask"] is None
    assert not put(store, "new", {"image": encoded("PNG")}, {}, replacing=True).replaced


def test_refusals_leave_the_store_as_it_was(store: Path) -> None:
    before = tree(store)
    image = {"image": encoded("PNG")}
    with pytest.raises(errors.DestinationExistsError, match="sample 'a' already; say that it is to be replaced"):
        put(store, "a", image, {}, replacing=False)
    with pytest.raises(errors.SchemaError, match=r"no field 'depth'.*fields here: image, mask"):
        put(store, "c", {**image, "depth": b""}, {}, replacing=False)
    with pytest.raises(errors.SchemaError, match="unknown column 'breed'"):
        put(store, "c", image, {"breed": 1}, replacing=False)
    with pytest.raises(errors.SchemaError, match="label"):
        put(store, "c", image, {"label": "cat"}, replacing=False)
    with pytest.raises(errors.RecordError):
        put(store, "c", {"image": b"no image at all"}, {}, replacing=False)
    (store.parent / "notes.txt").write_text("words")
    for name, error, words in (("notes.txt", errors.RecordError, "not an image"), ("none.png", errors.PathNotFoundError, "does not exist")):
        with pytest.raises(error, match=rf"{store.parent / name}: {words}"):
            put(store, "c", {"image": store.parent / name}, {}, replacing=False)
    with pytest.raises(errors.KeyInvalidError):
        put(store, "", image, {}, replacing=False)
    assert tree(store) == before


def test_what_is_taken_out_is_gone_and_former_versions_have_it(store: Path) -> None:
    before = content(store)
    assert take_out(store, ["a", "a"]) == 2
    assert pixstore.open(store).keys.to_pylist() == ["b"] and content(store, 1) == before


def test_missing_key_takes_nothing_out_and_names_the_nearest(store: Path) -> None:
    before = tree(store)
    with pytest.raises(errors.KeyNotFoundError, match="no sample with key 'B'; did you mean 'b'"):
        take_out(store, ["a", "B"])
    assert tree(store) == before


def test_where_no_store_is_none_is_made(tmp_path: Path) -> None:
    for call in (lambda: put(tmp_path / "typo", "a", {"image": b""}, {}, replacing=False), lambda: take_out(tmp_path / "typo", ["a"])):
        with pytest.raises(errors.PathNotFoundError, match="nothing was created"):
            call()
    assert list(tmp_path.iterdir()) == []
