"""Images anywhere in HDF5 files come out as h5py reads them, with their labels, and nothing ambiguous or wrongly described is taken."""

from __future__ import annotations

import importlib
import io
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import pixstore
from pixstore.errors import (
    CorruptRecordError,
    DuplicateKeyError,
    InvalidInputError,
    LabelMismatchError,
    NotAStoreError,
    PixstoreError,
    UnsafeInputError,
    UnsupportedImageError,
)
from pixstore.source import SourceOptions
from pixstore.sources import hdf5_images
from pixstore.sources.hdf5 import file as hdf5_file
from pixstore.sources.hdf5.nodes import Node
from pixstore.sources.hdf5_images import SOURCE

sys.path.append(str(Path(__file__).parent))
facts_of = importlib.import_module("hdf5_facts").facts_of

STORAGE: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "rows": {"chunks": (2, 5, 6, 3)},
    "packed": {"chunks": (2, 3, 4, 3), "compression": "gzip", "shuffle": True, "fletcher32": True},
    "lzf": {"chunks": (3, 5, 6, 1), "compression": "lzf", "shuffle": True},
}
DTYPES = ("u1", "u2", ">u2", "i4", "f2", "f4", ">f8", "?")


def photos(count: int = 7) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (count, 5, 6, 3), np.uint8)


def png(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    made = io.BytesIO()
    Image.fromarray(image).save(made, "PNG")
    return np.frombuffer(made.getvalue(), np.uint8)


def written(path: Path, fill: Callable[[h5py.File], object]) -> Path:
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def refused(path: Path, error: type[PixstoreError], *words: str) -> None:
    with pytest.raises(error) as caught:
        pixstore.open(path)
    assert all(word in str(caught.value) for word in (str(path), *words)), caught.value


def test_numbers_of_any_kind_are_read_however_they_are_stored(tmp_path: Path) -> None:
    made = {f"{kind}/{dtype}": (np.random.default_rng(1).random((7, 5, 6, 3)) * 300).astype(dtype) for kind in STORAGE for dtype in DTYPES}

    def fill(file: h5py.File) -> None:
        for name, images in made.items():
            file.create_dataset(f"deep/{name}", data=images, **STORAGE[name.partition("/")[0]])

    path = written(tmp_path / "a.h5", fill)
    rows = np.array([6, 0, 3, 3], np.int64)
    for name, images in made.items():
        dataset = pixstore.open(f"{path}::/deep/{name}")
        found = dataset[rows]["image"]
        assert found.dtype == images.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found, images[rows])
        in_place = name.startswith(("contiguous", "rows")) and ">" not in name
        source = SOURCE.open(path, SourceOptions(inner=f"deep/{name}"))
        assert (source.locate("image", rows) is not None) == in_place


def test_planes_and_bgr_become_rgb_and_grey_has_one_channel(tmp_path: Path) -> None:
    images = photos()

    def fill(file: h5py.File) -> None:
        file["planes"] = images.transpose(0, 3, 1, 2)
        file["bgr"] = images[..., ::-1]
        file.create_dataset("planes-bgr", data=images[..., ::-1].transpose(0, 3, 1, 2).astype("u2"), compression="gzip")
        file["grey"] = images[..., 0]
        file["grey-plane"] = images[:, None, ..., 0]

    path = written(tmp_path / "a.h5", fill)
    np.testing.assert_array_equal(pixstore.open(f"{path}::planes")[:]["image"], images)
    for name in ("bgr", "planes-bgr"):
        dataset = pixstore.open(f"{path}::/{name}", channel_order="bgr")
        assert dataset.schema.fields[0].channel_order == "bgr"
        np.testing.assert_array_equal(dataset[:]["image"], images)
    for name in ("grey", "grey-plane"):
        np.testing.assert_array_equal(pixstore.open(f"{path}::/{name}")[:]["image"], images[..., :1])
        with pytest.raises(InvalidInputError, match="grey images, which have no order of colours"):
            pixstore.open(f"{path}::/{name}", channel_order="bgr")


def test_one_set_of_images_is_taken_and_several_are_listed(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", lambda file: file.create_dataset("a/b/c", data=photos()))
    assert len(pixstore.open(path)) == 7 == len(pixstore.open(f"{path}::/a"))

    def fill(file: h5py.File) -> None:
        file["train_set_x"], file["test_set_x"] = photos(), photos(3).astype("f4")
        file["train_set_y"], file["test_set_y"] = np.arange(7) % 2, np.arange(3)

    written(path, fill)
    words = f"'{path}::/test_set_x' (3x5x6x3 float32), '{path}::/train_set_x' (7x5x6x3 uint8)"
    refused(path, InvalidInputError, "holds 2 sets of images; name one of them", words)
    assert pixstore.open(f"{path}::/test_set_x").table["label"].to_pylist() == [0, 1, 2]
    assert pixstore.open(f"{path}::train_set_x").table["label"].to_pylist() == [0, 1, 0, 1, 0, 1, 0]
    with pytest.raises(NotAStoreError, match="has no 'valid'; it has test_set_x"):
        pixstore.open(f"{path}::/valid")
    with pytest.raises(UnsupportedImageError, match="'test_set_y' is 3 int64"):
        pixstore.open(f"{path}::/test_set_y")


def test_masks_beside_images_are_a_field(tmp_path: Path) -> None:
    masks = photos()[..., 0] > 100

    def fill(file: h5py.File) -> None:
        file["images"], file["labels"] = photos()[..., ::-1], np.arange(7)
        file.create_dataset("masks", data=masks, compression="gzip")

    dataset = pixstore.open(written(tmp_path / "a.h5", fill), channel_order="bgr")
    found = dataset[[5, 1]]
    np.testing.assert_array_equal(found["image"], photos()[[5, 1]])
    np.testing.assert_array_equal(found["masks"][..., 0], masks[[5, 1]])
    assert found["label"].tolist() == [5, 1] and dataset.table.column_names == ["key", "label"]
    batch = next(iter(dataset.loader(7)))
    np.testing.assert_array_equal(batch["masks"][..., 0], masks)


@pytest.mark.parametrize("storage", [{}, {"compression": "gzip"}])
def test_a_dataset_per_image_is_read_in_the_order_of_numbers_with_attributes_as_columns(tmp_path: Path, storage: dict[str, Any]) -> None:
    images = [photos()[number % 7, : 2 + number % 3] for number in range(12)]

    def fill(file: h5py.File) -> None:
        for number, image in enumerate(images):
            made = file.create_dataset(f"set/img_{number}", data=image, **storage)
            made.attrs["label"], made.attrs["camera"] = number, "left"

    dataset = pixstore.open(written(tmp_path / "a.h5", fill))
    assert dataset.table["key"].to_pylist() == [f"img_{number}" for number in range(12)]
    assert dataset.table["label"].to_pylist() == list(range(12))
    assert set(dataset.table["camera"].to_pylist()) == {"left"}
    assert [np.array_equal(found, image) for found, image in zip(dataset[:]["image"], images, strict=True)] == [True] * 12


def test_datasets_at_the_top_are_a_group_too_and_labels_among_them_are_labels(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        for number, image in enumerate(photos()):
            file[str(number)] = png(image)
        file["labels"] = np.arange(7, dtype=np.uint8)

    dataset = pixstore.open(written(tmp_path / "a.h5", fill))
    np.testing.assert_array_equal(dataset[:]["image"], photos())
    assert dataset.table["label"].to_pylist() == list(range(7))


def test_three_axes_that_end_in_colours_are_one_image_and_that_is_said(tmp_path: Path) -> None:
    dataset = pixstore.open(written(tmp_path / "a.h5", lambda file: file.create_dataset("x", data=photos()[0])))
    np.testing.assert_array_equal(dataset[0]["image"], photos()[0])
    assert dataset.report.notes == ["took 'x' (5x6x3 uint8) for one image of height x width x channels"]


def test_encoded_images_are_read_in_groups_and_in_rows(tmp_path: Path) -> None:
    images = photos()

    def fill(file: h5py.File) -> None:
        rows = file.create_dataset("rows/jpgs", (7,), h5py.vlen_dtype(np.uint8))
        packed = file.create_dataset("packed/jpgs", (7,), h5py.vlen_dtype(np.uint8), chunks=(2,), compression="gzip", shuffle=True)
        for number, image in enumerate(images):
            file[f"group/{number}"] = png(image)
            file.create_dataset(f"small/{number}", data=png(image), chunks=True, compression="gzip")
            rows[number] = packed[number] = png(image)
        file["rows/labels"] = np.arange(7)

    path = written(tmp_path / "a.h5", fill)
    for name in ("rows", "packed", "group", "small"):
        dataset = pixstore.open(f"{path}::/{name}")
        np.testing.assert_array_equal(dataset[:]["image"], images)
        assert dataset.encoded(3) == png(images[3]).tobytes()
        with pytest.raises(InvalidInputError, match="know their own order of colours"):
            pixstore.open(f"{path}::/{name}", channel_order="bgr")
    assert pixstore.open(f"{path}::/rows").table["label"].to_pylist() == list(range(7))


def test_a_damaged_chunk_is_named_and_the_other_images_are_read(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("x", data=images, chunks=(2, 32, 32, 3), compression="gzip", fletcher32=True)
        damaged = made.id.get_chunk_info(1).byte_offset + 100
    content = bytearray(path.read_bytes())
    content[damaged] ^= 0xFF
    path.write_bytes(content)
    dataset = pixstore.open(path)
    np.testing.assert_array_equal(dataset[[0, 1, 4, 5]]["image"], images[[0, 1, 4, 5]])
    with pytest.raises(CorruptRecordError, match="checksum differs") as caught:
        dataset[:]
    assert [bad.row for bad in caught.value.bad_rows] == [2, 3]


def test_links_virtual_and_outside_data_are_not_followed(tmp_path: Path) -> None:
    for number, link in enumerate((h5py.ExternalLink("/etc/passwd", "/x"), h5py.SoftLink("/nowhere"))):
        path = written(tmp_path / f"{number}.h5", lambda file, link=link: file.__setitem__("images", link))  # type: ignore[misc]
        refused(path, UnsafeInputError, link.path if isinstance(link, h5py.SoftLink) else "/etc/passwd")
    stored = {"external": [("/etc/passwd", 0, 90)]}
    path = written(tmp_path / "stored.h5", lambda file: file.create_dataset("x", (1, 5, 6, 3), "u1", **stored))
    refused(path, UnsafeInputError, "lies in other files")

    def fill(file: h5py.File) -> None:
        file["x"], file["elsewhere"] = photos(), h5py.ExternalLink("/etc/passwd", "/x")

    dataset = pixstore.open(written(tmp_path / "both.h5", fill))
    assert [(each.path, each.reason) for each in dataset.report.skipped] == [("/elsewhere", "external link to '/etc/passwd', not followed")]


def test_a_shard_of_a_store_is_not_taken_for_one_image(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "store", engine="hdf5", codec="png", durability="process") as writer:
        for number, image in enumerate(photos()):
            writer.add(image[: 2 + number % 3])
    (shard,) = (tmp_path / "store" / "shards").glob("*.h5")
    refused(shard, NotAStoreError, "is one file of a pixstore store; open the folder of the store")


def test_what_is_no_image_is_named_with_what_is_there(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", lambda file: file.create_dataset("weights", data=np.zeros((3, 48), "f4")))
    refused(path, UnsupportedImageError, "without images: it holds 'weights' 3x48 float32", "N x height x width")
    refused(written(tmp_path / "b.h5", lambda file: file.create_group("a")), NotAStoreError, "it holds no dataset")
    packed = written(tmp_path / "c.h5", lambda file: file.create_dataset("x", data=photos().astype("i4"), scaleoffset=0))
    refused(packed, UnsupportedImageError, "'x' is packed with scaleoffset", "h5repack -f GZIP")


@pytest.mark.parametrize(
    ("images", "labels"), [("train_set_x", "train_set_y"), ("x_test", "y_test"), ("images", "labels"), ("x", "target")]
)
@pytest.mark.parametrize("more", [-1, 1])
def test_wrongly_described_one_label_more_or_less_than_images_is_refused(tmp_path: Path, images: str, labels: str, more: int) -> None:
    def fill(file: h5py.File) -> None:
        file[images], file[labels] = photos(), np.arange(7 + more)

    path = written(tmp_path / "a.h5", fill)
    refused(path, LabelMismatchError, f"7 images in '{images}' and {7 + more} labels in '{labels}'")
    with pytest.raises(LabelMismatchError):
        pixstore.convert(path, tmp_path / "out.pixstore")
    assert not (tmp_path / "out.pixstore").exists()


def test_wrongly_described_integers_of_no_name_that_are_one_too_few_are_refused(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["photos"], file["kind"] = photos(), np.arange(6)

    refused(written(tmp_path / "a.h5", fill), LabelMismatchError, "7 images in 'photos' and 6 labels in 'kind'")


def test_wrongly_described_labels_around_a_set_that_are_those_of_another_are_not_taken(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["images"], file["labels"], file["deep/a/images"] = photos(), np.arange(7), photos()[::-1]
        file["few/images"] = photos(3)

    path = written(tmp_path / "a.h5", fill)
    assert pixstore.open(f"{path}::/images").table["label"].to_pylist() == list(range(7))
    deep = pixstore.open(f"{path}::/deep/a/images")
    assert deep.table.column_names == ["key"] and "other images are as many" in deep.report.notes[0]
    assert pixstore.open(f"{path}::/few/images").table.column_names == ["key"]


def test_labels_around_the_only_set_of_their_number_are_taken(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["deep/a/images"], file["labels"], file["few/images"] = photos(), np.arange(7), photos(3)
        file["class_names"] = [str(number) for number in range(7)]

    dataset = pixstore.open(f"{written(tmp_path / 'a.h5', fill)}::/deep/a")
    assert dataset.table["label"].to_pylist() == list(range(7)) and len(dataset.schema.classes["label"]) == 7


def test_wrongly_described_duplicate_keys_are_refused(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["photos"], file["key"] = photos(), np.array([b"a", b"b", b"c", b"d", b"e", b"f", b"b"])

    refused(written(tmp_path / "a.h5", fill), DuplicateKeyError, "'key' holds 'b' twice")


def test_wrongly_described_class_names_that_do_not_fit_are_left_out_and_said(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["x"], file["y"], file["classes"] = photos(), np.arange(7), np.array([b"cat", b"dog"])

    dataset = pixstore.open(written(tmp_path / "a.h5", fill))
    assert dataset.classes == ()
    assert dataset.report.notes == ["'classes' does not name the classes: 2 names for labels of 0 to 6; the names were left out"]


def test_wrongly_described_channel_order_is_recorded_and_turned_once(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", lambda file: file.create_dataset("x", data=photos()[..., ::-1]))
    pixstore.convert(path, tmp_path / "out.pixstore", channel_order="bgr")
    store = pixstore.open(tmp_path / "out.pixstore")
    assert store.schema.fields[0].channel_order == "rgb"
    np.testing.assert_array_equal(store[:]["image"], photos())


def test_a_missing_part_of_the_data_is_not_read_as_zeros(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file.create_dataset("x", (7, 5, 6, 3), "u1", chunks=(1, 5, 6, 3))[:3] = photos(3)

    refused(written(tmp_path / "a.h5", fill), PixstoreError, "'x' has 3 of 7 chunks")


CHANGES: list[tuple[str, Any]] = [
    ("shape", (1 << 40, 5, 6, 3)), ("shape", (7, 5, 6, 1 << 20)), ("shape", (8, 5, 6, 3)), ("shape", (7,)), ("shape", None), ("shape", ()),
    ("offset", 1 << 60), ("offset", 5), ("offset", None), ("table", 0), ("values", 0), ("inline", 1), ("chunks", (1, 5, 6, 3)),
    ("chunks", (7, 0, 6, 3)), ("chunk_count", 1 << 40), ("stored", 1 << 50), ("number", "T"), ("number", "B"), ("itemsize", 16),
    ("filters", ((1, ()),)), ("filters", ((2, (9,)), (3, ()))), ("attributes", {"classes": ["a", 1], "label": [[]]}), ("kind", "group"),
    ("name", "a/b/c"), ("unread", ("x",)),
]  # fmt: skip


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(CHANGES)), min_size=1, max_size=4))
def test_facts_that_lie_lead_to_other_bytes_of_the_file_or_to_our_errors(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, tuple[str, Any]]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "facts.h5"
    if not path.exists():
        with h5py.File(path, "w") as file:
            file["train_set_x"], file["train_set_y"], file["list_classes"] = photos(), np.arange(7) % 2, [b"a", b"b"]
            file.create_dataset("packed/x", data=photos(), compression="gzip")
    facts = facts_of(path)
    nodes = list(facts.nodes.values())
    for number, (name, value) in changes:
        nodes[number] = replace(nodes[number], **{name: value})
    try:
        nodes = [Node.from_json(json.loads(json.dumps(node.to_json()))) for node in nodes]
        hdf5_file.check_values(nodes, facts.buffers)
    except (ValueError, TypeError):
        return
    told = replace(facts, nodes={node.name: node for node in nodes})
    for inner in (None, "train_set_x", "packed"):
        with pytest.MonkeyPatch.context() as patch, suppress(PixstoreError):
            patch.setattr(hdf5_images, "examined", lambda path: told)
            source = SOURCE.open(path, SourceOptions(inner=inner))
            records = source.read("image", np.arange(min(len(source), 9)))
            assert sum(len(each) for each in records.place) <= path.stat().st_size * 1100  # type: ignore[arg-type]


def test_the_real_files_open_convert_and_train_exactly(shared_data: Path, tmp_path: Path) -> None:
    for name, count in (("train", 209), ("test", 50)):
        path = shared_data / "hdf5-foreign" / "catvnoncat" / "datasets" / f"{name}_catvnoncat.h5"
        with h5py.File(path) as file:
            images, labels = file[f"{name}_set_x"][()], file[f"{name}_set_y"][()]
        dataset = pixstore.open(path)
        assert (len(dataset), dataset.classes) == (count, ("non-cat", "cat"))
        pixstore.convert(path, tmp_path / name)
        for each in (dataset, pixstore.open(tmp_path / name)):
            found = each[:]
            np.testing.assert_array_equal(found["image"], images)
            np.testing.assert_array_equal(found["label"], labels)
        pixstore.export(tmp_path / name, tmp_path / f"{name}.h5", to="hdf5")
        with h5py.File(tmp_path / f"{name}.h5") as file:
            np.testing.assert_array_equal(file["image"][()], images)
            np.testing.assert_array_equal(file["label"][()], labels)
            assert file["label_classes"].asstr()[()].tolist() == ["non-cat", "cat"]
        batches = [(batch["image"].copy(), batch["label"].copy()) for batch in dataset.loader(32)]
        np.testing.assert_array_equal(np.concatenate([image for image, _ in batches]), images)
        np.testing.assert_array_equal(np.concatenate([label for _, label in batches]), labels)
