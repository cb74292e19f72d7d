"""What notebooks show of datasets, samples and batches: images, escaped text, and words in place of what cannot be shown."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import pixstore
from pixstore import preview
from pixstore.errors import BadRow
from pixstore.samples import Batch, Deferred, Sample

HOSTILE = "<script>alert('1')</script>\"&\u202e\x00\n"
NOISE = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), np.uint8)
DATA = re.compile(r'src="data:image/png;base64,([^"]*)"')


class Tags(HTMLParser):
    """Collects the names of all elements, and fails where they do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert {name for name, _ in attrs} <= {"style", "src", "alt"}
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(html: str) -> str:
    """Return the HTML, which holds nothing but what we put in, and loads nothing."""
    tags = Tags()
    tags.feed(html)
    assert not tags.open and set(tags.seen) <= {"div", "b", "img", "table", "tr", "th", "td", "pre"}
    assert len(html) < 230_000
    return html


def pictures(html: str) -> list[np.ndarray[Any, Any]]:
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in DATA.findall(checked(html))]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of two classes with eight JPEG photos of two sizes."""
    for number in range(8):
        path = tmp_path / "photos" / ("cats" if number % 2 else "dogs") / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(NOISE[number, : 40 + number % 2, :30]).save(path)
    return tmp_path / "photos"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store of 30 grey images with coloured names, masks that some lack, and labels."""
    path = tmp_path / "s.pixstore"
    with pixstore.Writer(path, codec="raw") as writer:
        for number in range(30):
            masks = {"mask": np.full((4, 6), number, np.uint8)} if number % 2 else {}
            writer.add(np.full((4, 6), number, np.uint16), key=f"<b>{number}", label=number % 3, **masks)
    return path


def test_dataset_shows_its_facts_and_first_images_with_keys_and_labels(photos: Path) -> None:
    with pixstore.open(photos) as dataset:
        html = dataset._repr_html_()
        assert [each.shape[:2] for each in pictures(html)] == [dataset[row].image.shape[:2] for row in range(8)]
    assert "Dataset of 8 samples: image folder" in html and "cats/1.jpg" in html and "<div>dogs</div>" in html and "more" not in html


def test_dataset_reads_only_what_it_shows(store: Path) -> None:
    with pixstore.open(store) as dataset:
        asked: list[int] = []
        read = dataset.read

        class Watched:
            origin, schema = dataset.origin, dataset.schema

            def __len__(self) -> int:
                return len(dataset)

            def read(self, rows: Any, **options: Any) -> Any:
                asked.extend(rows)
                return read(rows, **options)

        html = preview.of_dataset(Watched())
    assert set(asked) == set(range(preview.SAMPLES_SHOWN)) and "… and 18 more" in html
    assert len(pictures(html)) == preview.SAMPLES_SHOWN * 3 // 2 and html.count("no mask") == preview.SAMPLES_SHOWN // 2
    assert "&lt;b&gt;3" in html


def test_selection_shows_its_own_images(store: Path) -> None:
    with pixstore.open(store) as dataset:
        html = checked(dataset.select([29, 7])._repr_html_())
    assert "Dataset of 2 samples" in html and "&lt;b&gt;29" in html and "&lt;b&gt;0" not in html


def test_corrupt_and_missing_images_are_tiles_of_words(photos: Path) -> None:
    with pixstore.open(photos) as dataset:
        keys = dataset.keys.to_pylist()
        (photos / keys[1]).write_bytes((photos / keys[1]).read_bytes()[:200])
        (photos / keys[2]).unlink()
        html = dataset._repr_html_()
    assert len(pictures(html)) == 6
    assert all(key in html for key in keys)
    assert len(re.findall(r"color:#c33", html)) == 2


def test_dataset_without_samples_has_a_preview(store: Path) -> None:
    with pixstore.open(store) as dataset:
        assert "Dataset of 0 samples" in checked(dataset.select([])._repr_html_())


def test_sample_shows_all_its_images_and_columns() -> None:
    sample = Sample(
        {"image": NOISE[0], "depth": np.linspace(0, 1, 12).reshape(3, 4), "key": "k", "label": 3, "box": [1, 2, 3, 4, 5], "gone": None}
    )
    html = sample._repr_html_()
    assert [each.shape for each in pictures(html)] == [(64, 64, 3), (3, 4)]
    assert "3·4 float64" in html and "5 values: 1, 2, 3, 4 …" in html and "None" in html


def test_batch_shows_shape_type_and_a_grid() -> None:
    html = Batch({"image": NOISE, "key": [str(row) for row in range(40)], "label": np.arange(40)}, 40)._repr_html_()
    shown = pictures(html)
    assert "40·64·64·3 uint8" in html and "… and 24 more" in html and "label 15" in html
    assert len(shown) == preview.BATCH_SHOWN


def test_batch_of_many_shapes_and_absent_images() -> None:
    batch = Batch({"image": [NOISE[0], None, NOISE[2, :8]], "key": Deferred(lambda: ["a", "b", "c"])}, 3)
    html = batch._repr_html_()
    assert [each.shape for each in pictures(html)] == [(64, 64, 3), (8, 64, 3)] and "no image" in html and ">b<" in html


def test_bad_rows_of_a_batch_say_why() -> None:
    ok = np.array([True, False])
    html = Batch({"image": NOISE[:2]}, 2, ok=ok, bad=(BadRow(1, "b", "", "the bytes are <gone>"),))._repr_html_()
    assert len(pictures(html)) == 1 and "the bytes are &lt;gone&gt;" in html


def test_nothing_hostile_gets_out_of_its_place() -> None:
    values = {"image": NOISE[0], "key": HOSTILE, HOSTILE: np.zeros((2, 2)), "text": HOSTILE * 500}
    for html in (
        Sample(values)._repr_html_(),
        Batch({"image": NOISE[:1], "key": [HOSTILE], HOSTILE: [HOSTILE], "label": [HOSTILE]}, 1)._repr_html_(),
    ):
        checked(html)
        assert "<script" not in html and "\u202e" not in html and "\x00" not in html and "&lt;script&gt;" in html


def test_value_that_cannot_be_made_does_not_raise() -> None:
    def fail() -> Any:
        raise RuntimeError("<lost>")

    assert "without a preview: &lt;lost&gt;" in checked(Batch({"key": Deferred(fail)}, 1)._repr_html_())


def test_columns_shorter_than_the_batch_do_not_raise() -> None:
    checked(Batch({"image": NOISE[:3], "label": [1]}, 3)._repr_html_())


@given(st.dictionaries(st.text(), st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.binary(), st.lists(st.integers()))))
def test_every_sample_has_a_preview(values: dict[str, Any]) -> None:
    checked(Sample(values)._repr_html_())


def test_large_noise_stays_within_the_bound() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (16, 300, 300, 3), np.uint8)
    assert len(Batch({"image": noise, "second": noise}, 16)._repr_html_()) < 220_000
