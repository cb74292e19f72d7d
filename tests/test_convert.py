"""convert: every sample arrives as it was, what cannot be read is listed, nothing is written where something is."""

from __future__ import annotations

import io
import pickle
import shutil
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import pixstore
from pixstore import errors, manifest
from pixstore.jobs.facts import Containers, source_facts
from pixstore.registry import ENGINES
from pixstore.writer import Writer


def pixels(count: int, *shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


IMAGES = pixels(6, 5, 6, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images of two classes, PNG, JPEG and BMP, one of another size, among files that are none."""
    for number, image in enumerate(IMAGES):
        place = tmp_path / "photos" / ("cat", "dog")[number % 2] / f"{number}.{('png', 'jpg', 'bmp')[number % 3]}"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[: 3 if number == 4 else 5]).save(place)
    (tmp_path / "photos" / "notes.txt").write_text("not an image")
    return tmp_path / "photos"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with everything: encoded and raw, several shapes, missing masks, deleted and changed rows, nulls."""
    with Writer(tmp_path / "store", codec={"image": "keep", "mask": "png"}, shard_bytes=400, durability="process") as writer:
        Image.fromarray(IMAGES[0]).save(tmp_path / "a.jpg")
        Image.fromarray(IMAGES[0]).save(tmp_path / "a.bmp")
        writer.add(tmp_path / "a.jpg", key="jpeg", label=1, boxes=[1.5], mask=IMAGES[0][..., 0])
        writer.add(IMAGES[1], key="raw", label=None, boxes=[])
        writer.add(tmp_path / "a.bmp", key="bmp", label=3)
        writer.add(None, key="nothing", label=4)
        writer.add((IMAGES[2] / 255).astype(np.float32), key="float", label=5)
        writer.add_batch(IMAGES, key=[f"k{n}" for n in range(6)], label=range(6))
        writer.commit()
        writer.delete("k1")
        writer.update("k2", label=22)
        writer.update("k3", mask=IMAGES[3][..., 0])
    return tmp_path / "store"


def assert_same(left: pixstore.Dataset, right: pixstore.Dataset) -> None:
    assert left.table.equals(right.table) and left.schema.field_names == right.schema.field_names
    for a, b in zip(left, right, strict=True):
        for name in left.schema.field_names:
            assert (a[name] is None and b[name] is None) or (a[name].dtype == b[name].dtype and np.array_equal(a[name], b[name]))


@pytest.mark.parametrize("engine", ENGINES)
def test_keeping_carries_every_byte_from_a_store_and_back(tmp_path: Path, store: Path, engine: str) -> None:
    report = pixstore.convert(store, tmp_path / "there", engine=engine, durability="process")
    pixstore.convert(tmp_path / "there", tmp_path / "back", durability="process", shard_bytes=300)
    before, there, back = (pixstore.open(each) for each in (store, tmp_path / "there", tmp_path / "back"))
    assert report.samples == len(before) == 10 and report.bad_rows == [] and report.engine == engine and report.engine_reason == "as asked"
    for after in (there, back):
        assert_same(before, after)
        for field in ("image", "mask"):
            rows = np.delete(np.arange(len(before)), before.absent(field, slice(None)))
            assert before.encoded_many(rows, field=field) == after.encoded_many(rows, field=field)
            assert before.formats(rows, field=field) == after.formats(rows, field=field)


@pytest.mark.parametrize("engine", ENGINES)
def test_keeping_carries_every_byte_of_a_folder(tmp_path: Path, folder: Path, engine: str) -> None:
    report = pixstore.convert(folder, tmp_path / "s", engine=engine, durability="process")
    source, ds = pixstore.open(folder), pixstore.open(tmp_path / "s")
    assert_same(source, ds)
    for row, key in enumerate(ds.keys.to_pylist()):
        assert ds.encoded(row) == (folder / key).read_bytes()
    assert ds.classes == ("cat", "dog") and (report.samples, report.codec) == (6, "keep")
    assert [each.path.endswith("notes.txt") for each in report.skipped] == [True]
    assert report.bytes_in == sum(len(each) for each in source.encoded_many(slice(None))) and report.bytes_out > 0 and report.seconds > 0


@pytest.mark.parametrize("codec", ["png", "raw"])
def test_other_codecs_carry_every_pixel(tmp_path: Path, folder: Path, codec: str) -> None:
    pixstore.convert(folder, tmp_path / "s", codec=codec, durability="process")
    assert_same(pixstore.open(folder), pixstore.open(tmp_path / "s"))
    assert {each.codec for each in pixstore.open(tmp_path / "s").formats(slice(None))} == {codec}


def test_selection_converts_like_any_dataset(tmp_path: Path, folder: Path) -> None:
    chosen = pixstore.open(folder).select([4, 1])
    report = pixstore.convert(chosen, tmp_path / "s", durability="process")
    assert report.source == "a dataset"
    assert_same(chosen, pixstore.open(tmp_path / "s"))


def test_data_that_lies_in_memory_converts_and_is_told_apart_by_its_content(tmp_path: Path) -> None:
    """An archive's images have no files of their own: one changed pixel is another source."""

    def opened(images: NDArray[np.uint8]) -> pixstore.Dataset:
        batch = {b"data": images.transpose(0, 3, 1, 2).reshape(len(images), -1), b"labels": list(range(len(images)))}
        packed = pickle.dumps(batch, protocol=2)
        with tarfile.open(tmp_path / "cifar.tar.gz", "w:gz") as archive:
            member = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
            member.size = len(packed)
            archive.addfile(member, io.BytesIO(packed))
        return pixstore.open(tmp_path / "cifar.tar.gz")

    images = pixels(6, 32, 32, 3)
    pixstore.convert(opened(images), tmp_path / "s", durability="process")
    assert np.array_equal(pixstore.open(tmp_path / "s")[:]["image"], images)
    facts = [source_facts(opened(changed), np.zeros(0, np.uint64), {}, Containers()) for changed in (images, images, images ^ np.uint8(1))]
    assert facts[0] == facts[1] and facts[0]["content"] != facts[2]["content"]


@pytest.mark.parametrize("codec", ["keep", "png"])
def test_images_that_cannot_be_read_are_listed_and_left_out(tmp_path: Path, folder: Path, codec: str) -> None:
    whole = (folder / "cat" / "0.png").read_bytes()
    (folder / "cat" / "broken.png").write_bytes(whole[: len(whole) // 2])
    (folder / "dog" / "text.jpg").write_bytes(b"this is no JPEG")
    report = pixstore.convert(folder, tmp_path / "s", codec=codec, durability="process")
    named = [bad.key for bad in report.bad_rows] + [each.path for each in report.skipped]
    assert any("broken.png" in each for each in named) and any("text.jpg" in each for each in named)
    ds = pixstore.open(tmp_path / "s")
    assert report.samples == len(ds) == 6 and not {"cat/broken.png", "dog/text.jpg"} & set(ds.keys.to_pylist())


def test_damaged_record_of_a_store_is_listed_and_the_others_arrive(tmp_path: Path) -> None:
    with Writer(tmp_path / "a", durability="process") as writer:
        writer.add_batch(IMAGES, key=list("abcdef"))
    place: Any = pixstore.open(tmp_path / "a").located("image", [2]).place
    with open(place.paths[0], "r+b") as file:
        file.seek(int(place.offset[0]))
        file.write(b"damaged")
    for codec in ("keep", "raw", "png"):
        report = pixstore.convert(tmp_path / "a", tmp_path / codec, codec=codec, durability="process")
        assert [(bad.row, bad.key) for bad in report.bad_rows] == [(2, "c")] and "checksum" in report.bad_rows[0].reason.lower()
        assert pixstore.open(tmp_path / codec).keys.to_pylist() == list("abdef")


def test_source_of_which_nothing_can_be_read_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(IMAGES[0]).save(tmp_path / "photos" / "a.png")
    data = (tmp_path / "photos" / "a.png").read_bytes()
    (tmp_path / "photos" / "a.png").write_bytes(data[:60])
    with pytest.raises(errors.PixstoreError, match=r"the only image cannot be read|no images"):
        pixstore.convert(tmp_path / "photos", tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_empty_dataset_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(errors.InvalidInputError, match="holds no images"):
        pixstore.convert(pixstore.open(folder).select([]), tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("on", ["threads", "processes"])
def test_files_that_vanish_or_change_meanwhile_are_listed(tmp_path: Path, folder: Path, on: str) -> None:
    def meddle(done: int, total: int, size: int) -> None:
        if total and not done:
            (folder / "cat" / "0.png").unlink()
            place = folder / "dog" / "3.png"
            place.write_bytes(place.read_bytes() + b"more")

    report = pixstore.convert(folder, tmp_path / "s", durability="process", progress=meddle, on=on, workers=1)
    reasons = {bad.key: bad.reason for bad in report.bad_rows}
    # A source that is listed anew by a process has one sample less, which it must not take for another.
    assert reasons.keys() == {"cat/0.png", "dog/3.png"} and "when it was listed" in reasons["dog/3.png"] and report.samples == 4
    assert (tmp_path / "s" / "bad.csv").read_text().count("\n") == 3


def test_first_of_samples_with_the_same_bytes_stays(tmp_path: Path, folder: Path) -> None:
    (folder / "dog" / "zz.png").write_bytes((folder / "cat" / "0.png").read_bytes())
    report = pixstore.convert(folder, tmp_path / "s", durability="process", dedup=True)
    assert [(each.key, each.same_as) for each in report.duplicates] == [("dog/zz.png", "cat/0.png")] and report.samples == 6
    made = pixstore.open(tmp_path / "s")
    assert made.keys.to_pylist() == [key for key in pixstore.open(folder).keys.to_pylist() if key != "dog/zz.png"]
    assert "dog/zz.png,6,cat/0.png" in (tmp_path / "s" / "duplicates.csv").read_text()


def test_order_is_that_of_the_store(tmp_path: Path, folder: Path) -> None:
    source = pixstore.open(folder)
    pixstore.convert(folder, tmp_path / "s", durability="process", order="shuffle:2", shard_bytes=300)
    made = pixstore.open(tmp_path / "s")
    keys = made.keys.to_pylist()
    assert keys != source.keys.to_pylist() and sorted(keys) == sorted(source.keys.to_pylist())
    assert [made.encoded(key) for key in keys] == [source.encoded(key) for key in keys]


def test_processes_make_the_same_store(tmp_path: Path, store: Path) -> None:
    pixstore.convert(store, tmp_path / "s", durability="process", on="processes", workers=2)
    assert_same(pixstore.open(store), pixstore.open(tmp_path / "s"))


def test_more_bad_samples_than_may_be_stop_it(tmp_path: Path, folder: Path) -> None:
    for name in ("cat/0.png", "dog/3.png"):
        (folder / name).write_bytes(b"x")
    with pytest.raises(errors.RecordError, match="2 samples cannot be read, more than the 1 that may be"):
        pixstore.convert(folder, tmp_path / "s", durability="process", bad_limit=1, workers=1)
    with pytest.raises(errors.RecordError, match="on_bad is 'fail'"):
        pixstore.convert(folder, tmp_path / "t", durability="process", on_bad="fail")
    assert not (tmp_path / "t").exists()


def test_what_is_worth_a_note_is_counted(tmp_path: Path, folder: Path) -> None:
    (folder / "cat" / "other.png").write_bytes((folder / "dog" / "1.jpg").read_bytes())
    (folder / "cat" / "tail.png").write_bytes((folder / "cat" / "0.png").read_bytes() + b"more")
    report = pixstore.convert(folder, tmp_path / "s", durability="process")
    assert "bytes after the end of the image: 1 (cat/tail.png)" in report.notes
    assert "named otherwise than they are: 1 (cat/other.png is jpeg)" in report.notes and report.samples == 8


def test_dry_run_says_what_it_would_take_and_makes_nothing(tmp_path: Path, folder: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    report = pixstore.convert(folder, tmp_path / "s", dry_run=True)
    assert (
        report.estimate is not None
        and report.estimate.samples == 6
        and report.estimate.bytes_in == sum(path.stat().st_size for path in folder.rglob("*.*") if path.suffix != ".txt")
    )
    assert sorted(tmp_path.rglob("*")) == before and report.samples == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on": "cloud"}, "'cloud'"),
        ({"workers": 0}, "workers 0"),
        ({"order": "size"}, "'size'"),
        ({"check": "all"}, "'all'"),
        ({"on_bad": "skip"}, "'skip'"),
        ({"bad_limit": "few"}, "'few'"),
        ({"memory": 0}, "memory 0"),
        ({"durability": "none"}, "'none'"),
        ({"shard_bytes": 0}, "shard_bytes 0"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_made(tmp_path: Path, folder: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.InvalidInputError, match=said):
        pixstore.convert(folder, tmp_path / "s", **options)
    assert not (tmp_path / "s").exists()


def test_images_in_memory_are_bounded_by_their_bytes(tmp_path: Path) -> None:
    """Rows of very different sizes: a batch is cut by bytes, a large image goes alone."""
    with Writer(tmp_path / "a", durability="process") as writer:
        for number, size in enumerate((10, 3000, 10, 10, 3000, 3000, 10)):
            writer.add(pixels(1, size)[0], key=str(number))
    report = pixstore.convert(tmp_path / "a", tmp_path / "b", durability="process", memory=6000, workers=1)
    assert report.samples == 7
    assert_same(pixstore.open(tmp_path / "a"), pixstore.open(tmp_path / "b"))


def test_store_that_will_not_fit_is_warned_of(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=10))
    with pytest.warns(UserWarning, match="bytes are needed, 10 are free"):
        pixstore.convert(folder, tmp_path / "s", durability="process")


def test_next_default_key_goes_on_from_those_converted(tmp_path: Path) -> None:
    with Writer(tmp_path / "a", durability="process") as writer:
        writer.add_batch(IMAGES)
    pixstore.convert(tmp_path / "a", tmp_path / "b", durability="process")
    with Writer(tmp_path / "b", mode="a", durability="process") as writer:
        writer.add(IMAGES[0])
    assert pixstore.open(tmp_path / "b").keys.to_pylist()[-1] == "00000006"


def test_destination_that_exists_or_lies_in_the_source_is_refused(tmp_path: Path, folder: Path, store: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    (tmp_path / "link").symlink_to(folder)
    there = [store, folder, tmp_path / "a.jpg"]
    inside = [folder / "cat" / "s", folder / "cat" / ".." / "s", tmp_path / "link" / "s"]
    for source, destination in [*((folder, each) for each in [*there, *inside]), (store, store / "s")]:
        with pytest.raises(errors.DestinationExistsError):
            pixstore.convert(source, destination)
    (tmp_path / "link").unlink()
    assert sorted(tmp_path.rglob("*")) == before


def test_missing_source_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(errors.PathNotFoundError):
        pixstore.convert(tmp_path / "nowhere", tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_what_a_codec_cannot_hold_is_refused_and_nothing_stays(tmp_path: Path, store: Path) -> None:
    with pytest.raises(errors.InvalidInputError, match=r"float32.*'png'"):
        pixstore.convert(store, tmp_path / "s", codec="png")
    with pytest.raises(errors.InvalidInputError, match="codec 'tiff'"):
        pixstore.convert(store, tmp_path / "s", codec="tiff")
    assert not (tmp_path / "s").exists()


def test_progress_counts_up_to_all(tmp_path: Path) -> None:
    with Writer(tmp_path / "a", durability="process") as writer:
        writer.add_batch(pixels(400, 2, 2))
    seen: list[tuple[int, int, int]] = []
    report = pixstore.convert(tmp_path / "a", tmp_path / "b", progress=lambda *each: seen.append(each), durability="process")
    assert seen.pop(0) == (400, 0, 0), "the source is looked at first"
    assert seen == sorted(seen) and len(seen) > 1 and seen[-1] == (400, 400, report.bytes_in) and report.bytes_in == 1600


def test_interrupted_conversion_leaves_nothing(tmp_path: Path, store: Path) -> None:
    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pixstore.convert(store, tmp_path / "s", progress=stop)
    assert not (tmp_path / "s").exists()


def test_durability_and_shard_size_are_those_asked_for(tmp_path: Path) -> None:
    with Writer(tmp_path / "a", durability="process") as writer:
        writer.add_batch(pixels(400, 4, 4))
    pixstore.convert(tmp_path / "a", tmp_path / "b", durability="process", shard_bytes=1000)
    found = manifest.load(tmp_path / "b")
    assert found.durability == "process" and len(found.shards) > 5 and max(each.rows for each in found.shards) <= 100


@pytest.mark.slow
def test_cifar_arrives_pixel_for_pixel(tmp_path: Path, shared_data: Path) -> None:
    source = pixstore.open(shared_data / "cifar10" / "cifar-10-batches-py.tar.xz")
    report = pixstore.convert(source.select(range(0, len(source), 10)), tmp_path / "s", engine="lmdb", codec="png", durability="process")
    ds = pixstore.open(tmp_path / "s")
    assert report.samples == len(ds) == 6000 and ds.classes == source.classes
    assert np.array_equal(ds[:].image, source[::10].image) and ds.table.equals(source.select(range(0, len(source), 10)).table)


def test_photos_arrive_byte_for_byte(tmp_path: Path, shared_data: Path) -> None:
    photos = shared_data / "human-seg" / "Training_Images"
    source = pixstore.open(photos)
    chosen = source.select(range(0, len(source), 12))
    pixstore.convert(chosen, tmp_path / "s", engine="hdf5", durability="process")
    ds = pixstore.open(tmp_path / "s")
    assert ds.encoded_many(slice(None)) == chosen.encoded_many(slice(None)) == [(photos / key).read_bytes() for key in ds.keys.to_pylist()]


@pytest.mark.parametrize("codec", ["jpeg", "webp", "avif"])
def test_codec_that_would_change_the_classes_of_masks_is_refused(tmp_path: Path, codec: str) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add(IMAGES[0], mask=IMAGES[0][..., 0] // 128)
    with pytest.raises(errors.InvalidInputError, match=f"codec '{codec}' would change the classes in the field 'mask'"):
        pixstore.convert(tmp_path / "s", tmp_path / "out", codec=codec, durability="process")
    assert not (tmp_path / "out").exists()
    pixstore.convert(tmp_path / "s", tmp_path / "png", codec="png", durability="process")
    assert np.array_equal(pixstore.open(tmp_path / "png")[0]["mask"], IMAGES[0][..., 0] // 128)
