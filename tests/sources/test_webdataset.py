"""WebDataset shards as webdataset's own TarWriter and tarfile make them: samples, labels, masks, and what is wrong with them."""

from __future__ import annotations

import gc
import gzip
import io
import json
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset
from PIL import Image

import pixstore
from pixstore.errors import (
    CorruptStoreError,
    DuplicateKeyError,
    LabelMismatchError,
    LimitExceededError,
    NotAStoreError,
    PathNotFoundError,
    StoreTruncatedError,
    UnsafeInputError,
)
from pixstore.rows import Extents, Slices
from pixstore.source import SourceOptions
from pixstore.sources.webdataset import WebDataset


def image(number: int, form: str = "JPEG") -> bytes:
    made = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (12, 16, 3), np.uint8)
    Image.fromarray(pixels).save(made, form)
    return made.getvalue()


def write(path: Path, *members: tuple[str, bytes], mode: str = "w", **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode, **options) as archive:  # type: ignore[call-overload]
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def pairs(first: int, count: int) -> list[tuple[str, bytes]]:
    return [
        member
        for number in range(first, first + count)
        for member in ((f"{number:06}.jpg", image(number)), (f"{number:06}.cls", b"%d" % (number % 3)))
    ]


def set_of_shards(folder: Path, count: int = 4, text: str = "train-{:06}.tar") -> Path:
    for number in range(count):
        write(folder / text.format(number), *pairs(10 * number, 5))
    return folder


def opened(path: Path, **options: Any) -> WebDataset:
    return WebDataset.open(path, SourceOptions(**options))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_the_library_itself_wrote_is_read_as_it_reads_it(tmp_path: Path) -> None:
    with webdataset.ShardWriter(str(tmp_path / "all-%06d.tar"), maxcount=4, verbose=0) as writer:
        for number in range(10):
            content = {"jpg": image(number), "cls": number % 3, "json": {"width": 16, "name": f"n{number}"}, "txt": f"caption {number}"}
            writer.write({"__key__": f"sample{number:03}", **content})
    dataset = pixstore.open(tmp_path)
    theirs = list(webdataset.WebDataset([str(each) for each in sorted(tmp_path.glob("*.tar"))], shardshuffle=False).decode("rgb8"))
    # Their reader leaves its files to the collector, which warns: here, not in a later test.
    gc.collect()
    assert dataset.keys.to_pylist() == [each["__key__"] for each in theirs]
    assert dataset.table["label"].to_pylist() == [each["cls"] for each in theirs]
    assert dataset.table["txt"].to_pylist() == [each["txt"] for each in theirs]
    assert dataset.table["name"].to_pylist() == [each["json"]["name"] for each in theirs]
    assert dataset.table["width"].to_pylist() == [16] * 10
    assert np.array_equal(dataset.read(slice(None))["image"], np.stack([each["jpg"] for each in theirs]))


def test_images_are_read_in_place_from_a_plain_archive(tmp_path: Path) -> None:
    source = opened(write(tmp_path / "a.tar", *pairs(0, 6)))
    located = source.locate("image", np.arange(6))
    assert located is not None and isinstance(located.place, Extents)
    whole = (tmp_path / "a.tar").read_bytes()
    found = [whole[at : at + size] for at, size in zip(located.place.offset.tolist(), located.place.length.tolist(), strict=True)]
    assert found == [image(number) for number in range(6)]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["a.jpg", "deep/" * 15 + "a.jpg", "d/" + "n" * 80 + ".jpg", "./x/a.jpg"])
def test_names_of_any_length_are_read_from_every_form_of_header(tmp_path: Path, form: int, name: str) -> None:
    assert opened(write(tmp_path / "a.tar", (name, image(0)), format=form)).table["key"].to_pylist() == [name.removeprefix("./")[:-4]]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_very_long_and_foreign_names_are_keys(tmp_path: Path, form: int) -> None:
    name = "folder/" * 60 + "bild-ä-圖.v2.JPG"
    source = opened(write(tmp_path / "a.tar", (name, image(0)), format=form))
    assert source.table["key"].to_pylist() == ["folder/" * 60 + "bild-ä-圖"] and source.schema.field_names == ("v2",)


def test_masks_beside_images_are_further_fields(tmp_path: Path) -> None:
    members = [
        ("0.jpg", image(0)),
        ("0.mask.png", image(1, "PNG")),
        ("1.png", image(2, "PNG")),
        ("2.jpg", image(3)),
        ("2.mask.png", image(4, "PNG")),
    ]
    write(tmp_path / "a.tar", *members)
    dataset = pixstore.open(tmp_path / "a.tar")
    assert dataset.schema.field_names == ("image", "mask")
    assert dataset.absent("mask", slice(None)).tolist() == [1]
    assert dataset.encoded("2", field="mask") == members[4][1] and dataset.encoded("1") == members[2][1]
    assert dataset[1]["mask"] is None and dataset[0]["mask"].shape == (12, 16, 3)


def test_samples_without_a_mask_are_converted_as_such_and_loaded_without_it(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", ("0.jpg", image(0)), ("0.mask.png", image(1, "PNG")), ("1.jpg", image(2)))
    pixstore.convert(tmp_path / "a.tar", tmp_path / "s", durability="process")
    dataset = pixstore.open(tmp_path / "s")
    assert dataset.absent("mask", slice(None)).tolist() == [1] and dataset.encoded("0", field="mask") == image(1, "PNG")
    batch = next(iter(pixstore.open(tmp_path / "a.tar").loader(2, fields=["image"])))
    assert batch["image"].shape == (2, 12, 16, 3)


def test_two_images_of_one_sample_are_two_fields(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", ("0.jpg", image(0)), ("0.png", image(1, "PNG")))
    assert opened(tmp_path / "a.tar").schema.field_names == ("image", "png")


def test_a_pattern_names_the_shards(tmp_path: Path) -> None:
    set_of_shards(tmp_path)
    assert len(pixstore.open(f"{tmp_path}/train-{{000001..000002}}.tar")) == 10
    assert len(pixstore.open(tmp_path)) == 20
    with pytest.raises(PathNotFoundError, match=r"1 of 5 files are missing: train-000004\.tar"):
        pixstore.open(f"{tmp_path}/train-{{000000..000004}}.tar")


def test_names_of_shards_and_folders_say_the_split(tmp_path: Path) -> None:
    set_of_shards(tmp_path / "a", 2)
    write(tmp_path / "a" / "val-000000.tar", ("v.jpg", image(0)), ("v.cls", b"1"))
    assert opened(tmp_path / "a").table["split"].to_pylist() == ["train"] * 10 + ["val"]
    set_of_shards(tmp_path / "b" / "train", 2, "{:05}.tar")
    write(tmp_path / "b" / "test" / "00000.tar", ("v.jpg", image(0)), ("v.cls", b"1"))
    assert opened(tmp_path / "b").table["split"].to_pylist() == ["test"] + ["train"] * 10


def test_a_packed_image_folder_has_its_classes(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", *((f"flowers/{name}/{number}.jpg", image(number)) for name in ("rose", "iris") for number in range(2)))
    source = opened(tmp_path / "a.tar")
    assert source.table["label"].to_pylist() == [1, 1, 0, 0] and source.schema.classes == {"label": ("iris", "rose")}


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:bz2"])
def test_a_compressed_archive_is_unpacked_into_memory(tmp_path: Path, mode: str) -> None:
    write(tmp_path / "a.tar.any", *pairs(0, 4), mode=mode)
    dataset = pixstore.open(tmp_path / "a.tar.any")
    records = dataset.located("image", slice(None))
    assert isinstance(records.place, Slices)
    assert dataset.encoded_many(slice(None)) == [image(number) for number in range(4)]
    assert dataset.table["label"].to_pylist() == [0, 1, 2, 0]


def test_a_compressed_archive_beyond_the_limit_says_to_unpack_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixstore.sources.archives.tar_shards.MAX_UNPACKED_BYTES", 20_000)
    monkeypatch.setattr("pixstore.sources.archives.archive.FREE_BYTES", 0)
    write(tmp_path / "a.tar.gz", ("0.jpg", os.urandom(3 << 20)), mode="w:gz")
    with pytest.raises(LimitExceededError, match="gunzip"):
        opened(tmp_path / "a.tar.gz")


def test_a_mixture_of_compressed_and_plain_shards_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "s" / "a-0.tar", *pairs(0, 2))
    write(tmp_path / "s" / "a-1.tar", *pairs(2, 2), mode="w:gz")
    with pytest.raises(NotAStoreError, match=r"a-1\.tar: is compressed"):
        opened(tmp_path / "s")


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def test_what_would_run_is_kept_as_bytes(tmp_path: Path) -> None:
    code = pickle.dumps(Runs())
    source = opened(write(tmp_path / "a.tar", ("0.jpg", image(0)), ("0.pkl", code), ("0.pyd", b"MZ"), ("1.jpg", image(1))))
    assert source.table["pkl"].to_pylist() == [code, None] and source.table["pyd"].to_pylist() == [b"MZ", None]
    assert not (tmp_path / "pwned").exists() and len(source.report.notes) == 2


def test_large_opaque_files_are_left_out_and_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixstore.sources.archives.sample_columns.MAX_OPAQUE_BYTES", 100)
    source = opened(write(tmp_path / "a.tar", ("0.jpg", image(0)), ("0.npy", bytes(200))))
    assert source.table.column_names == ["key"] and "200 bytes" in source.report.notes[0]


def test_hidden_and_meta_files_are_left_out_by_name(tmp_path: Path) -> None:
    source = opened(write(tmp_path / "a.tar", ("._0.jpg", b"mac"), ("0.jpg", image(0)), ("README", b"x"), ("__about__", b"x")))
    assert source.table["key"].to_pylist() == ["0"]
    assert [each.path.rpartition(": ")[2] for each in source.report.skipped] == ["._0.jpg", "README", "__about__"]


def test_class_names_become_labels(tmp_path: Path) -> None:
    source = opened(write(tmp_path / "a.tar", ("0.jpg", image(0)), ("0.cls", b"dog\n"), ("1.jpg", image(1)), ("1.cls", b"cat")))
    assert source.table["label"].to_pylist() == [1, 0] and source.schema.classes == {"label": ("cat", "dog")}


# ---- wrongly described ----


def test_wrongly_described_a_missing_shard_is_named(tmp_path: Path) -> None:
    (set_of_shards(tmp_path, 6) / "train-000002.tar").unlink()
    with pytest.raises(PathNotFoundError, match=r"1 of 6 files like 'train-000000\.tar' are missing: 000002"):
        opened(tmp_path)


def test_wrongly_described_a_shard_that_is_there_twice_is_named(tmp_path: Path) -> None:
    set_of_shards(tmp_path / "s", 2)
    (tmp_path / "s" / "train-000002.tar").write_bytes((tmp_path / "s" / "train-000001.tar").read_bytes())
    with pytest.raises(
        DuplicateKeyError, match=r"sample '000010' is there twice, in .*train-000001\.tar at byte 0 and in .*train-000002\.tar at byte 0"
    ):
        opened(tmp_path / "s")


def test_wrongly_described_a_member_that_is_there_twice_is_named_at_both_places(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", ("0.cls", b"1"), ("0.cls", b"2"), ("0.jpg", image(0)))
    with pytest.raises(DuplicateKeyError, match=r"member '0\.cls' is there twice, in .*a\.tar at byte 0 and in .*a\.tar at byte 1024"):
        opened(tmp_path / "a.tar")


def test_wrongly_described_a_sample_that_is_there_twice_is_named_at_both_places(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", ("0.cls", b"1"), ("1.cls", b"2"), ("0.cls", b"3"))
    with pytest.raises(DuplicateKeyError, match=r"sample '0' is there twice, in .*a\.tar at byte 0 and in .*a\.tar at byte 2048"):
        opened(tmp_path / "a.tar")


def test_wrongly_described_a_sample_whose_files_lie_apart_is_named_at_both_places(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", ("0.cls", b"1"), ("1.cls", b"2"), ("0.jpg", image(0)), ("1.jpg", image(1)))
    with pytest.raises(CorruptStoreError, match=r"sample '0' is split.* byte 0 and .* byte 2048; pack .* --sort=name"):
        opened(tmp_path / "a.tar")


def test_wrongly_described_a_sample_without_a_label_or_an_image_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", *pairs(0, 3), ("last.jpg", image(9)))
    with pytest.raises(LabelMismatchError, match=r"samples without a \.cls file: 1 \('last'\)"):
        opened(tmp_path / "a.tar")
    write(tmp_path / "b.tar", *pairs(0, 3), ("last.cls", b"1"))
    with pytest.raises(LabelMismatchError, match=r"samples without an image \.jpg: 1 \('last'\)"):
        opened(tmp_path / "b.tar")


@pytest.mark.parametrize("text", [b"1.5", b"", b"nan", b"cat", b"\xff"])
def test_wrongly_described_labels_that_are_none_are_named(tmp_path: Path, text: bytes) -> None:
    write(tmp_path / "a.tar", *pairs(0, 3), ("last.jpg", image(9)), ("last.cls", text))
    with pytest.raises(LabelMismatchError, match="last"):
        opened(tmp_path / "a.tar")


def test_a_broken_json_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", ("0.jpg", image(0)), ("0.json", b"{"))
    with pytest.raises(LabelMismatchError, match=r"\.json file of sample '0' is not JSON"):
        opened(tmp_path / "a.tar")
    objects = [
        ("0.jpg", image(0)),
        ("0.json", b'{"label": 4, "image": "x", "box": [1, 2]}'),
        ("1.jpg", image(1)),
        ("1.json", b'{"label": 5}'),
    ]
    source = opened(write(tmp_path / "b.tar", *objects))
    assert source.table["label"].to_pylist() == [4, 5] and source.table["box"].to_pylist() == [[1, 2], None]
    assert source.table["metadata_image"].to_pylist() == ["x", None]
    lists = opened(write(tmp_path / "c.tar", ("0.jpg", image(0)), ("0.json", json.dumps([1]).encode())))
    assert lists.table["json"].to_pylist() == ["[1]"]


# ---- hostile ----


@pytest.mark.parametrize("left", [300, 512, 700, 1024])
def test_wrongly_described_a_cut_archive_names_its_last_whole_member(tmp_path: Path, left: int) -> None:
    whole = write(tmp_path / "a.tar", ("0.cls", b"1"), ("0.jpg", bytes(100)), ("1.cls", b"1"), ("1.jpg", bytes(600))).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: 2048 + left])
    with pytest.raises(StoreTruncatedError, match=rf"cut\.tar.*the last whole member is '{'0.jpg' if left < 600 else '1.cls'}' at byte"):
        opened(tmp_path / "cut.tar")


def test_an_appended_archive_is_not_lost_and_junk_is_noted(tmp_path: Path) -> None:
    one = write(tmp_path / "a.tar", *pairs(0, 2)).read_bytes()
    (tmp_path / "two.tar").write_bytes(one + one)
    with pytest.raises(CorruptStoreError, match=f"second archive follows the end mark, at byte {len(one)}"):
        opened(tmp_path / "two.tar")
    (tmp_path / "junk.tar").write_bytes(one + b"junk")
    assert "4 bytes after the end" in opened(tmp_path / "junk.tar").report.notes[0]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused_by_name(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("0.jpg")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(UnsafeInputError, match=r"member '0\.jpg' at byte 0 is a"):
        opened(tmp_path / "a.tar")


@pytest.mark.parametrize("name", ["/etc/0.jpg", "../0.jpg", "a/../../0.jpg", "..\\..\\0.jpg"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeInputError, match="leads elsewhere"):
        opened(write(tmp_path / "a.tar", (name, image(0))))


def test_shards_that_change_while_they_are_open_are_refused(tmp_path: Path) -> None:
    source = opened(write(tmp_path / "a.tar", *pairs(0, 2)))
    write(tmp_path / "a.tar", *pairs(5, 2))
    with pytest.raises(pixstore.PixstoreError, match="was changed after it was opened"):
        source.locate("image", np.array([0]))


def test_a_folder_with_an_archive_of_something_else_is_not_recognised(tmp_path: Path) -> None:
    write(tmp_path / "batches.tar.xz", ("batches/data_batch_1", b"no image"), mode="w:xz")
    assert not WebDataset.recognises(tmp_path)
    write(tmp_path / "photos.tar.xz", ("photos/1.jpg", image(1)), mode="w:xz")
    assert WebDataset.recognises(tmp_path) and opened(tmp_path).table["key"].to_pylist() == ["photos/1"]
    assert [each.path for each in opened(tmp_path).report.skipped] == ["batches.tar.xz"]


def test_wrongly_described_a_compressed_shard_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "a-0.tar.gz", ("1.jpg", image(1)), mode="w:gz")
    (tmp_path / "a-1.tar.gz").write_bytes((tmp_path / "a-0.tar.gz").read_bytes()[:40])
    with pytest.raises(StoreTruncatedError, match=r"a-1\.tar\.gz"):
        opened(tmp_path)


def test_what_is_no_archive_is_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "zip.tar").write_bytes(b"PK\x03\x04" + bytes(600))
    (tmp_path / "text.tar").write_bytes(b"hello " * 200)
    (tmp_path / "data.gz").write_bytes(gzip.compress(b"hello " * 2000))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_bytes(image(0))
    (tmp_path / "pictures" / "all.tar").write_bytes(bytes(1024))
    assert not any(WebDataset.recognises(tmp_path / name) for name in ("zip.tar", "text.tar", "data.gz", "pictures", "absent"))
    (tmp_path / "only.tar").write_bytes(bytes(10240))
    with pytest.raises(NotAStoreError, match=r"only\.tar: a tar archive without images"):
        opened(tmp_path / "only.tar")


def test_wrongly_described_an_archive_beside_folders_of_images_does_not_hide_them_and_a_numbered_set_stays_one(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(image(1))
    write(tmp_path / "backup.tar", *pairs(0, 1))
    assert not WebDataset.recognises(tmp_path)
    assert pixstore.open(tmp_path).keys.to_pylist() == ["cat/1.jpg", "dog/1.jpg"]
    (tmp_path / "backup.tar").unlink()
    set_of_shards(tmp_path)
    assert WebDataset.recognises(tmp_path) and "cat" in [each.path for each in opened(tmp_path).report.skipped]
