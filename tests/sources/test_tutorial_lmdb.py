"""The tutorial's LMDB: any class of object is read as data, images in place, damage and strangers named by key."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest

from pixstore.errors import (
    CorruptStoreError,
    LabelMismatchError,
    LimitExceededError,
    NotAStoreError,
    PixstoreError,
    StoreTruncatedError,
    UnsafeInputError,
)
from pixstore.rows import Extents, Slices
from pixstore.source import SourceOptions
from pixstore.sources import tutorial_lmdb
from pixstore.sources.tutorial_lmdb import TutorialLmdb


def open_lmdb(path: Path) -> TutorialLmdb:
    return TutorialLmdb.open(path, SourceOptions())


def records_of(source: TutorialLmdb) -> list[bytes]:
    found = source.read("image", np.arange(len(source))).place
    return [bytes(view or b"") for view in (found.views() if isinstance(found, Slices) else found)]  # type: ignore[union-attr]


def put(path: Path, items: dict[bytes, bytes]) -> None:
    with lmdb.open(str(path), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        for key, value in items.items():
            transaction.put(key, value)


@pytest.mark.parametrize("kind", [int, np.int64, np.uint8, np.array])
@pytest.mark.parametrize("protocol", range(6))
def test_objects_of_every_protocol_and_kind_of_label_are_read(make: Any, tmp_path: Path, protocol: int, kind: Any) -> None:
    images = make.make_images(30)
    make.write_lmdb(tmp_path / "lmdb", images, [kind(number * 7) for number in range(30)], protocol=protocol)
    assert TutorialLmdb.recognises(tmp_path / "lmdb")
    source = open_lmdb(tmp_path / "lmdb")
    assert source.table["key"].to_pylist() == [f"{number:08}" for number in range(30)]
    assert source.table["label"].to_pylist() == [number * 7 for number in range(30)]
    assert source.schema.fields[0].shape == (32, 32, 3)
    assert records_of(source) == [image.tobytes() for image in images]
    located = source.locate("image", np.arange(2))
    assert located is not None and isinstance(located.place, Extents if protocol >= 3 else Slices)


def test_the_library_finds_the_same_objects(make: Any, tmp_path: Path) -> None:
    make.write_lmdb(tmp_path / "lmdb", make.make_images(50), list(range(50)))
    source = open_lmdb(tmp_path / "lmdb")
    with lmdb.open(str(tmp_path / "lmdb"), readonly=True, lock=False) as environment, environment.begin() as transaction:
        found = [(key.decode(), pickle.loads(value)) for key, value in transaction.cursor()]
    assert [(key, each.image, each.label) for key, each in found] == [
        (row["key"], record, row["label"]) for row, record in zip(source.table.to_pylist(), records_of(source), strict=True)
    ]


def test_a_single_file_and_mixed_sizes_are_read(make: Any, tmp_path: Path) -> None:
    images = [make.make_images(1, height=8 + number, width=20 - number)[0] for number in range(8)]
    make.write_lmdb(tmp_path / "a.mdb", images, [300 + number for number in range(8)], subdir=False)
    assert TutorialLmdb.recognises(tmp_path / "a.mdb")
    source = open_lmdb(tmp_path / "a.mdb")
    assert records_of(source) == [image.tobytes() for image in images]
    assert not source.schema.fields[0].is_uniform
    found = source.read("image", np.arange(8))
    assert [found.formats[number].shape for number in found.format] == [image.shape for image in images]
    assert source.table["label"].to_pylist() == list(range(300, 308))


def test_values_alike_in_length_alone_are_told_apart(make: Any, tmp_path: Path) -> None:
    """12 × 4 and 4 × 12 pixels have values of one length: the fast way must not take one for the other."""
    images = [make.make_images(1, height=h, width=w)[0] for h, w in ((12, 4), (4, 12), (12, 4), (6, 8))]
    make.write_lmdb(tmp_path / "lmdb", images, [1, 2, 3, 4])
    found = open_lmdb(tmp_path / "lmdb").read("image", np.arange(4))
    assert [found.formats[number].shape for number in found.format] == [image.shape for image in images]


def test_labels_of_every_width_are_exact(make: Any, tmp_path: Path) -> None:
    labels = [0, 75, 255, 256, 300, 65535, 65536, -1, 2**31, -(2**40), 75, 0]
    make.write_lmdb(tmp_path / "lmdb", make.make_images(len(labels)), labels)
    assert open_lmdb(tmp_path / "lmdb").table["label"].to_pylist() == labels


def test_words_as_labels_become_classes(make: Any, tmp_path: Path) -> None:
    make.write_lmdb(tmp_path / "lmdb", make.make_images(3), ["dog", "cat", "dog"])
    source = open_lmdb(tmp_path / "lmdb")
    assert source.table["label"].to_pylist() == [1, 0, 1] and source.schema.classes == {"label": ("cat", "dog")}


def test_objects_without_labels_have_no_label_column(make: Any, tmp_path: Path) -> None:
    make.write_lmdb(tmp_path / "lmdb", make.make_images(3), [None, None, None])
    assert open_lmdb(tmp_path / "lmdb").table.column_names == ["key"]


def test_labels_of_two_kinds_are_refused(make: Any, tmp_path: Path) -> None:
    make.write_lmdb(tmp_path / "lmdb", make.make_images(3), [1, "cat", None])
    with pytest.raises(LabelMismatchError, match=r"no integers: 2 \('00000001', '00000002'\)"):
        open_lmdb(tmp_path / "lmdb")


def plain(make: Any, **changes: Any) -> bytes:
    value = make.TutorialObject(make.make_images(1)[0], 1)
    value.__dict__.update(changes)
    for name in [name for name, each in changes.items() if each is None]:
        delattr(value, name)
    return pickle.dumps(value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": b"short"}, "the image has 5 bytes, 32 × 32 × 3 needs 3072"),
        ({"image": "text"}, "should be bytes"),
        ({"size": None}, "has no size; it has channels, image, label"),
        ({"size": (32,)}, "should be bytes"),
        ({"size": (32.0, 32)}, "should be bytes"),
        ({"channels": 0}, "should be bytes"),
        ({"channels": 1 << 40}, "should be bytes"),
    ],
)
def test_an_object_that_is_no_image_is_named_by_its_key(make: Any, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    put(tmp_path / "lmdb", {b"00000000": plain(make), b"00000001": plain(make, **changes)})
    with pytest.raises(CorruptStoreError, match=message) as caught:
        open_lmdb(tmp_path / "lmdb")
    assert "'00000001'" in str(caught.value)


def test_a_value_that_would_run_code_is_refused(make: Any, tmp_path: Path) -> None:
    put(tmp_path / "lmdb", {b"00000000": plain(make), b"00000001": b"cos\nsystem\n(S'true'\ntR."})
    with pytest.raises(UnsafeInputError, match=r"'00000001'.*os\.system"):
        open_lmdb(tmp_path / "lmdb")


def test_a_value_that_is_no_object_is_named(make: Any, tmp_path: Path) -> None:
    put(tmp_path / "lmdb", {b"00000000": pickle.dumps([1])})
    with pytest.raises(CorruptStoreError, match="holds a list"):
        open_lmdb(tmp_path / "lmdb")


def test_a_value_beyond_the_limit_is_not_read(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tutorial_lmdb, "MAX_VALUE_BYTES", 1000)
    put(tmp_path / "lmdb", {b"00000000": plain(make)})
    with pytest.raises(LimitExceededError, match="the limit is 1000"):
        open_lmdb(tmp_path / "lmdb")


def test_copied_pixels_beyond_the_limit_are_refused(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tutorial_lmdb, "MAX_COPIED_BYTES", 5000)
    make.write_lmdb(tmp_path / "lmdb", make.make_images(3), [1, 2, 3], protocol=2)
    with pytest.raises(LimitExceededError, match="protocol 2 or less"):
        open_lmdb(tmp_path / "lmdb")


def test_objects_of_early_and_late_protocols_are_not_mixed(make: Any, tmp_path: Path) -> None:
    early = pickle.dumps(make.TutorialObject(make.make_images(1)[0], 1), 2)
    put(tmp_path / "lmdb", {b"00000000": plain(make), b"00000001": early})
    with pytest.raises(CorruptStoreError, match="save them all in one"):
        open_lmdb(tmp_path / "lmdb")


def test_a_cut_environment_is_recognised_and_named(make: Any, tmp_path: Path) -> None:
    make.write_lmdb(tmp_path / "lmdb", make.make_images(50), list(range(50)))
    with open(tmp_path / "lmdb" / "data.mdb", "r+b") as file:
        file.truncate(100_000)
    assert TutorialLmdb.recognises(tmp_path / "lmdb")
    with pytest.raises(StoreTruncatedError, match="has 100000"):
        open_lmdb(tmp_path / "lmdb")


def test_other_environments_are_not_recognised(tmp_path: Path) -> None:
    put(tmp_path / "png", {b"00000000": b"\x89PNG"})
    put(tmp_path / "keys", {b"baboon": pickle.dumps([1])})
    put(tmp_path / "empty", {})
    for name in ("png", "keys", "empty"):
        assert not TutorialLmdb.recognises(tmp_path / name)
    with pytest.raises(NotAStoreError):
        open_lmdb(tmp_path)
    assert not (tmp_path / "data.mdb").exists()


def test_environments_of_others_are_not_taken_for_this_layout(shared_data: Path) -> None:
    for path in (shared_data / "lmdb-foreign").rglob("data.mdb"):
        assert not TutorialLmdb.recognises(path.parent)


def outcome(path: Path) -> Any:
    try:
        source = open_lmdb(path)
    except PixstoreError as error:
        return type(error)
    return source.table.to_pydict(), records_of(source), source.schema.fields


def test_the_fast_way_agrees_with_reading_each_object_in_full(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects that differ from their neighbour in any byte around the pixels are never taken to be alike when they are not."""
    rng = np.random.default_rng(7)
    images = make.make_images(2, height=2, width=3)
    sample = [pickle.dumps(make.TutorialObject(image, np.int64(75) if kind else 75), 4) for kind in (0, 1) for image in images]
    kinds = set()
    for number in range(150):
        whole = sample[number % 2 * 2]
        damaged = bytearray(sample[number % 2 * 2 + 1])
        damaged[int(rng.integers(0, len(damaged)))] = int(rng.choice([0, 1, 75, 76, 255]))
        path = tmp_path / f"{number}.mdb"
        with lmdb.open(str(path), subdir=False, lock=False, map_size=1 << 20) as environment, environment.begin(write=True) as transaction:
            transaction.put(b"00000000", whole)
            transaction.put(b"00000001", bytes(damaged))
        fast = outcome(path)
        with monkeypatch.context() as patch:
            patch.setattr(tutorial_lmdb._ValueReader, "_read_alike", lambda *arguments: False)
            assert outcome(path) == fast
        kinds.add(isinstance(fast, type))
    assert kinds == {True, False}, "some should open and some should be refused"


def test_a_named_database_is_read_by_its_name(make: Any, tmp_path: Path) -> None:
    images = make.make_images(2)
    environment = lmdb.open(str(tmp_path / "a"), map_size=1 << 24, max_dbs=2)
    with environment, environment.begin(db=environment.open_db(b"train"), write=True) as transaction:
        for number, image in enumerate(images):
            transaction.put(b"%08d" % number, pickle.dumps(make.TutorialObject(image, number)))
    for inner in (None, "train"):
        source = tutorial_lmdb.SOURCE.open(tmp_path / "a", SourceOptions(inner=inner))
        assert source.table["label"].to_pylist() == [0, 1]
    with pytest.raises(NotAStoreError, match="no named database 'val'; databases here: train"):
        tutorial_lmdb.SOURCE.open(tmp_path / "a", SourceOptions(inner="val"))
