"""How verbs are told which data they read: an address, or the address of each field."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore as library
from pixstore.cli import console, source
from pixstore.cli.source import fields_named, named, shifted
from pixstore.errors import InvalidInputError


@pytest.fixture
def apart(tmp_path: Path) -> tuple[str, str]:
    """Return `--field` of images and `--field` of their masks: a.jpg, b.jpg and a.png, b.png of 6 by 8 pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 3), np.uint8)
    for name, image in zip("ab", pixels, strict=True):
        for folder, suffix, array in (("images", "jpg", image), ("masks", "png", image[:, :, 0])):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(array).save(tmp_path / folder / f"{name}.{suffix}")
    return f"image={tmp_path / 'images'}", f"mask={tmp_path / 'masks'}"


def test_fields_are_named_with_where_they_lie() -> None:
    assert fields_named(["image=a/b=c", "mask=x.h5::/masks"]) == {"image": "a/b=c", "mask": "x.h5::/masks"}
    for wrong in ("photos/", "=photos/", "image="):
        with pytest.raises(InvalidInputError, match="is not NAME=SOURCE"):
            fields_named([wrong])
    with pytest.raises(InvalidInputError, match="comes twice"):
        fields_named(["image=a", "image=b"])


def test_a_source_is_named_once() -> None:
    assert named("photos").words == "photos"
    assert named(None, ["image=a", "mask=b"]).words == "image=a mask=b"
    with pytest.raises(InvalidInputError, match="two ways"):
        named("photos", ["image=a"])
    with pytest.raises(InvalidInputError, match="no SOURCE"):
        named(None, [])


def test_with_fields_the_first_argument_is_the_one_after_the_source() -> None:
    assert shifted(None, "a", "b", last="DEST") == ("a", "b")
    assert shifted(["image=a"], "b", None, last="DEST") == (None, "b")
    for field, one, two in ((["image=a"], "b", "c"), (["image=a"], None, None), (None, "a", None), (None, None, None)):
        with pytest.raises(InvalidInputError, match="DEST"):
            shifted(field, one, two, last="DEST")


def test_listing_a_large_folder_shows_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "SECONDS_BETWEEN_LINES", 0.0)
    for number in range(8200):
        (tmp_path / f"{number}.png").touch()
    assert len(named(str(tmp_path)).open()) == 8200
    assert capsys.readouterr().err.startswith("listing: 8,192 files found, ")
    named(str(tmp_path)).open(quiet=True)
    assert capsys.readouterr().err == ""


def test_verbs_read_fields_that_lie_apart(pixstore, apart: tuple[str, str], tmp_path: Path) -> None:
    fields = ["--field", apart[0], "--field", apart[1]]
    told = json.loads(pixstore("info", *fields, "--json", "-").out)
    assert [each["name"] for each in told["fields"]] == ["image", "mask"] and told["rows"] == 2
    assert told["parts"] == {"image": apart[0][6:], "mask": apart[1][5:]}
    assert told["bytes"]["apparent"] == sum(each.stat().st_size for each in tmp_path.glob("*/*.*"))
    assert "mask 6×8" in pixstore("ls", *fields).out
    assert pixstore("convert", *fields, tmp_path / "both").status == 0
    assert pixstore("compare", *fields, tmp_path / "both").out.startswith("equal: 2 samples")
    assert pixstore("split", *fields, "--train", "0.5", "--test", "0.5", "--out", tmp_path / "s.csv").status == 0
    assert pixstore("get", *fields, "b.jpg", "--field", "mask", "-o", tmp_path / "mask").status == 0
    assert (tmp_path / "mask").read_bytes() == (tmp_path / "masks" / "b.png").read_bytes()
    assert pixstore("get", tmp_path / "both", "b.jpg", "--field", "mask", "-o", tmp_path / "same").status == 0
    assert (tmp_path / "same").read_bytes() == (tmp_path / "mask").read_bytes()


def test_each_part_of_a_split_of_joined_fields_is_a_store(pixstore, apart: tuple[str, str], tmp_path: Path) -> None:
    fields = ["--field", apart[0], "--field", apart[1]]
    pixstore("split", *fields, "--train", "0.5", "--test", "0.5", "--out", tmp_path / "s.csv")
    each = ["convert", *fields, tmp_path / "out", "--split", tmp_path / "s.csv", "--each"]
    assert pixstore(*each).status == 0
    for part in ("train", "test"):
        assert library.open(tmp_path / "out" / part).schema.field_names == ("image", "mask")
    assert "is there already" in pixstore(*each).err


@pytest.mark.parametrize("verb", ["info", "ls", "get", "convert", "compare", "split", "bench", "advise"])
def test_every_verb_that_reads_a_source_explains_its_fields(verb: str, pixstore) -> None:
    told = pixstore(verb, "--help").out
    assert "--field" in told and "NAME=SOURCE" in told and "--unmatched" in told and "--channel-order" in told


def test_wrongly_described_a_missing_mask_is_refused_until_it_is_left_out_by_name(pixstore, apart: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "masks" / "b.png").unlink()
    fields = ["--field", apart[0], "--field", apart[1]]
    done = pixstore("convert", *fields, tmp_path / "both")
    assert done.status == 2 and "'b.jpg'" in done.err and "--unmatched skip" in done.err and not (tmp_path / "both").exists()
    assert len(done.err.splitlines()) == 1
    done = pixstore("convert", *fields, tmp_path / "both", "--unmatched", "skip")
    assert done.status == 0 and "image: b.jpg" in done.out and len(library.open(tmp_path / "both")) == 1


def test_wrongly_described_sizes_that_differ_are_told(pixstore, apart: tuple[str, str], tmp_path: Path) -> None:
    assert "differ in size" not in pixstore("info", "--field", apart[0], "--field", apart[1]).out
    Image.new("L", (7, 6)).save(tmp_path / "masks" / "b.png")
    told = pixstore("info", "--field", apart[0], "--field", apart[1]).out
    assert "image and mask differ in size in 1 of 2 samples looked at, the first 'b.jpg': 6 × 8 and 6 × 7" in told


def test_what_is_stated_reaches_the_library() -> None:
    asked = named("a.h5", label_from="folder", channel_order="bgr", unmatched="skip")
    assert asked.options() == {"label_from": "folder", "channel_order": "bgr", "unmatched": "skip"}
    assert source.Named("a.h5").options()["unmatched"] == "refuse"
