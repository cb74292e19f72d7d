"""What users hand in becomes arrays, encoded bytes or nothing; anything else is refused in our words."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pixstore import errors
from pixstore.incoming import Encoding, absent, accept, are_images, is_image, length_of, merged, one_format, own, size_of, to_records
from pixstore.schema import Format

PIXELS: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (6, 7, 3)).astype(np.uint8)


def encoded(kind: str = "png", pixels: NDArray[np.uint8] = PIXELS) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


class Tensor:
    """Somebody's array type."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[np.uint8]:
        return PIXELS


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "CMYK", "I;16", "F", "I", "YCbCr"])
def test_pil_image_is_its_array(mode: str) -> None:
    image = Image.new(mode, (3, 2)) if mode in {"I;16", "F", "I"} else Image.fromarray(PIXELS).convert(mode)
    found = accept(image)
    assert isinstance(found, np.ndarray) and np.array_equal(found, np.asarray(image)) and found.shape[:2] == image.size[::-1]


def test_palette_with_transparency_becomes_rgba() -> None:
    image = Image.fromarray(PIXELS).quantize(8)
    image.info["transparency"] = 0
    found = accept(image)
    assert isinstance(found, np.ndarray) and found.shape == (6, 7, 4)


def test_truncated_pil_image_is_refused_in_our_words() -> None:
    image = Image.open(io.BytesIO(encoded()[:-80]))
    with pytest.raises(errors.InvalidInputError, match=r"PNG image cannot be read.*truncated"):
        accept(image)


def test_other_forms_are_accepted(tmp_path: Path) -> None:
    data = encoded()
    (tmp_path / "a.png").write_bytes(data)
    assert accept(None) is None and accept(PIXELS) is PIXELS
    assert (
        accept(data) == accept(bytearray(data)) == accept(memoryview(data)) == accept(tmp_path / "a.png") == accept(str(tmp_path / "a.png"))
    )
    tensor = accept(Tensor())  # type: ignore[arg-type]
    assert np.array_equal(tensor, PIXELS) and not np.shares_memory(tensor, PIXELS)


@pytest.mark.parametrize("value", [3, 1.5, object(), {"a": 1}, [1, 2]])
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(errors.InvalidInputError, match=f"cannot be a {type(value).__name__}"):
        accept(value)


def test_unreadable_path_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(errors.PathNotFoundError, match=r"no\.png"):
        accept(tmp_path / "no.png")
    with pytest.raises(errors.InvalidInputError, match=str(tmp_path)):
        accept(tmp_path)


def test_own_copies_what_its_giver_can_change() -> None:
    array, values = np.zeros(3), [1, 2]
    mine, copied = own(array), own(values)
    array[:], values[0] = 1, 9
    assert mine.tolist() == [0, 0, 0] and copied == [1, 2] and own("text") == "text"


def test_images_are_told_from_columns() -> None:
    assert is_image(PIXELS) and is_image(Image.new("L", (1, 1))) and not is_image(np.zeros(3)) and not is_image(b"") and not is_image(None)
    assert are_images(np.zeros((2, 3, 3))) and not are_images(np.zeros((2, 3))) and are_images([None, PIXELS])
    assert not are_images([]) and not are_images([None]) and not are_images("abc") and not are_images([1]) and not are_images(3)


def test_length_of_counts_only_what_is_many() -> None:
    assert length_of("'c'", (1, 2)) == 2 and size_of(None) == 0 and size_of(b"abc") == 3 and size_of(PIXELS) == 126
    for value in ("cat", b"cat", 5, iter([1])):
        with pytest.raises(errors.InvalidInputError, match=f"'c': a {type(value).__name__}"):
            length_of("'c'", value)


def test_keep_leaves_encoded_bytes_and_stores_arrays_raw() -> None:
    png, jpeg = encoded(), encoded("jpeg")
    records = to_records([png, PIXELS, None, jpeg], Encoding())
    views = records.slices.views()
    assert [None if view is None else bytes(view) for view in views] == [png, PIXELS.tobytes(), None, jpeg]
    assert [records.formats[n].codec for n in np.delete(records.format, 2)] == ["png", "raw", "jpeg"]


@pytest.mark.parametrize("codec", ["png", "raw"])
def test_codec_changes_what_is_not_in_it_and_keeps_what_is(codec: str) -> None:
    png, bmp = encoded(), encoded("bmp", PIXELS[::-1])
    records = to_records([png, bmp, PIXELS], Encoding(codec))
    views = records.slices.views()
    assert {records.formats[n].codec for n in records.format} == {codec}
    if codec == "png":
        assert views[0] is not None and bytes(views[0]) == png
    else:
        assert [bytes(view) for view in views if view is not None] == [PIXELS.tobytes(), PIXELS[::-1].tobytes(), PIXELS.tobytes()]


def test_all_in_the_codec_are_kept_and_none_is_decoded_away() -> None:
    png = encoded()
    assert bytes(to_records([png], Encoding("png")).slices.data) == png
    assert to_records([encoded("bmp")], Encoding("raw")).formats == [Format("raw", (6, 7, 3), "uint8")]


def test_bytes_that_are_no_image_are_all_named() -> None:
    with pytest.raises(errors.RecordError, match="2 of 3") as caught:
        to_records([b"junk", encoded(), b""], Encoding())
    assert [bad.row for bad in caught.value.bad_rows] == [0, 2]


def test_array_that_the_codec_cannot_hold_is_refused() -> None:
    for value in (PIXELS.astype(np.float32), np.zeros((2, 2, 5), np.uint8), np.array(["a"])):
        with pytest.raises(errors.InvalidInputError, match=r"png|dtype"):
            to_records([value], Encoding("png"))


def test_one_format_is_that_of_every_record() -> None:
    assert one_format(to_records([PIXELS, PIXELS], Encoding())) == Format("raw", (6, 7, 3), "uint8")
    assert one_format(to_records([PIXELS, PIXELS[:2]], Encoding())) is None
    assert one_format(to_records([PIXELS, None], Encoding())) is None
    assert one_format(absent(3)) is None and absent(3).slices.views() == [None] * 3


def test_merged_puts_parts_in_their_places() -> None:
    records = to_records(np.arange(4, dtype=np.uint8).reshape(2, 2), Encoding("raw"))
    whole = merged([([3, 1], records)], 4)
    assert [None if view is None else bytes(view) for view in whole.slices.views()] == [None, b"\x02\x03", None, b"\x00\x01"]


@pytest.mark.parametrize(
    "options", [{"codec": "bmp"}, {"level": 0}, {"codec": "png", "level": 13}, {"level": 20}, {"quality": 0}, {"quality": 101}]
)
def test_unusable_encoding_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidInputError):
        Encoding(**options)


@pytest.mark.parametrize("codec", ["webp", "webp-lossless"])
def test_webp_that_is_handed_in_stays_as_it_is(codec: str) -> None:
    target = io.BytesIO()
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(target, "WEBP", lossless=True)
    records = to_records([target.getvalue()], Encoding(codec))
    assert bytes(records.slices.views()[0] or b"") == target.getvalue()
    assert [records.formats[number] for number in records.format.tolist()] == [Format("webp", (4, 5, 3), "uint8")]
