"""What members are: image fields by extension, and columns."""

from __future__ import annotations

import numpy as np
import pytest

from pixstore.errors import LimitExceededError
from pixstore.sources.archives.sample_columns import Columns, fields_of
from pixstore.sources.archives.sample_groups import NONE, samples_of
from pixstore.sources.archives.tar_index import Members


def of(**present: list[int]) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {name.replace("__", "."): np.array(rows) for name, rows in present.items()}


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        (of(jpg=[0, 1]), {"image": ["jpg"]}),
        (of(jpg=[0, NONE], png=[NONE, 1]), {"image": ["jpg", "png"]}),
        (of(jpg=[0, 2], png=[1, NONE]), {"image": ["jpg"], "png": ["png"]}),
        (of(seg__png=[1, 3], jpg=[0, 2], cls=[5, 6]), {"image": ["jpg"], "seg": ["seg.png"]}),
        (of(mask__png=[1], mask__bmp=[2], jpg=[0]), {"image": ["jpg"], "mask": ["mask.png"], "mask_bmp": ["mask.bmp"]}),
        (of(left__eye__png=[1], image__png=[2]), {"image": ["image.png"], "left_eye": ["left.eye.png"]}),
        (of(key__png=[1], label__png=[2], jpg=[0]), {"image": ["jpg"], "key_png": ["key.png"], "label_png": ["label.png"]}),
        ({"0.png": np.array([1]), "jpg": np.array([0])}, {"image": ["jpg"], "field_0_png": ["0.png"]}),
        (of(npy=[0], cls=[1]), {}),
    ],
)
def test_extensions_are_fields(members: dict[str, np.ndarray], fields: dict[str, list[str]]) -> None:  # type: ignore[type-arg]
    assert fields_of(members) == fields


def columns(*contents: tuple[str, bytes], taken: tuple[str, ...] = ("image",)) -> Columns:
    names = [name for name, _ in contents]
    samples = samples_of([Members(names, [0] * len(names), [0] * len(names), [0] * len(names))], ["a.tar"])
    sizes = np.array([len(data) for _, data in contents])
    found = Columns(samples, sizes, lambda member: contents[member][1], "a.tar", taken)
    for extension in samples.members:
        found.add(extension)
    return found


def test_numbers_and_texts_are_columns() -> None:
    found = columns(
        ("0.id", b"7\n"), ("0.index", b"x"), ("0.txt", "ä".encode()), ("0.alt.txt", b"b"), ("0.box.json", b"[1]"), ("1.id", b"-8")
    )
    assert {name: column.to_pylist() for name, column in found.columns.items()} == {
        "id": [7, -8],
        "index": ["x", None],
        "txt": ["ä", None],
        "alt": ["b", None],
        "box": ["[1]", None],
    }


def test_names_that_are_taken_are_changed_and_noted() -> None:
    found = columns(("0.mask.txt", b"x"), ("0.mask.json", b"1"), taken=("image", "mask"))
    assert list(found.columns) == ["metadata_mask", "metadata_metadata_mask"] and len(found.notes) == 2


def test_texts_beyond_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixstore.sources.archives.sample_columns.MAX_VALUE_BYTES", 10)
    with pytest.raises(LimitExceededError, match="text of 11 bytes in sample '0'"):
        columns(("0.txt", b"x" * 11))
